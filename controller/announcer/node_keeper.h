/* The announcer's part on the node: keeps the node's routes as coracle wants them, as far as root allows it
 * (pools_file.h), and says whether they lead to the pod what is to be announced. */
#pragma once

#include "announcer/node_routes.h"
#include "announcer/options.h"

struct node_keeper;

/* Needs CAP_SYS_ADMIN, and gives it up. *out is NULL, which is fine in all of the following, where the node's
 * routes are not ours to keep. Returns 0, or a negative errno with *error set. */
int node_keeper_new(const struct options *options, struct node_keeper **out, struct error *error);

/* Takes out of a set the pools that the node may have no routes to, and the routes inside of them. */
void node_keeper_clip(struct node_keeper *keeper, struct announce_set *set, int64_t now_ms);

/* Makes the node's routes as the (clipped) set wants them; nothing of it counts if coracle is silent. Time is
 * monotonic. Returns whether traffic that is announced for reaches the pod. */
bool node_keeper_keep(struct node_keeper *keeper, const struct announce_set *set, bool silent,
                      int64_t now_ms);

/* Out of the node's routes. */
void node_keeper_leave(struct node_keeper *keeper, int64_t now_ms);

void node_keeper_free(struct node_keeper *keeper);
DEFINE_CLEANUP(struct node_keeper *, node_keeper_free)
