/* The table of IPVS's Maglev scheduler, computed as the kernel does: which real server a client's packets
 * get.
 *
 * What it computes is that of net/netfilter/ipvs/ip_vs_mh.c (kernel 4.18 and later, little-endian, 64 bit,
 * CONFIG_IP_VS_MH_TAB_INDEX=12 as it is by default and in Debian); the algorithm is section 3.4 of
 * https://www.usenix.org/system/files/conference/nsdi16/nsdi16-paper-eisenbud.pdf. The lab compares it with
 * the kernel.
 */
#pragma once

#include "core/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MH_SLOTS 4093
#define MH_NONE UINT16_MAX

/* In the order of the kernel's list, which is that of /proc/net/ip_vs: it decides who takes the first turn.
 */
struct mh_server {
        struct addr addr;
        uint16_t port;
        uint32_t share;   /* the last weight above 0: how many slots, in proportion; 0: none */
        bool unavailable; /* its weight is 0 now: it keeps its slots, but new connections go elsewhere */
};

struct mh_table {
        uint16_t slots[MH_SLOTS]; /* index of the server; MH_NONE in all of them if no server has a share */
};

/* Up to MH_SLOTS servers, as in the kernel. Returns 0, -EINVAL if they are more, or -ENOMEM. */
int mh_table_build(const struct mh_server *servers, size_t count, struct mh_table *out);

/* The index of the server that a new connection from there gets, by the rules of mh-fallback; MH_NONE: it is
 * refused. `port` is the client's; 0 when mh-port is not set. */
uint16_t mh_table_choose(const struct mh_table *table, const struct mh_server *servers,
                         const struct addr *client, uint16_t port);
