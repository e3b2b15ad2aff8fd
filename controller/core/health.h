/* Whether this pod is ready: what /readyz says. Never asked for liveness, which only tells that the loop
 * runs: a daemon that cannot reach the API serves its last good state and must not be restarted for it.
 */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct health {
        bool synced;
        bool keepalived_up;
        bool table_readable;
        bool settling; /* a difference is a change on its way */
        bool planned;  /* there are virtual servers to be found in the table */
        size_t differences;
        bool leaving;
};

/* Appends a line per condition, "[+]NAME ok" or "[-]NAME: why", as the API's own servers do, and a verdict.
 * Returns whether the pod is ready; or -ENOMEM. */
int health_ready(const struct health *health, struct strbuf *out);
