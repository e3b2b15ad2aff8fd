/* The kernel's IPVS over generic netlink: the table, one virtual server of it, and changes of its real
 * servers.
 *
 * Not /proc/net/ip_vs: before Linux 6.1x that loses services when other network namespaces have some too (two
 * LB pods on a node, or kube-proxy with IPVS). Each read of a page goes on where the one before has ended,
 * and ip_vs_info_seq_next counts the services of all namespaces for that, ip_vs_info_array only its own.
 */
#pragma once

#include "base/netlink_socket.h"
#include "core/ipvs_table.h"

#include <linux/ip_vs.h>

struct ipvs_netlink {
        struct netlink_socket socket;
        uint16_t family;            /* of generic netlink */
        struct ipvs_counts *counts; /* NULL: nobody counts */
};

/* In the calling thread's network namespace. `counts` (NULL is fine) is borrowed: what is done is counted
 * there. 0, -ENOENT if the kernel has no IPVS (yet), or another negative errno. */
int ipvs_netlink_open(struct ipvs_netlink *ipvs, struct ipvs_counts *counts);
/* Also of one that is all zero. */
void ipvs_netlink_close(struct ipvs_netlink *ipvs);

/* Reads all virtual servers, but those by firewall mark: they are not ours. Returns 0 and *out (cleared by
 * the caller), or a negative errno. */
int ipvs_netlink_read(struct ipvs_netlink *ipvs, struct ipvs_table *out);

/* The same, with a socket of its own. 0, or a negative errno with *error set. */
int ipvs_netlink_load(struct ipvs_counts *counts, struct ipvs_table *out, struct error *error);

#define IPVS_DEST_KEPT_SIZE 128

/* A real server with all that the kernel says of it, as it says it; the weight and the counters apart. */
struct ipvs_dest {
        struct ipvs_real real;
        char attributes[IPVS_DEST_KEPT_SIZE];
        size_t length;
};

struct ipvs_dests {
        struct ipvs_dest *dests; /* sorted by address and port */
        size_t count;
};

/* The real servers of one virtual server; of `key` only vip, port and protocol are looked at. Returns 0 and
 * *out, to be freed with ipvs_dests_clear (none if there is no such virtual server), or a negative errno. */
int ipvs_netlink_read_dests(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key,
                            struct ipvs_dests *out);
void ipvs_dests_clear(struct ipvs_dests *dests);

/* NULL if it is not there. */
const struct ipvs_dest *ipvs_dests_find(const struct ipvs_dests *dests, const struct addr *addr,
                                        uint16_t port);

/* One of IPVS_CMD_NEW_DEST, _SET_DEST and _DEL_DEST. 0 or a negative errno, such as -EEXIST and -ENOENT. */
int ipvs_netlink_change(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key, uint8_t command,
                        const struct ipvs_dest *dest, uint32_t weight);

/* Adds, or takes out, that real server. 0, also if it is done already, or a negative errno; -ESRCH: there is
 * no such virtual server. */
int ipvs_netlink_add(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key, const struct ipvs_real *real);
int ipvs_netlink_remove(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key,
                        const struct ipvs_real *real);
