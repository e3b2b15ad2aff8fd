/* A part of plan_build: which endpoints of a Service become the real servers of one of its virtual servers.
 */
#pragma once

#include "core/config.h"
#include "core/plan.h"

struct plan_servers_input {
        const struct config *config;
        const struct drains *drains;                /* NULL: no drain time is ever over */
        const struct endpoint_slice *const *slices; /* the Service's, all of them */
        size_t n_slices;
};

/* Fills vs->real_servers, which is empty before, for `port` of the Service. May add a problem, and lower
 * plan->drained_ms. 0 or -ENOMEM. */
int plan_servers_collect(struct plan *plan, const struct plan_servers_input *input,
                         const struct service_port *port, struct virtual_server *vs);
