/* Whether packets of the node reach this pod: a datagram from the node's network namespace to the pod's own,
 * each time one looks. A pod whose link is lost while its processes live learns it here, long before BGP
 * does.
 *
 * Where a packet filter drops it from the beginning nothing is learnt, and the pod counts as reachable.
 */
#pragma once

#include "core/addr.h"

enum {
        NODE_PROBE_LOST_MS = 1000,
};

struct node_probe {
        int sender, receiver;            /* -1: none */
        struct sockaddr_storage address; /* the receiver's */
        socklen_t address_length;
        uint64_t cookie;
        bool heard;
        int64_t heard_ms;
};

/* One that probes nothing. */
#define NODE_PROBE_NONE                      \
        {                                    \
                .sender = -1, .receiver = -1 \
        }

/* The pod's end, on a port of the kernel's choice; in the pod's namespace. AF_UNSPEC is fine: nothing is
 * probed. Returns 0 or a negative errno; to be closed in both cases. */
int node_probe_open(struct node_probe *probe, const struct addr *pod);

/* The node's end, in the node's namespace. Likewise. */
int node_probe_open_sender(struct node_probe *probe);

/* Takes in what has come, sends another one. False: nothing has come for NODE_PROBE_LOST_MS, and once did. */
bool node_probe_reaches(struct node_probe *probe, int64_t now_ms);

void node_probe_close(struct node_probe *probe);
