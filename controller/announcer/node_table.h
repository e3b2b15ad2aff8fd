/* What the kernel holds of node routes in a network namespace, read and changed by netlink: for each LB pod a
 * next-hop object, for each pool a group of those, and a route of the main table that leads to the group. All
 * carry NODE_ROUTES_PROTOCOL, and nothing else is seen or touched.
 *
 * The kernel takes a next-hop that goes, by itself or with its device, out of all groups, and removes a group
 * without members together with its routes. Groups are resilient: a hash bucket moves to another pod only
 * once no packet has met it for NODE_GROUP_IDLE_S, or when its pod goes. So a pod that comes gets its share
 * of idle buckets, one of little weight gives its own away as they fall idle, and no flow leaves a pod that
 * stays. (Before kernel 5.13 groups are plain, and every change moves flows; before 5.3 there are none.)
 */
#pragma once

#include "base/error.h"
#include "base/netlink_socket.h"
#include "core/announce_set.h"

#include <stdint.h>

/* "C"; `ip route show proto 67`, `ip nexthop show proto 67`. In nobody's rt_protos so far. */
#define NODE_ROUTES_PROTOCOL 67
/* Where the objects' ids begin: routing daemons count from 1. */
#define NODE_TABLE_FIRST_ID 0x43000001u

enum {
        NODE_GROUP_MEMBERS_MAX = 64, /* LB pods of one fleet on one node */
        NODE_GROUP_BUCKETS = 4096,
        NODE_GROUP_IDLE_S = 30,
};

struct node_hop {
        uint32_t id;
        struct addr gateway; /* the pod */
};

struct node_member {
        uint32_t hop;
        uint8_t weight; /* as the kernel has it: one less */
};

struct node_group {
        uint32_t id; /* 0: to be made */
        size_t count;
        struct node_member members[NODE_GROUP_MEMBERS_MAX];
};

struct node_route {
        struct prefix pool;
        uint32_t group;
};

struct node_table {
        struct netlink_socket netlink;
        bool read_only; /* changes are refused: -EROFS */
        bool plain;     /* the kernel knows no resilient groups */
        struct node_hop *hops;
        struct node_group *groups;
        struct node_route *routes;
        size_t n_hops, n_groups, n_routes;
};

/* Opens a netlink socket in the calling thread's network namespace. Returns 0 or a negative errno. */
int node_table_open(struct node_table *table);
void node_table_close(struct node_table *table); /* also of one that is all zero */

/* Reads all. Returns 0 or a negative errno; the table is empty then. */
int node_table_read(struct node_table *table);

/* NULL if there is none. */
struct node_hop *node_table_find_hop(const struct node_table *table, uint32_t id);
struct node_hop *node_table_find_gateway(const struct node_table *table, const struct addr *gateway);
struct node_group *node_table_find_group(const struct node_table *table, uint32_t id);
struct node_route *node_table_find_route(const struct node_table *table, const struct prefix *pool);

/* The changes. They reach the kernel; `table` shows them only after the next read. All return 0 or a negative
 * errno. */
int node_table_add_hop(struct node_table *table, const struct addr *gateway, uint32_t *id);
int node_table_put_group(struct node_table *table, struct node_group *group); /* gives it an id */
int node_table_add_route(struct node_table *table, const struct prefix *pool, uint32_t group);
int node_table_remove(struct node_table *table, uint32_t id); /* a hop, or a group with its routes */
