/* Between planning and applying stands core/fuse: a plan that takes too much away at once waits here. */
#pragma once

#include "app/applier.h"
#include "core/config.h"
#include "core/fuse.h"

#include <ev.h>

struct gate;

/* Plan anew: the time of the one that was held back is over. */
typedef void gate_fn(void *userdata);

/* All are borrowed. Returns NULL if out of memory. */
struct gate *gate_new(struct ev_loop *loop, const struct config *config, struct applier *applier,
                      gate_fn *again, void *userdata);

/* Takes the plan over, and hands it to the applier or drops it. */
void gate_want(struct gate *gate, struct plan *plan);

/* Another plan is applied: what was held back is to be compared with that one. */
void gate_applied(struct gate *gate);

const struct fuse *gate_fuse(const struct gate *gate);

/* NULL is fine. */
void gate_free(struct gate *gate);
