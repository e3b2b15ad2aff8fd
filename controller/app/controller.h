/* The daemon: inputs mark the state dirty, one debounced reconcile acts on the whole state.
 *
 *   source → model ┐                      ┌ keepalived -t → replace + SIGHUP
 *   timer, FIFO    ┴→ reconcile → plan ───┤
 *   keepalived up/down → verify (kernel table against the plan) → routes → announcer
 */
#pragma once

#include "app/options.h"
#include "base/error.h"
#include "core/config.h"

#include <ev.h>

struct controller;

/* Sets up everything that can fail for a reason the operator can mend. `options` and `config` are borrowed
 * and must outlive it. Returns 0 and *out, to be freed with controller_free; or a negative errno with *error
 * set. */
int controller_new(struct ev_loop *loop, const struct options *options, const struct config *config,
                   struct controller **out, struct error *error);

/* Runs until SIGTERM or SIGINT has been carried out. */
void controller_run(struct controller *controller);

/* NULL is fine. */
void controller_free(struct controller *controller);
