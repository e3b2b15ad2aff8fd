#include "core/ipvs_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_real_to_plan(const struct ipvs_real *real, const struct real_server *rs)
{
        int order = addr_compare(&real->addr, &rs->addr);

        return order ? order : (int)real->port - (int)rs->port;
}

static const char *check_real(const struct ipvs_real *real, const struct real_server *rs,
                              enum forwarding forwarding)
{
        if (!real->forwarding_known || real->forwarding != forwarding)
                return "a real server has another forwarding method";
        return real->weight != rs->weight ? "a real server has another weight" : NULL;
}

/* Merge walk over both lists of real servers. Returns what differs, in words, or NULL. */
static const char *compare_reals_to_plan(const struct ipvs_virtual *virtual, const struct virtual_server *vs,
                                         struct ipvs_vip_state *state)
{
        const bool inhibits = strcmp(vs->scheduler, "mh") == 0;
        const char *difference = NULL;
        size_t i = 0, j = 0;

        while (i < virtual->n_reals || j < vs->n_real_servers) {
                int order = i == virtual->n_reals ? 1
                            : j == vs->n_real_servers
                                ? -1
                                : compare_real_to_plan(&virtual->reals[i], &vs->real_servers[j]);
                const struct ipvs_real *real = order <= 0 ? &virtual->reals[i++] : NULL;
                const struct real_server *rs = order >= 0 ? &vs->real_servers[j++] : NULL;
                const bool may_be_down = rs && rs->weight && vs->checked;
                const char *found = NULL;

                if (real)
                        state->active += real->active;
                if (may_be_down && (!real || (inhibits && !real->weight))) {
                        state->down++; /* its health check took it out */
                        continue;
                }
                if (real) {
                        state->up += real->weight > 0;
                        state->draining += real->weight == 0;
                }
                if (!rs)
                        found = "a real server is not in the plan";
                else if (!real)
                        found = "a real server is missing";
                else
                        found = check_real(real, rs, vs->forwarding);
                if (found)
                        difference = found;
        }
        return difference;
}

static const char *compare_virtual(const struct ipvs_virtual *virtual, const struct virtual_server *vs,
                                   struct ipvs_vip_state *state)
{
        const char *difference;

        if (!virtual)
                return "is missing";
        difference = compare_reals_to_plan(virtual, vs, state);
        return strcmp(virtual->scheduler, vs->scheduler) != 0 ? "has another scheduler" : difference;
}

struct ipvs_vip_state ipvs_virtual_state(const struct ipvs_virtual *virtual, const struct virtual_server *vs)
{
        struct ipvs_vip_state state = {0};

        state.matches = compare_virtual(virtual, vs, &state) == NULL;
        return state;
}

static void describe(struct error *difference, const struct addr *vip, enum protocol protocol, uint16_t port,
                     const char *what)
{
        char text[ADDR_TEXT_SIZE], where[sizeof(difference->where)];

        if (!difference || difference->what[0])
                return;
        (void)snprintf(where, sizeof(where), "%s [%s]:%u", protocol_name(protocol), addr_format(vip, text),
                       port);
        (void)error_set(difference, where, "%s", what);
}

size_t ipvs_table_compare(const struct ipvs_table *table, const struct plan *plan,
                          struct ipvs_vip_state *states, struct error *difference)
{
        size_t i = 0, j = 0, v = 0, differences = 0;

        for (size_t k = 0; k < plan->n_vips; k++)
                states[k] = (struct ipvs_vip_state){.matches = true};
        for (;;) {
                const struct ipvs_virtual *virtual = i < table->n_virtuals ? &table->virtuals[i] : NULL;
                const struct virtual_server *vs =
                    j < plan->n_virtual_servers ? &plan->virtual_servers[j] : NULL;
                struct ipvs_vip_state ignored = {0}, *state = &ignored;
                const struct addr *vip;
                const char *found;

                /* The later of the two waits for its turn. */
                if (virtual && vs) {
                        int order = ipvs_virtual_compare_key(virtual, vs);

                        if (order < 0)
                                vs = NULL;
                        else if (order > 0)
                                virtual = NULL;
                }
                if (virtual)
                        vip = &virtual->vip;
                else if (vs)
                        vip = &vs->vip;
                else
                        return differences;
                while (v < plan->n_vips && addr_compare(&plan->vips[v].addr, vip) < 0)
                        v++;
                if (v < plan->n_vips && addr_equal(&plan->vips[v].addr, vip))
                        state = &states[v];
                if (vs) {
                        found = compare_virtual(virtual, vs, state);
                        if (found)
                                describe(difference, vip, vs->protocol, vs->port, found);
                } else {
                        found = "is not in the plan";
                        describe(difference, vip, virtual->protocol, virtual->port, found);
                }
                if (found) {
                        state->matches = false;
                        differences++;
                }
                i += virtual != NULL;
                j += vs != NULL;
        }
}

bool ipvs_table_lacks(const struct ipvs_table *now, const struct ipvs_table *before, const struct plan *plan)
{
        size_t i = 0;

        for (size_t j = 0; j < before->n_virtuals; j++) {
                const struct ipvs_virtual *old = &before->virtuals[j];

                while (i < now->n_virtuals && ipvs_virtual_compare(&now->virtuals[i], old) < 0)
                        i++;
                if ((i == now->n_virtuals || ipvs_virtual_compare(&now->virtuals[i], old) > 0) &&
                    plan_find(plan, &old->vip, old->protocol, old->port))
                        return true;
        }
        return false;
}

static bool has_real(const struct ipvs_virtual *virtual, const struct ipvs_real *real)
{
        return virtual && virtual->n_reals &&
               bsearch(real, virtual->reals, virtual->n_reals, sizeof(*real), ipvs_real_compare);
}

bool ipvs_table_has_new_idle(const struct ipvs_table *now, const struct ipvs_table *before)
{
        size_t j = 0;

        for (size_t i = 0; i < now->n_virtuals; i++) {
                const struct ipvs_virtual *virtual = &now->virtuals[i], *old = NULL;

                if (strcmp(virtual->scheduler, "mh") != 0)
                        continue;
                while (j < before->n_virtuals && ipvs_virtual_compare(&before->virtuals[j], virtual) < 0)
                        j++;
                if (j < before->n_virtuals && ipvs_virtual_compare(&before->virtuals[j], virtual) == 0)
                        old = &before->virtuals[j];
                for (size_t k = 0; k < virtual->n_reals; k++)
                        if (!virtual->reals[k].weight && !has_real(old, &virtual->reals[k]))
                                return true;
        }
        return false;
}
