/* What `coracle status` shows, as JSON; the daemon fills it, the command prints it. */
#pragma once

#include "core/ipvs_compare.h"
#include "core/leave.h"
#include "core/routes.h"

#include <jansson.h>

struct describe_input {
        const struct plan *plan;             /* NULL: nothing yet */
        const struct ipvs_table *table;      /* NULL: cannot be read */
        const struct ipvs_vip_state *states; /* per plan->vips; NULL likewise */
        const struct routes *routes;
        const struct announce_report *report; /* NULL: no announcer */
        bool synced, keepalived_up, settling;
        enum leave_phase leaving;
        size_t differences;
        unsigned long apply_failures;
};

/* A new object, or NULL if out of memory. */
json_t *describe(const struct describe_input *input);

/* Prints that object as tables for people. */
void describe_print(const json_t *status);
