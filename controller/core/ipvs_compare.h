/* The kernel's IPVS table beside the plan, and beside itself of a moment ago. */
#pragma once

#include "core/ipvs_table.h"

/* What the kernel holds for one VIP of the plan, all its virtual servers together, or for one of them. */
struct ipvs_vip_state {
        bool matches;      /* nothing else than planned; servers that failed their check may be absent, or,
                            * where the scheduler is mh, have no weight (inhibit_on_failure) */
        uint32_t up;       /* real servers with a weight */
        uint32_t draining; /* with weight 0 */
        uint32_t down;     /* planned, but taken out by their health check */
        uint32_t active;   /* connections */
};

/* Compares one. NULL is one that the kernel does not have. */
struct ipvs_vip_state ipvs_virtual_state(const struct ipvs_virtual *virtual, const struct virtual_server *vs);

/* Compares. Writes one state per plan->vips to `states`. Returns the number of virtual servers that differ,
 * those included that the plan does not know. `difference` (may be NULL) receives the first one in words. */
size_t ipvs_table_compare(const struct ipvs_table *table, const struct plan *plan,
                          struct ipvs_vip_state *states, struct error *difference);

/* Whether `now` lacks a virtual server that `before` had and that is planned. The kernel passes one over if
 * another is deleted while it lists them in several parts: it goes on by their number
 * (ip_vs_genl_dump_services in net/netfilter/ipvs/ip_vs_ctl.c). So who finds one missing looks again. */
bool ipvs_table_lacks(const struct ipvs_table *now, const struct ipvs_table *before, const struct plan *plan);

/* Whether `now` has a real server of weight 0 that `before` had not, and whose scheduler is mh. */
bool ipvs_table_has_new_idle(const struct ipvs_table *now, const struct ipvs_table *before);
