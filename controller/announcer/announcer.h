/* The program's heart: exabgp's pipe, coracle's socket, the node's routes and a timer around one speaker. */
#pragma once

#include "announcer/options.h"
#include "base/cleanup.h"

#include <ev.h>

struct announcer;

/* Enters the node's namespace for a moment if the options say so. stdin and stdout become non-blocking.
 * Options are borrowed. Returns 0 and *out, or a negative errno with *error set. */
int announcer_new(struct ev_loop *loop, const struct options *options, struct announcer **out,
                  struct error *error);

/* Runs the loop until exabgp has gone or SIGTERM or SIGINT came. In the latter case everything is withdrawn,
 * and the node's routes are removed. Returns 0, or a negative errno with *error set. */
int announcer_run(struct announcer *announcer, struct error *error);

/* NULL is fine. */
void announcer_free(struct announcer *announcer);
DEFINE_CLEANUP(struct announcer *, announcer_free)
