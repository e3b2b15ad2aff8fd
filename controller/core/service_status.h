/* What the leader writes into a Service's status, as JSON. */
#pragma once

#include "core/plan.h"

#include <jansson.h>

/* The merge patch that makes the status say these addresses and no others, if the Service is still of the
 * version that this was decided on. NULL if out of memory. */
json_t *service_status_patch(const struct assignment *assignment);
