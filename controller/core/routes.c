#include "core/routes.h"

#include "base/sorted.h"

#include <errno.h>
#include <stdlib.h>

const char *route_state_name(enum route_state state)
{
        static const char *const names[] = {
            [ROUTE_ANNOUNCED] = "announced",
            [ROUTE_UNSYNCED] = "unsynced",
            [ROUTE_KEEPALIVED_DOWN] = "keepalived-down",
            [ROUTE_TABLE_DIFFERS] = "table-differs",
            [ROUTE_NO_REAL_SERVER] = "no-real-server",
            [ROUTE_DRAINING] = "draining",
            [ROUTE_HELD_DOWN] = "held-down",
            [ROUTE_STRAYS] = "differs-from-fleet",
            [ROUTE_UNGUARDED] = "source-ranges-not-applied",
        };

        return names[state];
}

/* What holds now, without the past. */
static enum route_state judge(const struct routes_input *input, size_t vip, bool announced)
{
        const struct ipvs_vip_state *kernel = input->kernel ? &input->kernel[vip] : NULL;

        if (input->draining)
                return ROUTE_DRAINING;
        if (!input->synced)
                return ROUTE_UNSYNCED;
        if (!input->keepalived_up)
                return ROUTE_KEEPALIVED_DOWN;
        if (input->strays)
                return ROUTE_STRAYS;
        if (input->plan->vips[vip].unguarded)
                return ROUTE_UNGUARDED;
        if (!kernel)
                return ROUTE_TABLE_DIFFERS;
        if (!kernel->matches && !(input->settling && announced))
                return ROUTE_TABLE_DIFFERS;
        return kernel->up ? ROUTE_ANNOUNCED : ROUTE_NO_REAL_SERVER;
}

/* Moves one route on. Returns when it wants to be looked at again, or -1. */
static int64_t advance(struct route *route, enum route_state judged, int64_t first_checks_ms, int64_t now_ms)
{
        const int64_t hold_ms =
            route->was_withdrawn && first_checks_ms < ROUTES_HOLD_MS ? ROUTES_HOLD_MS : first_checks_ms;

        if (judged != ROUTE_ANNOUNCED) {
                route->was_withdrawn |= route->state == ROUTE_ANNOUNCED;
                route->state = judged;
                return -1;
        }
        if (route->state == ROUTE_ANNOUNCED)
                return -1;
        if (hold_ms) {
                if (route->state != ROUTE_HELD_DOWN) {
                        route->state = ROUTE_HELD_DOWN;
                        route->good_since_ms = now_ms;
                }
                if (now_ms - route->good_since_ms < hold_ms)
                        return route->good_since_ms + hold_ms;
        }
        route->state = ROUTE_ANNOUNCED;
        return -1;
}

/* The plan's VIPs with what is known of each from before. */
static int take_over(const struct routes *old, const struct plan *plan, struct routes *out, bool *changed)
{
        size_t i = 0;

        out->routes = calloc(plan->n_vips + 1, sizeof(*out->routes));
        if (!out->routes)
                return -ENOMEM;
        out->count = plan->n_vips;
        *changed = old->count != plan->n_vips;
        for (size_t j = 0; j < plan->n_vips; j++) {
                const struct addr *vip = &plan->vips[j].addr;

                while (i < old->count && addr_compare(&old->routes[i].vip, vip) < 0)
                        i++;
                if (i < old->count && addr_equal(&old->routes[i].vip, vip)) {
                        out->routes[j] = old->routes[i];
                } else {
                        out->routes[j] = (struct route){.vip = *vip, .state = ROUTE_UNSYNCED};
                        *changed = true;
                }
        }
        return 0;
}

static int compare_to_route(const void *vip, const void *route)
{
        return addr_compare(vip, &((const struct route *)route)->vip);
}

static bool is_planned(const struct routes *routes, const struct addr *vip)
{
        size_t at;

        return sorted_find(vip, routes->routes, routes->count, sizeof(*routes->routes), compare_to_route,
                           &at);
}

/* Those that close already, and those that begin to: announced until now, and in no plan any more. A pod that
 * leaves, or whose keepalived does not run, has nothing to close. 0 or -ENOMEM. */
static int close_routes(const struct routes *old, const struct routes_input *input, struct routes *out,
                        bool *changed)
{
        out->closing = calloc(old->count + old->n_closing + 1, sizeof(*out->closing));
        if (!out->closing)
                return -ENOMEM;
        if (!input->plan || input->draining || !input->keepalived_up) {
                *changed |= old->n_closing > 0;
                return 0;
        }
        for (size_t i = 0; i < old->n_closing; i++)
                if (old->closing[i].until_ms > input->now_ms && !is_planned(out, &old->closing[i].vip))
                        out->closing[out->n_closing++] = old->closing[i];
        *changed |= out->n_closing != old->n_closing;
        for (size_t i = 0; i < old->count; i++)
                if (old->routes[i].state == ROUTE_ANNOUNCED && !is_planned(out, &old->routes[i].vip))
                        out->closing[out->n_closing++] = (struct closing_route){
                            .vip = old->routes[i].vip, .until_ms = input->now_ms + ROUTES_CLOSING_MS};
        return 0;
}

/* The earlier one; -1 is never. */
static void note_next(int64_t *next_ms, int64_t wanted_ms)
{
        if (wanted_ms >= 0 && (*next_ms < 0 || wanted_ms < *next_ms))
                *next_ms = wanted_ms;
}

int routes_update(struct routes *routes, const struct routes_input *input, int64_t *next_ms)
{
        static const struct plan nothing = {0};
        const struct plan *plan = input->plan ? input->plan : &nothing;
        struct routes updated = {0};
        bool changed = false;

        *next_ms = -1;
        if (take_over(routes, plan, &updated, &changed) < 0 ||
            close_routes(routes, input, &updated, &changed) < 0) {
                routes_clear(&updated);
                return -ENOMEM;
        }
        for (size_t i = 0; i < updated.count; i++) {
                struct route *route = &updated.routes[i];
                enum route_state before = route->state;
                int64_t wanted = advance(route, judge(input, i, before == ROUTE_ANNOUNCED),
                                         plan->vips[i].first_checks_ms, input->now_ms);

                note_next(next_ms, wanted);
                changed |= route->state != before;
        }
        for (size_t i = 0; i < updated.n_closing; i++)
                note_next(next_ms, updated.closing[i].until_ms);
        routes_clear(routes);
        *routes = updated;
        return changed;
}

static int append_vip(struct prefix_list *out, const struct addr *vip, const struct bgp_config *bgp)
{
        struct prefix prefix =
            prefix_of(vip, vip->family == AF_INET ? bgp->announce_length4 : bgp->announce_length6);

        return prefix_list_append(out, &prefix);
}

int routes_collect(const struct routes *routes, const struct bgp_config *bgp, struct announce_set *out)
{
        size_t kept = 0;

        for (size_t i = 0; i < routes->count; i++)
                if (append_vip(routes->routes[i].state == ROUTE_ANNOUNCED ? &out->routes : &out->withheld,
                               &routes->routes[i].vip, bgp) < 0)
                        return -ENOMEM;
        for (size_t i = 0; i < routes->n_closing; i++)
                if (append_vip(&out->routes, &routes->closing[i].vip, bgp) < 0)
                        return -ENOMEM;
        prefix_list_sort(&out->routes);
        prefix_list_sort(&out->withheld);
        for (size_t i = 0; i < out->withheld.count; i++)
                if (!prefix_list_contains(&out->routes, &out->withheld.prefixes[i]))
                        out->withheld.prefixes[kept++] = out->withheld.prefixes[i];
        out->withheld.count = kept;
        return 0;
}

int routes_collect_pools(const struct config *config, struct prefix_list *out)
{
        for (size_t i = 0; i < config->n_pools; i++)
                for (size_t j = 0; j < config->pools[i].n_prefixes; j++)
                        if (prefix_list_append(out, &config->pools[i].prefixes[j]) < 0)
                                return -ENOMEM;
        prefix_list_sort(out);
        return 0;
}

void routes_clear(struct routes *routes)
{
        free(routes->routes);
        free(routes->closing);
        *routes = (struct routes){0};
}
