#include "announcer/node_share.h"

#include <errno.h>
#include <string.h>

/* Of 256, less one, as the kernel counts. */
enum {
        WEIGHT_SERVING = 254,
        WEIGHT_DRAINING = 0,
};

enum role {
        ROLE_IDLE,
        ROLE_SERVING,
        ROLE_DRAINING,
};

/* What the functions below work on. */
struct share {
        struct node_table *table;
        const struct node_pods *pods;
        const struct node_want *want;
        uint8_t family;
        uint32_t own; /* this pod's next-hop */
};

static enum role role_in(const struct node_want *want, const struct prefix *pool)
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
static bool has_other_alive(const struct share *share, const struct node_group *group, uint8_t weight)
{
        for (size_t i = 0; i < group->count; i++) {
                const struct node_hop *hop = node_table_find_hop(share->table, group->members[i].hop);

                if (hop && hop->id != share->own && group->members[i].weight >= weight &&
                    node_pods_is_alive(share->pods, &hop->gateway))
                        return true;
        }
        return false;
}

/* A pod that comes waits until it is known whether they are dead: their share of its traffic would be lost.
 */
static bool has_missing(const struct share *share, const struct node_group *group)
{
        for (size_t i = 0; i < group->count; i++) {
                const struct node_hop *hop = node_table_find_hop(share->table, group->members[i].hop);

                if (hop && !node_pods_is_alive(share->pods, &hop->gateway))
                        return true;
        }
        return false;
}

static struct node_group *group_of(const struct share *share, const struct prefix *prefix)
{
        const struct node_route *route = node_table_find_route(share->table, prefix);

        return route ? node_table_find_group(share->table, route->group) : NULL;
}

/* The last one takes the group with it, and with that the route. */
static int leave_group(const struct share *share, struct node_group *group, struct node_member *member)
{
        if (group->count == 1)
                return node_table_remove(share->table, group->id);
        *member = group->members[--group->count];
        return node_table_put_group(share->table, group);
}

static int begin_route(const struct share *share, const struct prefix *pool)
{
        struct node_group group = {.count = 1, .members = {{share->own, WEIGHT_SERVING}}};
        int r = node_table_put_group(share->table, &group);

        return r < 0 ? r : node_table_add_route(share->table, pool, group.id);
}

/* A pod that does not serve yet, or not any more and has left, does not come in to drain. */
static int set_pool(const struct share *share, const struct prefix *pool)
{
        const enum role role = role_in(share->want, pool);
        const uint8_t weight = role == ROLE_SERVING ? WEIGHT_SERVING : WEIGHT_DRAINING;
        struct node_group *group = group_of(share, pool);
        struct node_member *member = group ? find_member(group, share->own) : NULL;

        if (!member && role != ROLE_SERVING)
                return 0;
        if (!group)
                return begin_route(share, pool);
        if (!member && share->want->set->starting && has_other_alive(share, group, WEIGHT_SERVING))
                return 0;
        /* Alone it stays, but with so little weight that whoever comes to serve has nearly all at once. */
        if (role == ROLE_IDLE && has_other_alive(share, group, WEIGHT_DRAINING))
                return leave_group(share, group, member);
        if (member && member->weight == weight)
                return 0;
        if (role == ROLE_SERVING && has_missing(share, group))
                return NODE_SHARE_WAITING;
        if (!member) {
                if (group->count == NODE_GROUP_MEMBERS_MAX)
                        return -ENOSPC;
                member = &group->members[group->count++];
        }
        *member = (struct node_member){share->own, weight};
        return node_table_put_group(share->table, group);
}

/* A narrow route that is there. */
static int set_narrow(const struct share *share, const struct prefix *prefix, struct node_group *group)
{
        const struct announce_set *set = share->want->set;
        const struct node_group *around = group_of(share, prefix_list_around(&set->pools, prefix));
        struct node_member *member = find_member(group, share->own);
        int r;

        if (around && around->count == 1 && group->count == 1 &&
            around->members[0].hop == group->members[0].hop)
                return node_table_remove(share->table, group->id);
        if (member && !share->want->silent && !set->graceful_shutdown &&
            !prefix_list_contains(&set->routes, prefix) && !prefix_list_contains(&set->withheld, prefix))
                return leave_group(share, group, member);
        r = set_pool(share, prefix);
        return r < 0 ? r : 0; /* the dead do not keep a pod from announcing that serves all else */
}

/* One for what this pod withholds, over all others of the pool. Returns whether it was made, or a negative
 * errno. */
static int make_narrow(const struct share *share, const struct prefix *prefix)
{
        const struct prefix *pool = prefix_list_around(&share->want->set->pools, prefix);
        struct node_group *around = pool ? group_of(share, pool) : NULL, group;
        const struct node_member *member = around ? find_member(around, share->own) : NULL;
        int r;

        if (!member || member->weight != WEIGHT_SERVING || node_table_find_route(share->table, prefix) ||
            !has_other_alive(share, around, WEIGHT_DRAINING))
                return 0;
        group = *around;
        group.id = 0;
        group.count--;
        group.members[member - around->members] = group.members[group.count];
        r = node_table_put_group(share->table, &group);
        if (r == 0)
                r = node_table_add_route(share->table, prefix, group.id);
        return r < 0 ? r : 1;
}

static int make_narrows(const struct share *share)
{
        const struct prefix_list *withheld = &share->want->set->withheld;
        size_t groups = share->table->n_groups;
        int r;

        for (size_t i = 0; i < withheld->count && groups < NODE_SHARE_GROUPS_MAX; i++) {
                if (withheld->prefixes[i].addr.family != share->family)
                        continue;
                r = make_narrow(share, &withheld->prefixes[i]);
                if (r < 0)
                        return r;
                groups += (size_t)r;
        }
        return 0;
}

/* In the narrow routes as wanted, and out of those that this pod should not be in. */
static int set_others(const struct share *share)
{
        const struct node_table *table = share->table;
        const struct announce_set *set = share->want->set;
        int r = 0;

        for (size_t i = 0; i < table->n_routes && r == 0; i++) {
                const struct prefix *prefix = &table->routes[i].pool;
                struct node_group *group = node_table_find_group(table, table->routes[i].group);
                struct node_member *member = group ? find_member(group, share->own) : NULL;

                if (!group || prefix->addr.family != share->family ||
                    prefix_list_contains(&set->pools, prefix))
                        continue;
                if (prefix_list_around(&set->pools, prefix))
                        r = set_narrow(share, prefix, group);
                else if (member)
                        r = leave_group(share, group, member);
        }
        return r == 0 && !share->want->silent ? make_narrows(share) : r;
}

static int set_pools(const struct share *share, struct error *error)
{
        const struct prefix_list *pools = &share->want->set->pools;
        char text[PREFIX_TEXT_SIZE];
        bool waiting = false;
        int r;

        for (size_t i = 0; i < pools->count; i++) {
                if (pools->prefixes[i].addr.family != share->family)
                        continue;
                r = set_pool(share, &pools->prefixes[i]);
                if (r < 0) {
                        (void)error_set(error, prefix_format(&pools->prefixes[i], text),
                                        "cannot change the node's route: %s", strerror(-r));
                        return r;
                }
                waiting |= r == NODE_SHARE_WAITING;
        }
        r = set_others(share);
        if (r < 0)
                (void)error_set(error, "node routes", "cannot change those of other prefixes: %s",
                                strerror(-r));
        return r == 0 && waiting ? NODE_SHARE_WAITING : r;
}

/* This pod's next-hop: *own is 0 if there is none and none is needed. */
static int own_hop(struct node_table *table, const struct addr *gateway, bool needed, uint32_t *own)
{
        const struct node_hop *hop = node_table_find_gateway(table, gateway);

        *own = hop ? hop->id : 0;
        return hop || !needed ? 0 : node_table_add_hop(table, gateway, own);
}

int node_share_set(struct node_table *table, const struct node_pods *pods, const struct addr *gateway,
                   const struct node_want *want, struct error *error)
{
        const struct prefix_list *pools = &want->set->pools;
        struct share share = {.table = table, .pods = pods, .want = want, .family = gateway->family};
        bool known = false, serving = false;
        char text[ADDR_TEXT_SIZE];
        int r;

        if (gateway->family == AF_UNSPEC)
                return 0;
        for (size_t i = 0; i < pools->count; i++) {
                if (pools->prefixes[i].addr.family != share.family)
                        continue;
                known = true;
                serving |= role_in(want, &pools->prefixes[i]) == ROLE_SERVING;
        }
        r = own_hop(table, gateway, serving, &share.own);
        if (r < 0)
                (void)error_set(error, addr_format(gateway, text), "cannot make a next-hop of the pod: %s",
                                strerror(-r));
        if (r < 0 || !share.own)
                return r;
        if (!known) /* out of everything at once */
                return node_table_remove(table, share.own);
        return set_pools(&share, error);
}
