/* How long to wait before the next try: exponential with jitter, so that many clients that lost one server
 * do not come back at one moment. Pure: randomness is an argument, the caller keeps the clock.
 */
#pragma once

#include <stdint.h>

#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 30000
#define BACKOFF_RETRY_AFTER_MAX_MS 300000 /* what a server may ask for; more is taken as this */

/* Zero-initialised: no failure yet. */
struct backoff {
        unsigned int failures; /* in a row */
};

/* Counts a failure and returns the delay in ms: between one half and the whole of
 * min(BACKOFF_FIRST_MS * 2^failures, BACKOFF_MAX_MS), where in between is up to `random` (any 32 bits).
 * A server's Retry-After (ms; 0 or less: none) is waited for at least, and up to a quarter longer. */
int64_t backoff_next(struct backoff *backoff, uint32_t random, int64_t retry_after_ms);

/* After a success. */
void backoff_reset(struct backoff *backoff);
