/* Problems as Events on their Services, so that `kubectl describe service` shows them. Each is created once;
 * if it comes again, or lasts, the same Event becomes a series (events.k8s.io/v1). The leader alone tells.
 */
#pragma once

#include "core/plan.h"
#include "io/http_client.h"

#include <ev.h>

struct events;

/* All borrowed; `instance` is this pod's name. NULL if out of memory. */
struct events *events_new(struct ev_loop *loop, struct http_client *client, const char *server,
                          const char *instance);

/* Tells what of the plan's problems has not been told. Cheap when nothing is new. Nothing is lost when the
 * API is away: what could not be told is tried again, and what is refused, after a while. */
void events_tell(struct events *events, const struct model *model, const struct plan *plan);

/* Tells nothing more, and forgets what it has told: another pod leads. */
void events_forget(struct events *events);

/* NULL is fine. */
void events_free(struct events *events);
