/* Asks the other LB pods of the fleet what they plan (core/fleet.h), every FLEET_PERIOD_S, by GET
 * /fingerprint where they serve their metrics. Who they are: the ready endpoints of a Service that selects
 * them. */
#pragma once

#include "app/applier.h"
#include "app/sources.h"

#include <ev.h>

#define FLEET_PERIOD_S 5.0

struct fleet;

/* All borrowed. `changed` is called when fleet_strays has. Without options->fleet and options->http_address
 * *out is NULL: nobody is asked. Returns 0 and *out, to be freed with fleet_free before the sources; or a
 * negative errno with *error set, -EINVAL if the option names no Service. */
int fleet_new(struct ev_loop *loop, const struct options *options, const struct sources *sources,
              const struct applier *applier, void (*changed)(void *userdata), void *userdata,
              struct fleet **out, struct error *error);

/* The fleet agrees on another plan than this pod's. False for NULL. */
bool fleet_strays(const struct fleet *fleet);

/* How many have answered in the last round. 0 for NULL. */
size_t fleet_peers(const struct fleet *fleet);

/* The answer to such a question. 0 or -ENOMEM. */
int fleet_answer(const struct plan *plan, struct strbuf *out);

/* NULL is fine. */
void fleet_free(struct fleet *fleet);
DEFINE_CLEANUP(struct fleet *, fleet_free)
