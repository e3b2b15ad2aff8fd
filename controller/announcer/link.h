/* The announcer's side of the announce socket: connects to coracle, again and again, takes its sets and sends
 * it reports. Never blocks. */
#pragma once

#include "core/announce_set.h"

#include <ev.h>

#define LINK_RETRY_MS 100 /* half a heartbeat at most is lost to a coracle that restarts */

struct link;

struct link_listener {
        void *userdata;
        /* A set has come. The callback takes its contents. */
        void (*set)(void *userdata, struct announce_set *set);
        /* The connection has ended, and nobody listens any more: coracle is dead. (One that lives is
         * connected to again at once, without a word.) The link is being made again. */
        void (*lost)(void *userdata);
};

/* `path` is borrowed. Returns 0 and *out, or -ENOMEM. The first attempt is made by the loop. */
int link_new(struct ev_loop *loop, const char *path, const struct link_listener *listener, struct link **out);

/* Sends the report if coracle does not have it yet, now or once connected. Returns 0 or -ENOMEM. */
int link_report(struct link *link, const struct announce_report *report);

/* NULL is fine. */
void link_free(struct link *link);
DEFINE_CLEANUP(struct link *, link_free)
