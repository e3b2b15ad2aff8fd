/* This pod's share in the node's routes, of one family.
 *
 * A pod that announces something in a pool serves it, and has an equal share. One that leaves keeps the flows
 * it has, and gets as few new ones as possible while others serve. One that serves nothing in it leaves the
 * traffic to others; if there are none, what is in the route stays. One whose first health checks are not
 * over, and which therefore may not serve all that others do, does not come into a route while others serve.
 *
 * A VIP that a pod withholds while it serves others of its pool gets a route of its own, past that pod: a
 * narrow one. It stays when the pod serves the VIP again, for its flows must not move, until only one pod is
 * left on the node, or nobody knows of the VIP any more. There are NODE_SHARE_GROUPS_MAX at most on a node;
 * beyond, flows of a VIP go to pods that withhold it.
 */
#pragma once

#include "announcer/node_pods.h"

enum {
        NODE_SHARE_GROUPS_MAX = 64, /* pools included; each takes some 100 kB of the kernel's memory */
};

/* What is wanted of this pod. */
struct node_want {
        const struct announce_set *set;
        bool silent; /* only the pools count: it serves nothing */
};

/* Not in the routes yet: there are others in them that may be dead. */
#define NODE_SHARE_WAITING 1

/* `table` has just been read; it is to be read again after any change. `gateway` is the pod's address.
 * Returns 0 once all is as it should be, NODE_SHARE_WAITING, or a negative errno with *error set (-EROFS: the
 * table is read-only, and a change is needed). */
int node_share_set(struct node_table *table, const struct node_pods *pods, const struct addr *gateway,
                   const struct node_want *want, struct error *error);
