#include "resilient/pace.h"

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

void pace_init(struct pace *pace, int64_t now_ms)
{
        *pace = (struct pace){.again_ms = now_ms};
}

void pace_note(struct pace *pace, enum relevance relevance, int64_t now_ms)
{
        if (relevance == RELEVANT_NOT)
                return;
        if (pace->changed == RELEVANT_NOT)
                pace->first_ms = now_ms;
        pace->last_ms = now_ms;
        if (relevance > pace->changed)
                pace->changed = relevance;
}

int64_t pace_due(const struct pace *pace)
{
        const int64_t settled_ms = earlier(pace->last_ms + PACE_QUIET_MS, pace->first_ms + PACE_PATIENCE_MS);

        switch (pace->changed) {
        case RELEVANT:
                return settled_ms;
        case RELEVANT_PERHAPS:
                return earlier(later(settled_ms, pace->rested_ms), pace->again_ms);
        case RELEVANT_NOT:
                break;
        }
        return pace->again_ms;
}

void pace_looked(struct pace *pace, int64_t began_ms, int64_t ended_ms, bool failed, int64_t wanted_ms)
{
        pace->rested_ms = ended_ms + PACE_SHARE * (ended_ms - began_ms);
        pace->again_ms = ended_ms + PACE_AGAIN_MS;
        if (failed && (pace->changed != RELEVANT_NOT || !pace->failed))
                pace->trouble_ms = began_ms;
        if (failed) {
                const int64_t retry_ms = ended_ms + later(PACE_RETRY_MS, ended_ms - pace->trouble_ms);

                pace->again_ms = earlier(pace->again_ms, later(retry_ms, pace->rested_ms));
        }
        if (wanted_ms >= 0)
                pace->again_ms = earlier(pace->again_ms, wanted_ms);
        pace->failed = failed;
        pace->changed = RELEVANT_NOT;
}
