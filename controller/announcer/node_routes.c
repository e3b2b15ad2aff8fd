#include "announcer/node_routes.h"

#include "announcer/node_lease.h"
#include "announcer/node_probe.h"
#include "announcer/node_share.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define MODULE "node-routes"

enum {
        TRIES = 3, /* the kernel removes next-hops by itself while we read and write */
        LOG_PERIOD_MS = 10000,
};

struct node_routes {
        int netns;
        struct node_table table;
        struct node_probe probe4, probe6;
        bool lost; /* the node does not reach us, in one family at least */
        bool held; /* our own leases */
        struct node_pods pods;
        struct log_rate untidy_log;
};

/* Sockets belong to the namespace they were made in, wherever the process is later. */
static int open_sockets_there(struct node_routes *routes)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (here < 0 || setns(routes->netns, CLONE_NEWNET) < 0)
                return -errno;
        r = node_table_open(&routes->table);
        if (r == 0)
                r = node_probe_open_sender(&routes->probe4);
        if (r == 0)
                r = node_probe_open_sender(&routes->probe6);
        if (setns(here, CLONE_NEWNET) < 0)
                return -errno;
        return r;
}

int node_routes_new(const char *netns_path, const struct addr *gateway4, const struct addr *gateway6,
                    struct node_routes **out, struct error *error)
{
        _cleanup_(node_routes_free_p) struct node_routes *routes = calloc(1, sizeof(*routes));
        int r;

        if (!routes)
                return error_oom(error);
        routes->table.read_only = true;
        routes->probe4 = routes->probe6 = (struct node_probe)NODE_PROBE_NONE;
        routes->netns = open(netns_path, O_RDONLY | O_CLOEXEC);
        if (routes->netns < 0) {
                r = -errno;
                (void)error_set(error, netns_path, "cannot open: %s", strerror(-r));
                return r;
        }
        r = node_probe_open(&routes->probe4, gateway4);
        if (r == 0)
                r = node_probe_open(&routes->probe6, gateway6);
        if (r < 0) {
                (void)error_set(error, "--pod-address", "cannot use it: %s", strerror(-r));
                return r;
        }
        r = open_sockets_there(routes);
        if (r < 0) {
                (void)error_set(error, netns_path, "cannot open sockets there: %s", strerror(-r));
                return r;
        }
        routes->pods = (struct node_pods){.netns = routes->netns, .own4 = *gateway4, .own6 = *gateway6};
        *out = TAKE_PTR(routes);
        return 0;
}

static int remove_orphans(struct node_table *table)
{
        int r = 0;

        for (size_t i = 0; i < table->n_groups && r == 0; i++) {
                bool used = false;

                for (size_t j = 0; j < table->n_routes; j++)
                        used |= table->routes[j].group == table->groups[i].id;
                if (!used)
                        r = node_table_remove(table, table->groups[i].id);
        }
        return r;
}

/* What others have left: groups without a route, and dead pods. Returns how many pods it removed, or a
 * negative errno. */
static int tidy(struct node_routes *routes, int64_t now_ms)
{
        int r = remove_orphans(&routes->table);

        return r < 0 ? r : node_pods_bury(&routes->pods, &routes->table, now_ms);
}

/* Returns as node_routes_set, or -EROFS if a change is needed and must not be made. *untidy: what others have
 * left is still there. */
static int arrange(struct node_routes *routes, const struct node_want *want, int64_t now_ms, bool *untidy,
                   struct error *error)
{
        int tidied, r, r4, r6;

        do {
                r = node_table_read(&routes->table);
                if (r < 0) {
                        (void)error_set(error, "node routes", "cannot list them: %s", strerror(-r));
                        return r;
                }
                tidied = tidy(routes, now_ms);
        } while (tidied > 0);
        *untidy = tidied < 0;
        r4 = node_share_set(&routes->table, &routes->pods, &routes->pods.own4, want, error);
        r6 = node_share_set(&routes->table, &routes->pods, &routes->pods.own6, want, error);
        if (r4 == -EROFS || r6 == -EROFS)
                return -EROFS;
        return r4 < 0 || r6 == 0 ? r4 : r6;
}

/* Likewise, with the lock. Returns -EBUSY if somebody else has it. */
static int arrange_locked(struct node_routes *routes, const struct node_want *want, int64_t now_ms,
                          struct error *error)
{
        bool untidy = false;
        int r = node_lease_lock(routes->netns);

        if (r < 0) {
                (void)error_set(error, "node routes", "cannot get the lock: %s", strerror(-r));
                return r;
        }
        routes->table.read_only = false;
        for (int i = 0; i < TRIES; i++) {
                r = arrange(routes, want, now_ms, &untidy, error);
                if (r >= 0 && !untidy)
                        break;
        }
        routes->table.read_only = true;
        node_lease_unlock(routes->netns);
        if (untidy && log_rate_allow(&routes->untidy_log, now_ms, LOG_PERIOD_MS))
                log_warning(MODULE, "cannot remove what others have left");
        return r;
}

/* Only from the first word of coracle on: a new pod must not answer for what a dead one of its address has
 * left. */
static int hold_leases(struct node_routes *routes)
{
        int r = routes->held ? 0 : node_lease_hold(routes->netns, &routes->pods.own4);

        if (r == 0 && !routes->held)
                r = node_lease_hold(routes->netns, &routes->pods.own6);
        routes->held = r == 0;
        return r;
}

/* Both families leave together: what is wrong with one link is wrong with both. */
static bool is_lost(struct node_routes *routes, int64_t now_ms)
{
        const bool reached4 = node_probe_reaches(&routes->probe4, now_ms);
        const bool reached6 = node_probe_reaches(&routes->probe6, now_ms);
        const bool lost = !reached4 || !reached6;

        if (lost && !routes->lost)
                log_warning(MODULE, "the node does not reach this pod any more");
        if (!lost && routes->lost)
                log_info(MODULE, "the node reaches this pod again");
        routes->lost = lost;
        return lost;
}

/* Nearly always all is as it should be, which one sees without the lock. Where only others' leavings are to
 * be removed, it does not matter to this pod whether the lock can be had. */
int node_routes_set(struct node_routes *routes, const struct announce_set *set, bool silent, int64_t now_ms,
                    struct error *error)
{
        const struct node_want want = {.set = set, .silent = is_lost(routes, now_ms) || silent};
        bool untidy = false;
        int r, locked;

        r = hold_leases(routes);
        if (r < 0) {
                (void)error_set(error, "node routes", "cannot hold the pod's lease: %s", strerror(-r));
                return r;
        }
        r = arrange(routes, &want, now_ms, &untidy, error);
        if (r != -EROFS && !untidy)
                return r;
        locked = arrange_locked(routes, &want, now_ms, error);
        return locked == -EBUSY && r != -EROFS ? r : locked;
}

void node_routes_free(struct node_routes *routes)
{
        if (!routes)
                return;
        if (routes->netns >= 0)
                (void)close(routes->netns);
        node_table_close(&routes->table);
        node_probe_close(&routes->probe4);
        node_probe_close(&routes->probe6);
        node_pods_clear(&routes->pods);
        free(routes);
}
