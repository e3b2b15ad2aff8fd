/* From the kernel's table to the announcer: core/routes with its timer. Tells the announcer what has changed,
 * and the log if the routes are others than before.
 */
#pragma once

#include "core/config.h"
#include "core/routes.h"
#include "io/announce_server.h"

#include <ev.h>

struct publisher;

struct publisher_listener {
        void *userdata;
        /* Look at the table, and then update again: a hold time is over. */
        void (*again)(void *userdata);
};

/* Of the moment. Of `routes` now_ms is filled in. */
struct publisher_input {
        struct routes_input routes;
        int64_t keepalived_since_ms; /* monotonic: when it was started */
        bool graceful_shutdown;
        bool gone; /* the node, too, is to send nothing here any more */
};

/* Both are borrowed. Returns 0 and *out; or -ENOMEM with *error set. */
int publisher_new(struct ev_loop *loop, const struct config *config, struct announce_server *announce_server,
                  const struct publisher_listener *listener, struct publisher **out, struct error *error);

/* Without memory what is announced stays, and `again` comes after a second. */
void publisher_update(struct publisher *publisher, const struct publisher_input *input);

const struct routes *publisher_routes(const struct publisher *publisher);
const struct announce_set *publisher_set(const struct publisher *publisher); /* what the announcer was told */

/* NULL is fine. */
void publisher_free(struct publisher *publisher);
