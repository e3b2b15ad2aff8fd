/* Leader election by a Lease, as Kubernetes' own components do it (client-go's leaderelection): who holds the
 * Lease and renews it is the leader; who sees it unchanged for its whole duration, by the own clock, may take
 * it.
 *
 * Pure: time is an argument (monotonic ms), the requests are the caller's.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define LEADER_LEASE_MS 15000 /* client-go's defaults */
#define LEADER_RENEW_DEADLINE_MS 10000
#define LEADER_RETRY_MS 2000

/* What we look at of a Lease (coordination.k8s.io/v1). */
struct lease {
        char *holder; /* "" when nobody holds it */
        char *resource_version;
        char *acquire_time; /* as written; kept when we renew */
        json_t *metadata;   /* kept whole: labels and the like are others' */
        int64_t duration_ms;
        int64_t transitions;
};

void lease_clear(struct lease *lease);
static inline void lease_clear_p(struct lease *lease)
{
        lease_clear(lease);
}
#define _cleanup_lease_ _cleanup_(lease_clear_p)

/* Returns 0 and *out (cleared by the caller), or -EINVAL/-ENOMEM with *error set. */
int lease_decode(const json_t *json, struct lease *out, struct error *error);

/* The Lease to write: ours from now on (identity) or nobody's (identity NULL: we leave). `before` is what it
 * replaces, or NULL if there is none yet. `now` is the wall clock as RFC 3339 with six digits
 * ("…:27.000000Z"). New; NULL if out of memory. */
json_t *lease_encode(const char *name, const char *namespace, const char *identity,
                     const struct lease *before, const char *now);

struct leader {
        const char *identity;  /* this pod's; borrowed */
        char *seen_version;    /* the Lease as we last saw it … */
        int64_t seen_ms;       /* … and since when it has been that */
        int64_t lead_until_ms; /* 0: not leading */
};

enum leader_step {
        LEADER_WAIT,  /* somebody else leads */
        LEADER_WRITE, /* take it, or renew it */
};

/* The Lease has been read at now_ms; NULL: there is none. Returns what to do next; -ENOMEM if out of memory.
 */
int leader_saw(struct leader *leader, const struct lease *lease, int64_t now_ms);

/* Our write, sent at sent_ms, has succeeded: we lead from now on until LEADER_RENEW_DEADLINE_MS after
 * sent_ms. */
void leader_wrote(struct leader *leader, int64_t sent_ms);

/* Our write met another's (409), or the Lease is somebody else's: we lead no longer. */
void leader_lost(struct leader *leader);

/* Whether a write may be made now. A leader whose renewal fails ends by itself, before another may begin. */
bool leader_is_leading(const struct leader *leader, int64_t now_ms);

void leader_clear(struct leader *leader);
