/* When to plan, and from what: inputs mark, a short timer coalesces them, and a drain time that is over is an
 * input too. */
#pragma once

#include "core/metrics.h"
#include "core/plan.h"

#include <ev.h>

struct planner;

/* `due` is called when it is time to call planner_build. NULL if out of memory. */
struct planner *planner_new(struct ev_loop *loop, const struct config *config, void (*due)(void *userdata),
                            void *userdata);

/* Something has changed: soon `due`. */
void planner_mark(struct planner *planner);

/* As of plan_build. */
int planner_build(struct planner *planner, const struct model *model, enum plan_addresses addresses,
                  struct plan **out);

/* How long the calls of `due` took that built a plan. */
const struct metrics_histogram *planner_durations(const struct planner *planner);

/* NULL is fine. */
void planner_free(struct planner *planner);
