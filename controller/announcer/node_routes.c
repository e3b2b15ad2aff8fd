#include "announcer/node_routes.h"

#include "announcer/node_lease.h"
#include "announcer/node_pods.h"
#include "announcer/node_probe.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define MODULE "node-routes"

/* Of 256, less one, as the kernel counts. */
enum {
        WEIGHT_SERVING = 254,
        WEIGHT_DRAINING = 0,
        TRIES = 3, /* the kernel removes next-hops by itself while we read and write */
        LOG_PERIOD_MS = 10000,
};

enum role {
        ROLE_IDLE,
        ROLE_SERVING,
        ROLE_DRAINING,
};

/* What is wanted of this pod. */
struct want {
        const struct announce_set *set;
        bool silent;
};

struct node_routes {
        int netns;
        struct node_table table;
        struct addr gateway4, gateway6;
        struct node_probe probe4, probe6;
        bool lost; /* the node does not reach us, in one family at least */
        bool held; /* our own leases */
        struct node_pods pods;
        struct log_rate untidy_log;
};

static const struct addr *gateway_of(const struct node_routes *routes, uint8_t family)
{
        return family == AF_INET6 ? &routes->gateway6 : &routes->gateway4;
}

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
        routes->gateway4 = *gateway4;
        routes->gateway6 = *gateway6;
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

static enum role role_in(const struct want *want, const struct prefix *pool)
{
        const struct prefix_list *routes = &want->set->routes;

        if (want->silent)
                return ROLE_IDLE;
        if (want->set->graceful_shutdown)
                return ROLE_DRAINING;
        for (size_t i = 0; i < routes->count; i++)
                if (prefix_contains(pool, &routes->prefixes[i].addr))
                        return ROLE_SERVING;
        return ROLE_IDLE;
}

static struct node_member *find_member(struct node_group *group, uint32_t hop)
{
        for (size_t i = 0; i < group->count; i++)
                if (group->members[i].hop == hop)
                        return &group->members[i];
        return NULL;
}

/* Whether another pod is in the group that lives, and has this weight at least. */
static bool has_other_alive(const struct node_routes *routes, const struct node_group *group, uint32_t own,
                            uint8_t weight)
{
        for (size_t i = 0; i < group->count; i++) {
                const struct node_hop *hop = node_table_find_hop(&routes->table, group->members[i].hop);

                if (hop && hop->id != own && group->members[i].weight >= weight &&
                    node_pods_is_alive(&routes->pods, &hop->gateway))
                        return true;
        }
        return false;
}

/* A pod that comes waits until it is known whether they are dead: their share of its traffic would be lost.
 */
static bool has_missing(const struct node_routes *routes, const struct node_group *group)
{
        for (size_t i = 0; i < group->count; i++) {
                const struct node_hop *hop = node_table_find_hop(&routes->table, group->members[i].hop);

                if (hop && !node_pods_is_alive(&routes->pods, &hop->gateway))
                        return true;
        }
        return false;
}

/* The last one takes the group with it, and with that the route. */
static int leave_group(struct node_routes *routes, struct node_group *group, struct node_member *member)
{
        if (group->count == 1)
                return node_table_remove(&routes->table, group->id);
        *member = group->members[--group->count];
        return node_table_put_group(&routes->table, group);
}

static int begin_route(struct node_routes *routes, const struct prefix *pool, uint32_t own)
{
        struct node_group group = {.count = 1, .members = {{own, WEIGHT_SERVING}}};
        int r = node_table_put_group(&routes->table, &group);

        return r < 0 ? r : node_table_add_route(&routes->table, pool, group.id);
}

/* A pod that does not serve yet, or not any more and has left, does not come in to drain. */
static int set_pool(struct node_routes *routes, const struct prefix *pool, uint32_t own,
                    const struct want *want)
{
        const enum role role = role_in(want, pool);
        const uint8_t weight = role == ROLE_SERVING ? WEIGHT_SERVING : WEIGHT_DRAINING;
        struct node_route *route = node_table_find_route(&routes->table, pool);
        struct node_group *group = route ? node_table_find_group(&routes->table, route->group) : NULL;
        struct node_member *member = group ? find_member(group, own) : NULL;

        if (!member && role != ROLE_SERVING)
                return 0;
        if (!group)
                return begin_route(routes, pool, own);
        if (!member && want->set->starting && has_other_alive(routes, group, own, WEIGHT_SERVING))
                return 0;
        /* Alone it stays, but with so little weight that whoever comes to serve has nearly all at once. */
        if (role == ROLE_IDLE && has_other_alive(routes, group, own, WEIGHT_DRAINING))
                return leave_group(routes, group, member);
        if (member && member->weight == weight)
                return 0;
        if (role == ROLE_SERVING && has_missing(routes, group))
                return NODE_ROUTES_WAITING;
        if (!member) {
                if (group->count == NODE_GROUP_MEMBERS_MAX)
                        return -ENOSPC;
                member = &group->members[group->count++];
        }
        *member = (struct node_member){own, weight};
        return node_table_put_group(&routes->table, group);
}

/* Out of the routes that this pod is in and should not be; and away with groups that lost their route. */
static int leave_others(struct node_routes *routes, uint8_t family, const struct prefix_list *pools,
                        uint32_t own)
{
        struct node_table *table = &routes->table;
        int r = 0;

        for (size_t i = 0; i < table->n_routes && r == 0; i++) {
                struct node_group *group = node_table_find_group(table, table->routes[i].group);
                struct node_member *member = group ? find_member(group, own) : NULL;

                if (member && table->routes[i].pool.addr.family == family &&
                    !prefix_list_contains(pools, &table->routes[i].pool))
                        r = leave_group(routes, group, member);
        }
        return r;
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

/* This pod's next-hop: *own is 0 if there is none and none is needed. */
static int own_hop(struct node_routes *routes, const struct addr *gateway, bool needed, uint32_t *own)
{
        const struct node_hop *hop = node_table_find_gateway(&routes->table, gateway);

        *own = hop ? hop->id : 0;
        return hop || !needed ? 0 : node_table_add_hop(&routes->table, gateway, own);
}

static int set_pools(struct node_routes *routes, uint8_t family, uint32_t own, const struct want *want,
                     struct error *error)
{
        const struct prefix_list *pools = &want->set->pools;
        char text[PREFIX_TEXT_SIZE];
        bool waiting = false;
        int r;

        for (size_t i = 0; i < pools->count; i++) {
                if (pools->prefixes[i].addr.family != family)
                        continue;
                r = set_pool(routes, &pools->prefixes[i], own, want);
                if (r < 0) {
                        (void)error_set(error, prefix_format(&pools->prefixes[i], text),
                                        "cannot change the node's route: %s", strerror(-r));
                        return r;
                }
                waiting |= r == NODE_ROUTES_WAITING;
        }
        r = leave_others(routes, family, pools, own);
        return r == 0 && waiting ? NODE_ROUTES_WAITING : r;
}

static int set_family(struct node_routes *routes, uint8_t family, const struct want *want,
                      struct error *error)
{
        const struct prefix_list *pools = &want->set->pools;
        const struct addr *gateway = gateway_of(routes, family);
        bool known = false, serving = false;
        char text[ADDR_TEXT_SIZE];
        uint32_t own;
        int r;

        if (gateway->family == AF_UNSPEC)
                return 0;
        for (size_t i = 0; i < pools->count; i++) {
                known |= pools->prefixes[i].addr.family == family;
                serving |= pools->prefixes[i].addr.family == family &&
                           role_in(want, &pools->prefixes[i]) == ROLE_SERVING;
        }
        r = own_hop(routes, gateway, serving, &own);
        if (r < 0)
                (void)error_set(error, addr_format(gateway, text), "cannot make a next-hop of the pod: %s",
                                strerror(-r));
        if (r < 0 || !own)
                return r;
        if (!known) /* out of everything at once */
                return node_table_remove(&routes->table, own);
        return set_pools(routes, family, own, want, error);
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
static int arrange(struct node_routes *routes, const struct want *want, int64_t now_ms, bool *untidy,
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
        r4 = set_family(routes, AF_INET, want, error);
        r6 = set_family(routes, AF_INET6, want, error);
        if (r4 == -EROFS || r6 == -EROFS)
                return -EROFS;
        return r4 < 0 || r6 == 0 ? r4 : r6;
}

/* Likewise, with the lock. Returns -EBUSY if somebody else has it. */
static int arrange_locked(struct node_routes *routes, const struct want *want, int64_t now_ms,
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
        int r = routes->held ? 0 : node_lease_hold(routes->netns, &routes->gateway4);

        if (r == 0 && !routes->held)
                r = node_lease_hold(routes->netns, &routes->gateway6);
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
        const struct want want = {.set = set, .silent = is_lost(routes, now_ms) || silent};
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
