/* The kernel's IPVS table, and whether it is what was planned. */
#pragma once

#include "core/plan.h"

struct ipvs_real {
        struct addr addr;
        uint16_t port;
        enum forwarding forwarding;
        bool forwarding_known; /* false for "Route" and "Local", which we never make */
        uint32_t weight;
        uint32_t active, inactive; /* connections */
        uint32_t position;         /* in the kernel's list, from 0: the order in which mh takes turns */
};

struct ipvs_virtual {
        struct addr vip;
        uint16_t port;
        enum protocol protocol;
        char scheduler[16];
        bool persistent;
        struct ipvs_real *reals; /* points into ipvs_table.reals; sorted by address and port */
        size_t n_reals;
};

struct ipvs_table {
        struct ipvs_virtual *virtuals; /* sorted by vip, protocol and port */
        size_t n_virtuals;
        struct ipvs_real *reals;
        size_t n_reals;
};

/* For who reads a table from elsewhere: first virtual servers, then the real servers of each of them, from
 * the first virtual server to the last and in the kernel's order, then the sort. 0 or -ENOMEM. */
int ipvs_table_add_virtual(struct ipvs_table *table, const struct ipvs_virtual *virtual);
int ipvs_table_add_real(struct ipvs_table *table, size_t index, const struct ipvs_real *real);
void ipvs_table_sort(struct ipvs_table *table);

/* Parses the text of /proc/net/ip_vs (NUL-terminated), whose format is that of ip_vs_info_seq_show() in the
 * kernel's net/netfilter/ipvs/ip_vs_ctl.c. Services by firewall mark are passed over: they are not
 * ours. Returns 0 and *out (cleared by the caller); or -EINVAL/-ENOMEM with *error set. */
int ipvs_table_parse(const char *text, struct ipvs_table *out, struct error *error);

void ipvs_table_clear(struct ipvs_table *table);
static inline void ipvs_table_clear_p(struct ipvs_table *table)
{
        ipvs_table_clear(table);
}
#define _cleanup_ipvs_table_ _cleanup_(ipvs_table_clear_p)

/* By address and port; for qsort and bsearch. */
int ipvs_real_compare(const void *a, const void *b);

/* How many of the real servers, at the end of `reals`, stand wrong in the kernel's list: it should begin with
 * the last of them and end with the first. 0 unless the scheduler is mh, the only one for which it matters.
 */
size_t ipvs_virtual_misplaced(const struct ipvs_virtual *virtual);

const struct ipvs_virtual *ipvs_table_find(const struct ipvs_table *table, const struct virtual_server *key);

/* What the kernel holds for one VIP of the plan, all its virtual servers together. */
struct ipvs_vip_state {
        bool matches;      /* nothing else than planned; servers that failed their check may be absent, or,
                            * where the scheduler is mh, have no weight (inhibit_on_failure) */
        uint32_t up;       /* real servers with a weight */
        uint32_t draining; /* with weight 0 */
        uint32_t down;     /* planned, but taken out by their health check */
        uint32_t active;   /* connections */
};

/* Compares. Writes one state per plan->vips to `states`. Returns the number of virtual servers that differ,
 * those included that the plan does not know. `difference` (may be NULL) receives the first one in words. */
size_t ipvs_table_compare(const struct ipvs_table *table, const struct plan *plan,
                          struct ipvs_vip_state *states, struct error *difference);
