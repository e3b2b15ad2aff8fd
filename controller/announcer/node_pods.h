/* Which of the LB pods that have a next-hop on this node are alive: those whose lease is held (node_lease.h).
 * One is dead when nobody has held it for NODE_PODS_GRACE_MS, long enough for exabgp to start a killed
 * announcer again. */
#pragma once

#include "announcer/node_table.h"

enum {
        NODE_PODS_GRACE_MS = 500,
};

/* A pod whose lease nobody held when we looked. */
struct node_pod_missing {
        struct addr pod;
        int64_t since_ms;
};

struct node_pods {
        int netns;              /* borrowed */
        struct addr own4, own6; /* alive, whatever the leases say */
        struct node_pod_missing *missing;
        size_t n_missing;
};

bool node_pods_is_alive(const struct node_pods *pods, const struct addr *pod);

/* Removes the next-hops of dead pods from the kernel; `table` is then to be read anew. Returns how many, or a
 * negative errno. Time is monotonic. */
int node_pods_bury(struct node_pods *pods, struct node_table *table, int64_t now_ms);

void node_pods_clear(struct node_pods *pods);
