/* The way from the node into this pod: `POOL via POD_ADDRESS` in the node's network namespace, for every
 * pool.
 *
 * The routes carry a protocol number of their own, and only those with this pod's address as gateway are
 * touched: several LB pods on one node keep theirs side by side. IPv4 uses the one that was added last, IPv6
 * spreads over all of them.
 *
 * The pod's address must be reachable from the node on a link of its own (a CNI's bridge or veth), as it is
 * on a pod's own node; the kernel finds the interface.
 */
#pragma once

#include "base/error.h"
#include "core/announce_set.h"

/* "C"; `ip route show proto 67`. In nobody's rt_protos so far. */
#define NODE_ROUTES_PROTOCOL 67

struct node_routes;

/* Opens a netlink socket in the namespace at netns_path and comes back; needs CAP_SYS_ADMIN for that, and
 * CAP_NET_ADMIN over the namespace from then on. Gateways may be of AF_UNSPEC: pools of that family get no
 * route. Returns 0 and *out; or a negative errno with *error set. */
int node_routes_new(const char *netns_path, const struct addr *gateway4, const struct addr *gateway6,
                    struct node_routes **out, struct error *error);

/* Makes the namespace hold our routes for these (sorted) pools and no others of ours; costs one small dump if
 * it does already. Returns 0 once that is so, or a negative errno with *error set; the rest is then done all
 * the same. */
int node_routes_set(struct node_routes *routes, const struct prefix_list *pools, struct error *error);

/* NULL is fine. The routes stay: node_routes_set without pools removes them. */
void node_routes_free(struct node_routes *routes);
DEFINE_CLEANUP(struct node_routes *, node_routes_free)
