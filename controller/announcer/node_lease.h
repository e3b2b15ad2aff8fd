/* Which LB pods on a node are alive, and one at a time: locks on the file of the node's network namespace.
 *
 * That file is the one thing that all LB pods of a node have in common, whatever container they run in; the
 * kernel drops a lock when its holder ends, however that happens. So there is nothing to clean up, no
 * timer, and no name that somebody else could take.
 */
#pragma once

#include "core/addr.h"

/* Says that the pod with this address is alive, until the process ends. AF_UNSPEC is fine: says nothing.
 * Returns 0 or a negative errno. */
int node_lease_hold(int netns, const struct addr *pod);

/* Whether another process says so. (Offsets of IPv6 addresses are folded: two may share one, which would make
 * a dead pod look alive as long as the other one lives.) */
bool node_lease_held(int netns, const struct addr *pod);

/* Whoever changes the node's routes holds the lock for it; at most for some milliseconds. Waits 200 ms at
 * most. Returns 0, or a negative errno. */
int node_lease_lock(int netns);
void node_lease_unlock(int netns);
