#include "core/backoff.h"

/* A fraction of `span`, 0 to span, by the random bits. */
static int64_t spread(int64_t span, uint32_t random)
{
        return (int64_t)(((uint64_t)span * random) >> 32);
}

static int64_t exponential(unsigned int failures)
{
        int64_t delay = BACKOFF_FIRST_MS;

        while (failures-- > 0 && delay < BACKOFF_MAX_MS)
                delay *= 2;
        return delay < BACKOFF_MAX_MS ? delay : BACKOFF_MAX_MS;
}

int64_t backoff_next(struct backoff *backoff, uint32_t random, int64_t retry_after_ms)
{
        int64_t whole = exponential(backoff->failures);
        int64_t delay = whole / 2 + spread(whole - whole / 2, random);

        if (backoff->failures < UINT32_MAX)
                backoff->failures++;
        if (retry_after_ms > BACKOFF_RETRY_AFTER_MAX_MS)
                retry_after_ms = BACKOFF_RETRY_AFTER_MAX_MS;
        if (retry_after_ms > delay)
                delay = retry_after_ms + spread(retry_after_ms / 4, random);
        return delay;
}

void backoff_reset(struct backoff *backoff)
{
        backoff->failures = 0;
}
