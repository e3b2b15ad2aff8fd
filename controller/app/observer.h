/* What the daemon shows of itself, and where: `coracle status` on its unix socket, /livez, /readyz,
 * /readyz/local and /metrics on its HTTP address. Looks at the parts when asked, and changes nothing.
 */
#pragma once

#include "app/applier.h"
#include "app/options.h"
#include "app/sources.h"
#include "app/table.h"
#include "core/leave.h"
#include "core/metrics.h"
#include "core/routes.h"
#include "io/announce_server.h"

#include <ev.h>

/* All borrowed during the call. */
struct observed {
        const struct applier *applier;
        const struct table *table;
        const struct sources *sources; /* NULL: not there yet */
        const struct keepalived *keepalived;
        const struct announce_server *announce_server;
        const struct routes *routes;
        const struct announce_set *announce_set; /* what should be announced */
        const struct ipvs_counts *ipvs_counts;
        const struct metrics_histogram *reconcile;
        enum leave_phase leaving;
        bool leading;
        size_t peers; /* of the fleet, that have answered */
        bool fuse_blown;
        uint64_t fuse_trips;
};

typedef void observer_fn(void *userdata, struct observed *out);

struct observer;

/* `look` is called for each question. Returns 0 and *out, or a negative errno with *error set. */
int observer_new(struct ev_loop *loop, const struct options *options, observer_fn *look, void *userdata,
                 struct observer **out, struct error *error);

/* NULL is fine. */
void observer_free(struct observer *observer);
