/* Events of events.k8s.io/v1, as JSON
 * (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/). */
#pragma once

#include "core/model.h"
#include "core/plan.h"

#include <jansson.h>

#define EVENT_NAME_SIZE 254

/* The name of a problem's Event: the same for the same problem of the same Service, so that no pod tells it
 * twice; a Service that is made anew is another one. "SERVICE.HASH" */
void event_name(const struct problem *problem, const struct service *service,
                char out[static EVENT_NAME_SIZE]);

/* A new Event. `now` is RFC 3339 with six digits, which the API insists on. NULL if out of memory. */
json_t *event_create(const struct problem *problem, const struct service *service, const char *instance,
                     const char *now);

/* The merge patch that makes it a series, seen `count` times. NULL if out of memory. */
json_t *event_series(unsigned int count, const char *now);
