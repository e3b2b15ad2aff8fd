/* How an LB pod leaves without cutting what is in flight: the decisions, without timers and sockets.
 *
 *   staying → asking     its routes are announced with GRACEFUL_SHUTDOWN (RFC 8326): routers prefer other
 * pods → draining   the routes are withdrawn; flows that still arrive are forwarded until they have ended →
 * over       nothing is left, or the deadline has passed
 *
 * Routers need a moment after they have been told: `settle_ms`, counted from the announcer's word that exabgp
 * has taken the news. An announcer that does not answer is waited for, but not for long; where nothing is
 * announced, nobody has to be told.
 */
#pragma once

#include "core/announce_set.h"

#include <stdint.h>

#define LEAVE_PATIENCE_MS 1000 /* with an announcer that does not confirm */

enum leave_phase {
        LEAVE_STAYING,
        LEAVE_ASKING,
        LEAVE_DRAINING,
        LEAVE_OVER,
};

/* "staying", "asking", "draining", "over". */
const char *leave_phase_name(enum leave_phase phase);

/* Zero-initialised: staying. */
struct leave {
        enum leave_phase phase;
        int64_t began_ms, deadline_ms; /* of the whole */
        int64_t settle_ms;
        int64_t phase_ms;     /* when this phase began */
        int64_t confirmed_ms; /* when the announcer confirmed it */
        bool confirmed;
};

struct leave_input {
        const struct announce_report *report; /* the announcer's last; NULL: there is none */
        uint64_t flows;                       /* that are under way */
        int64_t now_ms;
};

/* Begins to leave; nothing happens if it is leaving already. */
void leave_begin(struct leave *leave, int64_t settle_ms, int64_t drain_ms, const struct leave_input *input);

/* Looks at what has become of it: to be called now and then, and when the report changes. Returns whether the
 * phase is another one now. */
bool leave_update(struct leave *leave, const struct leave_input *input);

/* Somebody is impatient: it is over. Returns whether that changed anything. */
bool leave_hurry(struct leave *leave, int64_t now_ms);
