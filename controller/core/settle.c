#include "core/settle.h"

#define SLOWEST_LOOK_MS 500
#define BASE_MS 5000
#define PER_SERVER_MS 3 /* keepalived starts 5,000 checkers in 10-13 s */
#define SPREAD_MS 30000

static void give_time(struct settle *settle, int64_t now_ms)
{
        settle->step_ms = SETTLE_FIRST_LOOK_MS;
        settle->deadline_ms = now_ms + BASE_MS + PER_SERVER_MS * (int64_t)settle->n_real_servers;
}

void settle_begin(struct settle *settle, size_t n_real_servers, int64_t now_ms)
{
        settle->n_real_servers = n_real_servers;
        settle->settling = true;
        give_time(settle, now_ms);
}

void settle_again(struct settle *settle, int64_t now_ms)
{
        settle->settling = !settle->n_remedies;
        give_time(settle, now_ms);
}

static enum settle_verdict give_remedy(struct settle *settle, uint32_t random, int64_t now_ms,
                                       int64_t *look_ms)
{
        static const enum settle_verdict remedies[] = {SETTLE_RELOAD, SETTLE_RESTART};

        settle->settling = false; /* no excuse any more: VIPs that differ are withdrawn */
        if (settle->n_remedies >= sizeof(remedies) / sizeof(*remedies)) {
                *look_ms = SETTLE_IDLE_LOOK_MS;
                return SETTLE_STANDS;
        }
        give_time(settle, now_ms);
        settle->deadline_ms += random % SPREAD_MS;
        *look_ms = SETTLE_FIRST_LOOK_MS;
        return remedies[settle->n_remedies++];
}

enum settle_verdict settle_judge(struct settle *settle, size_t differences, uint32_t random, int64_t now_ms,
                                 int64_t *look_ms)
{
        if (!differences) {
                settle->settling = false;
                settle->n_remedies = 0;
                *look_ms = SETTLE_IDLE_LOOK_MS;
                return SETTLE_AS_PLANNED;
        }
        if (!settle->settling && !settle->n_remedies) {
                /* somebody else's hand, or a checker in the middle of its work */
                settle_begin(settle, settle->n_real_servers, now_ms);
                *look_ms = SETTLE_FIRST_LOOK_MS;
                return SETTLE_WAIT;
        }
        if (now_ms > settle->deadline_ms)
                return give_remedy(settle, random, now_ms, look_ms);
        settle->step_ms = settle->step_ms * 2 > SLOWEST_LOOK_MS ? SLOWEST_LOOK_MS : settle->step_ms * 2;
        *look_ms = settle->step_ms;
        return SETTLE_WAIT;
}

void settle_unreadable(struct settle *settle, int64_t now_ms, int64_t *look_ms)
{
        settle->settling = now_ms < settle->deadline_ms;
        *look_ms = SLOWEST_LOOK_MS;
}
