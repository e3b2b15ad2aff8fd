/* The kernel's IPVS table. */
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

/* By address and port, and by vip, protocol and port; for qsort and bsearch. */
int ipvs_real_compare(const void *a, const void *b);
int ipvs_virtual_compare(const void *a, const void *b);

/* The same order. */
int ipvs_virtual_compare_key(const struct ipvs_virtual *virtual, const struct virtual_server *key);

/* How many of the real servers, at the end of `reals`, stand wrong in the kernel's list: it should begin with
 * the last of them and end with the first. 0 unless the scheduler is mh, the only one for which it matters.
 */
size_t ipvs_virtual_misplaced(const struct ipvs_virtual *virtual);

const struct ipvs_virtual *ipvs_table_find(const struct ipvs_table *table, const struct virtual_server *key);

/* What coracle itself asks of the kernel, beside keepalived. */
enum ipvs_operation {
        IPVS_OPERATION_READ, /* the whole table */
        IPVS_OPERATION_ADD,  /* a real server; likewise below */
        IPVS_OPERATION_CHANGE,
        IPVS_OPERATION_REMOVE,
        IPVS_OPERATION_COUNT,
};

/* "read" and so on: label values for metrics. */
const char *ipvs_operation_name(enum ipvs_operation operation);

struct ipvs_counts {
        uint64_t done[IPVS_OPERATION_COUNT], failed[IPVS_OPERATION_COUNT];
};
