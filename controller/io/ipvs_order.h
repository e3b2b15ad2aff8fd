/* The order of a virtual server's real servers in the kernel, which decides who takes a slot of mh's table
 * that two of them want: LB pods whose orders differ send some of the same flows to different real servers.
 *
 * The kernel puts a new real server at the head of its list and has no way to sort it. So the list grows from
 * the last address down to the first: that is the order in which keepalived adds them at its start. One that
 * comes later is put in its place by taking those that belong before it out and in again. Their connections
 * stay: the kernel keeps what was taken out for as long as it has connections, and takes it back with them
 * (ip_vs_trash_get_dest in net/netfilter/ipvs/ip_vs_ctl.c). A packet that comes within the microseconds
 * between is dropped, and sent again.
 */
#pragma once

#include "core/ipvs_table.h"

/* Takes out and in again the real servers virtual->reals[first] to [first + count - 1], with all that the
 * kernel knows of them; count may be too large. One that has weight 0 is given a weight before, as in
 * ipvs_order_teach. `counts` as of ipvs_netlink_open. Returns how many were moved, or a negative errno. */
int ipvs_order_move(const struct ipvs_virtual *virtual, size_t first, size_t count,
                    struct ipvs_counts *counts);

/* A real server keeps its slots of mh's table when its weight becomes 0, but one that is added with weight 0
 * never gets any: a pod that starts while one drains would have another table than those that ran before.
 * This gives each of weight 0 a weight for a moment. 0 or a negative errno. */
int ipvs_order_teach(const struct ipvs_virtual *virtual, struct ipvs_counts *counts);
