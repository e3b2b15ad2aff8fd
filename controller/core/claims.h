/* Which Service has which address. Part of plan; has a file of its own because it is a question of its own.
 *
 * Order of rights, for each family that a Service wants: an asked-for address (coracle.lb/address, then
 * spec.loadBalancerIP); what its status says; the next free address of a pool, services in order of namespace
 * and name. Between services, what a status says goes before what is only asked for. An address outside the
 * pools, or one of another Service, is refused with a problem, and whoever asked for it keeps what he had.
 * What a status says is served, and nobody else's, until it is no longer said: the write that takes it out
 * may fail. Services share an address if both carry the same coracle.lb/share.
 */
#pragma once

#include "core/plan.h"

struct claim {
        struct addr addr;
        size_t service; /* index into plan.services and sources */
        bool from_status;
        bool second_choice; /* in status, but another one of its family is asked for */
        bool given_up;      /* in status, which shall no longer say it */
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

/* Notes in plan->assignments what the statuses of services have to become to say what was resolved. 0 or
 * -ENOMEM. */
int claims_assign(struct plan *plan, const struct service *const *sources, const struct claim_list *claims);

/* Drops what no status says yet: nobody has been promised it. */
void claims_keep_written(struct claim_list *list);

void claim_list_clear(struct claim_list *list);
