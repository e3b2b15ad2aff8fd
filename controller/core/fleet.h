/* Whether this pod plans what its fleet plans. One that does not, for instance because its watch of the API
 * is stuck without anybody noticing, would send flows that come from other pods to other real servers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many times in a row it has to be: a change is seen by one pod before it is by another. */
#define FLEET_ROUNDS 3

/* Zero-initialised: nothing is known. */
struct fleet_watch {
        uint32_t own; /* of the last round */
        unsigned int rounds;
        bool strays;
};

/* One round: the plans' fingerprints of this pod and of all others that have answered. This pod strays when
 * more than half of the fleet, itself counted, has agreed on another plan FLEET_ROUNDS times, while its own
 * has not changed: so never the greater part, nobody in a fleet of two, and nobody who follows changes. It
 * has come back when it is not so any more. Returns watch->strays. */
bool fleet_judge(struct fleet_watch *watch, uint32_t own, const uint32_t *others, size_t n_others);
