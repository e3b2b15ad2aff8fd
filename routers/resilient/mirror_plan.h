/* What has to be done so that the mirror equals the main table: a pure diff.
 *
 *   main table            10.1.1.1/32 via 10.0.0.106 via 10.0.0.107        (zebra's or whoever's)
 *   becomes, all of it with a protocol number of our own,
 *   next-hop objects      id H1 via 10.0.0.106, id H2 via 10.0.0.107
 *   a resilient group     id G group H1/H2 type resilient
 *   a route               10.1.1.1/32 nhid G                               in our table
 *   and per pool a rule   to 10.1.1.0/24 lookup our table
 *
 * A group is changed in place, so that the kernel keeps every bucket whose next-hop is still a member. What
 * cannot be mirrored gets a `throw` route, or a shorter prefix in our table would take its traffic.
 */
#pragma once

#include "resilient/park.h"

#define PLAN_FIRST_ID 0x43000000u /* zebra counts its own next-hop ids from 1 */
#define PLAN_GROUPS_MAX 2048      /* prefixes with a group; at 1024 buckets the kernel needs 64 MB for them */

struct mirror_config {
        struct prefix_list pools; /* sorted; without any, the plan removes the mirror */
        uint16_t buckets;
        uint32_t idle_timer_s, unbalanced_timer_s;
};

enum operation_kind {
        ADD_HOP,
        ADD_GROUP,
        CHANGE_GROUP,
        SET_ROUTE,
        SET_THROW,
        DELETE_ROUTE,
        DELETE_GROUP,
        DELETE_HOP,
        ADD_RULE,
        DELETE_RULE,
};

struct operation {
        enum operation_kind kind;
        uint32_t id;          /* of hops and groups; the group of a route */
        struct prefix prefix; /* of routes and rules; of the route that a group is for */
        struct next_hop hop;
        size_t first, count; /* of a group, in plan.members */
};

struct mirror_plan {
        struct operation *operations; /* in the order in which they must be done */
        struct member *members;
        size_t operation_count, member_count;
        size_t operation_capacity, member_capacity;
        bool crowded; /* more than PLAN_GROUPS_MAX prefixes: the rest is not mirrored */
};

/* Of a sorted fib. 0 and *out, to be cleared; or -ENOMEM. */
int mirror_plan_build(const struct mirror_config *config, const struct fib *fib, const struct park *park,
                      struct mirror_plan *out);

void mirror_plan_clear(struct mirror_plan *plan);
static inline void mirror_plan_clear_p(struct mirror_plan *plan)
{
        mirror_plan_clear(plan);
}
#define _cleanup_plan_ _cleanup_(mirror_plan_clear_p)
