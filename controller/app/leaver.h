/* Leaving, on SIGTERM: core/leave with a timer, the kernel's flows and the announcer's reports. Says in the
 * log how many flows there are at each step.
 */
#pragma once

#include "app/options.h"
#include "app/table.h"
#include "core/leave.h"
#include "io/announce_server.h"

#include <ev.h>

struct leaver;

struct leaver_listener {
        void *userdata;
        void (*moved_on)(void *userdata); /* leaver_phase is another one */
        void (*ended)(void *userdata);    /* a moment after LEAVE_OVER, in which nobody sends to this pod */
};

/* Reads the two times of the options. Returns 0 and *out, or -EINVAL/-ENOMEM with *error set. */
int leaver_new(struct ev_loop *loop, const struct options *options, const struct leaver_listener *listener,
               struct leaver **out, struct error *error);

/* Begins to leave; the second time it is over at once. Both are borrowed. */
void leaver_leave(struct leaver *leaver, struct table *table, const struct announce_server *announce_server);

/* The table has just been looked at: how many flows are left is known. */
void leaver_looked(struct leaver *leaver);

enum leave_phase leaver_phase(const struct leaver *leaver);

/* NULL is fine. */
void leaver_free(struct leaver *leaver);
