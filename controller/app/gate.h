/* Between planning and applying: core/fuse, where a plan waits that takes too much away at once, then
 * app/guard, where it waits until who may connect is in force. */
#pragma once

#include "app/applier.h"
#include "app/options.h"
#include "core/config.h"
#include "core/fuse.h"

#include <ev.h>

struct gate;

struct gate_listener {
        void *userdata;
        /* Plan anew: what held the last one back, or a part of it, may be over. */
        void (*again)(void *userdata);
};

/* All are borrowed but the listener. Returns 0 and *out; or a negative errno with *error set. */
int gate_new(struct ev_loop *loop, const struct options *options, const struct config *config,
             struct applier *applier, const struct gate_listener *listener, struct gate **out,
             struct error *error);

/* Takes the plan over, and hands it to the applier, at once or later, or drops it. */
void gate_want(struct gate *gate, struct plan *plan);

/* Another plan is applied: what was held back is to be compared with that one. */
void gate_applied(struct gate *gate);

const struct fuse *gate_fuse(const struct gate *gate);

/* NULL is fine. */
void gate_free(struct gate *gate);
