/* The way from the node into the LB pods on it: one multipath route per pool in the node's network namespace,
 * over all pods of the fleet that serve. node_table.h says what it is made of, node_share.h who gets what.
 *
 * Nobody coordinates the announcers of a node: each one puts its own pod into the route, takes it out, and
 * removes what a dead pod has left, of whichever fleet (node_pods.h); each holds its pod's lease from the
 * first node_routes_set on. Changing a group is reading, changing, replacing, and the kernel does not compare
 * before it replaces: hence the lock, under which everything is read anew. Who finds nothing to change does
 * not take it.
 *
 * A pod that the node does not reach any more (node_probe.h) leaves as if it were idle.
 *
 * The pod's address must be reachable from the node on a link of its own (a CNI's bridge or veth), as it is
 * on a pod's own node.
 */
#pragma once

#include "announcer/node_share.h"

struct node_routes;

/* Opens a netlink socket in the namespace at netns_path and comes back; needs CAP_SYS_ADMIN for that, and
 * CAP_NET_ADMIN over the namespace from then on. Gateways, this pod's addresses, may be of AF_UNSPEC: pools
 * of that family get no route. Returns 0 and *out; or a negative errno with *error set. */
int node_routes_new(const char *netns_path, const struct addr *gateway4, const struct addr *gateway6,
                    struct node_routes **out, struct error *error);

/* Makes this pod's part in the namespace as it should be: in the routes of the set's pools, and in no others
 * of ours. If coracle is silent, only the set's pools count. Costs three small dumps if all is as it should
 * be. Time is monotonic. Returns 0 once that is so; NODE_SHARE_WAITING, for NODE_PODS_GRACE_MS at most if
 * asked often enough; or a negative errno with *error set, -EBUSY if a change is needed and somebody else has
 * the lock. The rest is then done all the same. */
int node_routes_set(struct node_routes *routes, const struct announce_set *set, bool silent, int64_t now_ms,
                    struct error *error);

/* NULL is fine. The pod stays in the routes until somebody misses its lease: node_routes_set with an empty
 * set takes it out at once. */
void node_routes_free(struct node_routes *routes);
DEFINE_CLEANUP(struct node_routes *, node_routes_free)
