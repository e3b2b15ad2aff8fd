/* What is wrong with Services, told once. */
#pragma once

#include "core/plan.h"

/* Logs the problems that `after` has and `before` (may be NULL) has not, and how many of the old ones are
 * gone. */
void problems_log_new(const struct plan *before, const struct plan *after);
