/* Which VIPs may be announced. The rule: first sync complete, keepalived runs, the kernel table is what was
 * planned, and at least one real server has a weight. Withdrawn at once; announced again after it has been
 * good for ROUTES_HOLD_MS, so that a VIP that flaps does not flap through the routers of the site; and for as
 * long as the first health checks take, where real servers have their weight before
 * (plan_vip.first_checks_ms).
 *
 * A VIP that has left the plan, because its Service is gone, closes: its route stays for ROUTES_CLOSING_MS,
 * in which this pod resets what still comes. Without a route nobody would tell the clients, and their flows
 * hang for minutes.
 */
#pragma once

#include "core/announce_set.h"
#include "core/ipvs_compare.h"

#define ROUTES_HOLD_MS 1000
#define ROUTES_CLOSING_MS 5000 /* whoever sends, sends in this time */

enum route_state {
        ROUTE_ANNOUNCED,
        ROUTE_UNSYNCED,        /* the first list of objects is not complete */
        ROUTE_KEEPALIVED_DOWN, /* no keepalived that would follow health checks and changes */
        ROUTE_TABLE_DIFFERS,   /* the kernel does not hold what was planned */
        ROUTE_NO_REAL_SERVER,  /* nothing there to take a connection */
        ROUTE_DRAINING,        /* this pod is leaving */
        ROUTE_HELD_DOWN,       /* good, but not for long enough */
        ROUTE_STRAYS,          /* the fleet agrees on another plan than this pod's */
        ROUTE_UNGUARDED,       /* who may connect to it could not be put in force */
};

/* "announced", "unsynced", "keepalived-down", "table-differs", "no-real-server", "draining", "held-down",
 * "differs-from-fleet", "source-ranges-not-applied". */
const char *route_state_name(enum route_state state);

struct route {
        struct addr vip;
        enum route_state state;
        bool was_withdrawn;    /* ROUTES_HOLD_MS applies only to routes that were announced before */
        int64_t good_since_ms; /* while held down */
};

struct closing_route {
        struct addr vip;
        int64_t until_ms;
};

/* Sorted by VIP. Zero-initialised is empty. */
struct routes {
        struct route *routes; /* one for each of the plan's VIPs */
        size_t count;
        struct closing_route *closing; /* others */
        size_t n_closing;
};

struct routes_input {
        const struct plan *plan;             /* NULL before the first */
        const struct ipvs_vip_state *kernel; /* per plan->vips; NULL if the table could not be read */
        bool synced;
        bool strays; /* see core/fleet.h */
        bool keepalived_up;
        bool settling; /* a change is on its way into the kernel: an announced VIP that still has a real
                        * server stays announced although the table differs */
        bool draining;
        int64_t now_ms; /* monotonic */
};

/* Decides for every VIP of the plan. *next_ms is when to ask again without another input, or -1.
 * Returns whether any route's state changed, or -ENOMEM (then nothing changed). */
int routes_update(struct routes *routes, const struct routes_input *input, int64_t *next_ms);

/* Appends the prefixes, with the lengths of the configuration, of the announced and the closing VIPs to the
 * set's routes, and those of all others (that are not the same) to what it withholds; sorts both. 0 or
 * -ENOMEM. */
int routes_collect(const struct routes *routes, const struct bgp_config *bgp, struct announce_set *out);

/* Appends the prefixes of all pools to a list; sorts it. 0 or -ENOMEM. */
int routes_collect_pools(const struct config *config, struct prefix_list *out);

void routes_clear(struct routes *routes);
