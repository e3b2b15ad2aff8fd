/* What a Service asks for by annotations and standard fields, with the operator's defaults. Part of plan. */
#pragma once

#include "core/plan.h"

/* Fills the options of *ps, whose name is set. What cannot be understood becomes a problem of the plan, and
 * the default. 0 or -ENOMEM. */
int service_options_resolve(struct plan *plan, const struct config *config, const struct service *service,
                            struct plan_service *ps);
