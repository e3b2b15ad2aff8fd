/* Which Service has which address. Part of plan; has a file of its own because it is a question of its own.
 *
 * Order of rights: what status says; an asked-for address (coracle.lb/address, then spec.loadBalancerIP); the
 * next free address of a pool, services in order of namespace and name. An address outside the pools, or one
 * of another Service, is refused with a problem. Services share an address if both carry the same
 * coracle.lb/share.
 */
#pragma once

#include "core/plan.h"

struct claim {
        struct addr addr;
        size_t service; /* index into plan.services and sources */
        bool from_status;
};

/* After claims_resolve sorted by service, then address. */
struct claim_list {
        struct claim *claims;
        size_t count;
        size_t capacity;
};

/* 0 or -ENOMEM. Adds problems to the plan. */
int claims_resolve(struct plan *plan, const struct config *config, const struct service *const *sources,
                   enum plan_addresses addresses, struct claim_list *out);

void claim_list_clear(struct claim_list *list);
