/* Keeps the mirror equal to the main table: reads everything, plans, does it. Never acts on an event as such.
 */
#pragma once

#include "resilient/netlink.h"

struct mirror {
        const struct mirror_config *config;
        struct netlink *netlink;
        struct park park;
        struct error last_error; /* so that a failure that lasts is logged once */
};

/* One round. *next_ms is when another one is wanted though nothing happens, or -1. 0 or a negative errno: not
 * all is as it should be, which is logged. */
int mirror_update(struct mirror *mirror, int64_t now_ms, int64_t *next_ms);

/* Takes the whole mirror away; traffic follows the main table from then on. 0 or a negative errno with
 * *error set. */
int mirror_remove(struct mirror *mirror, struct error *error);
