/* Remembers the group of a route that has gone, so that its flows find their LB pods again when it returns.
 *
 * A daemon of the router that restarts takes its routes along (zebra removes those of a gobgpd that has
 * gone) and brings them back a second later, one path after the other. The mirrored route goes and comes with
 * them; its group stays, and for PARK_SETTLE_MS after the return the paths that are still missing do not
 * count as lost.
 */
#pragma once

#include "resilient/fib.h"

#define PARK_KEEP_MS (10 * 60 * 1000)
#define PARK_SETTLE_MS 1000

struct parked {
        struct prefix prefix;
        uint32_t group_id;
        bool back;        /* the route has returned and may not be complete */
        int64_t until_ms; /* forget, or if it is back, follow the route again */
};

/* Sorted by prefix. Zero-initialised is empty. */
struct park {
        struct parked *items;
        size_t count, capacity;
};

/* Notes which mirrored routes have lost their original and which have got it back; forgets what is over.
 * Call before each plan. *next_ms is when to look again though nothing happens, or -1. Returns 0 or -ENOMEM;
 * the groups that found no place are then not remembered. */
int park_update(struct park *park, const struct fib *fib, int64_t now_ms, int64_t *next_ms);

/* NULL if it is not there. */
const struct parked *park_find(const struct park *park, const struct prefix *prefix);

void park_clear(struct park *park);
