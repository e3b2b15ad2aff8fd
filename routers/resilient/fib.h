/* What the kernel holds, as values: the routes to be mirrored, and the mirror itself.
 *
 * Everything is sorted (fib_sort), so that the plan is a merge walk and the same input gives the same plan.
 */
#pragma once

#include "base/array.h"
#include "base/cleanup.h"
#include "core/announce_set.h"

#include <stddef.h>
#include <stdint.h>

#define FIB_HOPS_MAX 256     /* next-hops of a route that is mirrored; more: plain forwarding */
#define FIB_ROUTES_MAX 65536 /* routes inside the pools; more: nothing is mirrored */

struct next_hop {
        struct addr gateway; /* may be IPv6 for an IPv4 route (RFC 8950) */
        uint32_t interface;
        bool onlink;
};

struct path {
        struct next_hop hop;
        uint16_t weight; /* 1..256 */
};

/* A route of the main table, inside a pool. */
struct main_route {
        struct prefix prefix;
        uint32_t metric;
        bool plain; /* cannot be mirrored: not a unicast route over gateways, or too many of them */
        size_t first, count;
};

/* Next-hop objects, groups and routes that carry our protocol. */
struct our_hop {
        uint32_t id;
        struct next_hop hop;
};

struct member {
        uint32_t hop_id;
        uint16_t weight;
};

struct our_group {
        uint32_t id;
        uint16_t buckets;
        uint32_t idle_timer_s, unbalanced_timer_s;
        size_t first, count; /* in fib.members, sorted by hop_id */
};

struct our_route {
        struct prefix prefix;
        uint32_t group_id; /* 0: a throw route, which leaves the prefix to the main table */
};

struct fib {
        struct main_route *routes;
        struct path *paths;
        struct our_hop *hops;
        struct our_group *groups;
        struct member *members;
        struct our_route *ours;
        uint32_t *foreign_ids; /* next-hop ids that others use */
        struct prefix_list rules;
        size_t route_count, path_count, hop_count, group_count, member_count, our_count, foreign_count;
        size_t route_capacity, path_capacity, hop_capacity, group_capacity, member_capacity, our_capacity,
            foreign_capacity;
};

int next_hop_compare(const struct next_hop *a, const struct next_hop *b);

/* Appends one item: FIB_ADD(fib, route, &item) to fib->routes. 0 or -ENOMEM. */
#define FIB_ADD(fib, noun, array, item)                                                                   \
        ({                                                                                                \
                int fib_add_ = array_reserve(&(fib)->array, &(fib)->noun##_capacity, (fib)->noun##_count, \
                                             sizeof(*(fib)->array));                                      \
                if (fib_add_ == 0)                                                                        \
                        (fib)->array[(fib)->noun##_count++] = *(item);                                    \
                fib_add_;                                                                                 \
        })

/* To be called once everything is read. Sorts; of several routes to a prefix the one with the lowest metric
 * stays; equal paths of a route become one with the sum of their weights. */
void fib_sort(struct fib *fib);

/* Takes the paths over a next-hop that the kernel refused out of all routes (sorted fib). */
void fib_drop_hop(struct fib *fib, const struct next_hop *hop);

/* NULL if there is none. */
const struct our_group *fib_find_group(const struct fib *fib, uint32_t id);
const struct main_route *fib_find_route(const struct fib *fib, const struct prefix *prefix);

void fib_clear(struct fib *fib);
static inline void fib_clear_p(struct fib *fib)
{
        fib_clear(fib);
}
#define _cleanup_fib_ _cleanup_(fib_clear_p)
