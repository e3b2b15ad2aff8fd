/* From the plan to the templates' input. templates/README.md documents the members for the people who write
 * templates; this is the code that keeps the promise.
 */
#pragma once

#include "core/plan.h"

#include <jansson.h>

/* The input of a service's template (`virtual_server`): a new object, or NULL if out of memory. */
json_t *view_virtual_server(const struct plan *plan, const struct virtual_server *vs);

/* Everything at once, as `coracle render --output view` shows it. New, or NULL if out of memory. */
json_t *view_plan(const struct plan *plan);

/* The input of exabgp.conf. `pod_addr` is the session's own end, `node_addr` the next-hop (node_addr6 may be
 * AF_UNSPEC: then no IPv6 is announced). `password` may be NULL. New, or NULL if out of memory. */
json_t *view_exabgp(const struct config *config, const struct addr *pod_addr, const struct addr *node_addr,
                    const struct addr *node_addr6, const char *password);

/* "nat" and "tunnel" as users know them. */
const char *forwarding_name(enum forwarding forwarding);
