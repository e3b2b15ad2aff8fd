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

/* A host's addresses, one of each family at most; AF_UNSPEC where there is none. */
struct addr_pair {
        struct addr v4, v6;
};

/* The input of exabgp.conf: `pod` for the sessions' own ends and the node's routes, `node` for the next-hops.
 * Every reflector's family must be among the pod's. `password` may be NULL. New, or NULL if out of memory. */
json_t *view_exabgp(const struct config *config, const struct addr_pair *pod, const struct addr_pair *node,
                    const char *password);

/* "nat" and "tunnel" as users know them. */
const char *forwarding_name(enum forwarding forwarding);
