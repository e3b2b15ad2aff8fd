/* Holds a plan back until who may connect to its VIPs is in force: a service is never open wider than it asks
 * for. VIPs whose rules cannot be put in force are taken out of the plan; the others go on.
 */
#pragma once

#include "io/source_filter.h"

struct guard;

struct guard_listener {
        void *userdata;
        /* The plan may be served now. It is the listener's. */
        void (*guarded)(void *userdata, struct plan *plan);
        /* What could be put in force is something else than when the last plan was passed on: plan again. */
        void (*changed)(void *userdata);
};

/* `program` and `run_dir` as of source_filter_new. Returns 0 and *out; or a negative errno with *error. */
int guard_new(struct ev_loop *loop, const char *program, const char *run_dir,
              const struct guard_listener *listener, struct guard **out, struct error *error);

/* Takes the plan over, and passes it on at once if nothing has to be done first; of several that wait only
 * the newest is passed on. 0 or -ENOMEM: the plan is dropped, and nothing has changed. */
int guard_want(struct guard *guard, struct plan *plan, const struct served_plans *served);

/* The plan that waits; NULL if none does. Borrowed until the next call. */
const struct plan *guard_plan(const struct guard *guard);

/* Whether something is kept closed that may be forgotten once the last plan runs: plan again then. */
bool guard_is_closing(const struct guard *guard);

/* NULL is fine. */
void guard_free(struct guard *guard);
