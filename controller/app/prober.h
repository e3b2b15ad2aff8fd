/* Asks the real servers of tunnels whether they take what comes through one, and tells plans which do not. */
#pragma once

#include "core/tunnel_probes.h"

#include <ev.h>

struct prober;

/* `changed` is called when a plan would be told something else than the last one. NULL if out of memory. */
struct prober *prober_new(struct ev_loop *loop, void (*changed)(void *userdata), void *userdata);

/* What is applied, and what of it is in the kernel; either may be NULL: nothing new. */
void prober_follow(struct prober *prober, const struct plan *plan, const struct ipvs_table *table);

/* Adds to the plan's problems. */
void prober_tell(const struct prober *prober, struct plan *plan);

/* NULL is fine. */
void prober_free(struct prober *prober);
