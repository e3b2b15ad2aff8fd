/* When the mirror looks at the kernel: soon after a change, again soon after a failure, and now and then in
 * any case, because notifications can be missing. Pure: times are milliseconds of any monotonic clock.
 *
 * Each look costs a list of the whole main table. What may not concern the mirror at all, such as next-hops
 * and links of others, is therefore looked at for a tenth of the time at most.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_QUIET_MS 20     /* a look begins when nothing has changed for so long, */
#define PACE_PATIENCE_MS 100 /* or when changes have gone on for so long */
#define PACE_RETRY_MS 200    /* after a failure; then after twice as long, and so on */
#define PACE_AGAIN_MS \
        10000 /* though nothing happens: IPv4 routes over a link that went down go without a word */
#define PACE_SHARE 10

enum relevance {
        RELEVANT_NOT,
        RELEVANT_PERHAPS,
        RELEVANT,
};

struct pace {
        enum relevance changed;    /* since the last look */
        int64_t first_ms, last_ms; /* of these changes */
        int64_t rested_ms;         /* the last look was so long ago that it counts for little */
        int64_t again_ms;
        int64_t trouble_ms; /* the last change, or the first failure, that failures followed */
        bool failed;
};

/* The first look is due at once. */
void pace_init(struct pace *pace, int64_t now_ms);

/* Something has changed. */
void pace_note(struct pace *pace, enum relevance relevance, int64_t now_ms);

/* When the next look is due. */
int64_t pace_due(const struct pace *pace);

/* One was taken. `wanted_ms` is when another one is wanted though nothing happens, or -1. */
void pace_looked(struct pace *pace, int64_t began_ms, int64_t ended_ms, bool failed, int64_t wanted_ms);
