#include "announcer/node_keeper.h"

#include "announcer/pools_file.h"
#include "announcer/privileges.h"
#include "base/log.h"

#include <stdlib.h>

#define MODULE "node-keeper"

enum {
        PATIENCE_MS = 1000, /* with failures: the routes were good, and are perhaps still */
        LOG_PERIOD_MS = 10000,
};

struct node_keeper {
        struct node_routes *routes;
        struct prefix_list allowed;
        bool serves; /* the routes lead here what they should, as of good_ms */
        int64_t good_ms;
        struct log_rate failure_log, foreign_log;
};

int node_keeper_new(const struct options *options, struct node_keeper **out, struct error *error)
{
        const struct addr gateway4 = addr_list_first(&options->pod_addresses, AF_INET);
        const struct addr gateway6 = addr_list_first(&options->pod_addresses, AF_INET6);
        _cleanup_(node_keeper_free_p) struct node_keeper *keeper = NULL;
        int r;

        if (!options->node_netns) {
                *out = NULL;
                return 0;
        }
        keeper = calloc(1, sizeof(*keeper));
        if (!keeper)
                return error_oom(error);
        r = node_routes_new(options->node_netns, &gateway4, &gateway6, &keeper->routes, error);
        if (r < 0)
                return r;
        privileges_drop();
        r = pools_file_read(options->pools, &keeper->allowed, error);
        if (r < 0)
                return r;
        *out = TAKE_PTR(keeper);
        return 0;
}

void node_keeper_clip(struct node_keeper *keeper, struct announce_set *set, int64_t now_ms)
{
        const size_t pools = set->pools.count, routes = set->routes.count;

        if (!keeper)
                return;
        set->pools.count = set->routes.count = 0;
        for (size_t i = 0; i < pools; i++)
                if (prefix_list_contains(&keeper->allowed, &set->pools.prefixes[i]))
                        set->pools.prefixes[set->pools.count++] = set->pools.prefixes[i];
        for (size_t i = 0; i < routes; i++)
                if (prefix_list_around(&set->pools, &set->routes.prefixes[i]))
                        set->routes.prefixes[set->routes.count++] = set->routes.prefixes[i];
        if ((set->pools.count < pools || set->routes.count < routes) &&
            log_rate_allow(&keeper->foreign_log, now_ms, LOG_PERIOD_MS))
                log_warning(MODULE, "coracle wants pools that the pod was not set up for: not announced",
                            LOG_INT("pools", pools - set->pools.count),
                            LOG_INT("routes", routes - set->routes.count));
}

bool node_keeper_keep(struct node_keeper *keeper, const struct announce_set *set, bool silent, int64_t now_ms)
{
        struct error error = {0};
        bool tolerable;
        int r;

        if (!keeper)
                return true;
        r = node_routes_set(keeper->routes, set, silent, now_ms, &error);
        if (r >= 0) {
                keeper->serves = r == 0 && !silent && set->routes.count;
                keeper->good_ms = now_ms;
                keeper->failure_log = (struct log_rate){0};
                return r == 0;
        }
        tolerable = keeper->serves && now_ms - keeper->good_ms < PATIENCE_MS;
        if (log_rate_allow(&keeper->failure_log, now_ms, LOG_PERIOD_MS))
                log_error(MODULE, "node routes cannot be kept as they should be", LOG_ERROR_FIELDS(&error),
                          LOG_TEXT("announced", tolerable ? "as before" : "nothing"));
        return tolerable;
}

void node_keeper_leave(struct node_keeper *keeper, int64_t now_ms)
{
        static const struct announce_set nothing;
        struct error error = {0};

        if (keeper && node_routes_set(keeper->routes, &nothing, false, now_ms, &error) < 0)
                log_warning(MODULE, "node routes are left behind", LOG_ERROR_FIELDS(&error));
}

void node_keeper_free(struct node_keeper *keeper)
{
        if (!keeper)
                return;
        node_routes_free(keeper->routes);
        prefix_list_clear(&keeper->allowed);
        free(keeper);
}
