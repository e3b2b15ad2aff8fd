/* Whether this pod is ready: what /readyz says. Never asked for liveness, which only tells that the loop
 * runs: a daemon that cannot reach the API serves its last good state and must not be restarted for it.
 *
 * Who takes an old pod away when a new one is ready (a rollout, a drain) relies on it that the new one does
 * the old one's work. So what a pod serves must be announced, on a session; and a pod that has just begun to
 * check its real servers is not taken for one that has nothing to announce.
 */
#pragma once

#include "base/strbuf.h"
#include "core/routes.h"

/* From keepalived's start. Servers that have not passed until then may never do. */
#define HEALTH_FIRST_CHECKS_MS 15000

struct health {
        bool synced;
        bool keepalived_up;
        bool table_readable;
        bool settling; /* a difference is a change on its way */
        bool planned;  /* there are virtual servers to be found in the table */
        size_t differences;
        bool leaving;

        bool local;    /* what arrives is served; whether it is announced does not matter (VRRP) */
        bool checking; /* see health_is_checking */
        size_t wanted; /* routes that should be announced */
        /* Those that exabgp has taken. It takes all at once; a family without next-hop it is not told of. */
        size_t announced;
        bool announcer_connected;
        unsigned int sessions_up;
};

/* Whether the first health checks are under way, so that VIPs are withheld that may soon be announced: one
 * has real servers of which none has passed its check, or is held down. `states` (one per plan->vips) and
 * `plan` may be NULL: nothing is known yet. */
bool health_is_checking(const struct plan *plan, const struct ipvs_vip_state *states,
                        const struct routes *routes, bool settling, int64_t keepalived_age_ms);

/* Appends a line per condition, "[+]NAME ok" or "[-]NAME: why", as the API's own servers do, and a verdict.
 * Returns whether the pod is ready; or -ENOMEM. */
int health_ready(const struct health *health, struct strbuf *out);
