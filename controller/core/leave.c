#include "core/leave.h"

const char *leave_phase_name(enum leave_phase phase)
{
        static const char *const names[] = {
            [LEAVE_STAYING] = "staying",
            [LEAVE_ASKING] = "asking",
            [LEAVE_DRAINING] = "draining",
            [LEAVE_OVER] = "over",
        };

        return names[phase];
}

static bool enter(struct leave *leave, enum leave_phase phase, int64_t now_ms)
{
        leave->phase = phase;
        leave->phase_ms = now_ms;
        leave->confirmed = false;
        return true;
}

static bool announces(const struct announce_report *report)
{
        return report && report->announced.count;
}

void leave_begin(struct leave *leave, int64_t settle_ms, int64_t drain_ms, const struct leave_input *input)
{
        if (leave->phase != LEAVE_STAYING)
                return;
        leave->began_ms = input->now_ms;
        leave->deadline_ms = input->now_ms + drain_ms;
        leave->settle_ms = announces(input->report) ? settle_ms : 0;
        (void)enter(leave, LEAVE_ASKING, input->now_ms);
}

/* Whether the routers have been told of this phase, and have had their time. */
static bool is_settled(struct leave *leave, const struct leave_input *input)
{
        bool confirmed =
            !announces(input->report) || (leave->phase == LEAVE_ASKING && input->report->graceful_shutdown);

        if (confirmed && !leave->confirmed) {
                leave->confirmed = true;
                leave->confirmed_ms = input->now_ms;
        }
        if (leave->confirmed)
                return input->now_ms - leave->confirmed_ms >= leave->settle_ms;
        return input->now_ms - leave->phase_ms >= leave->settle_ms + LEAVE_PATIENCE_MS;
}

bool leave_update(struct leave *leave, const struct leave_input *input)
{
        bool late = input->now_ms >= leave->deadline_ms;

        if (leave->phase == LEAVE_ASKING && (late || is_settled(leave, input)))
                return enter(leave, LEAVE_DRAINING, input->now_ms);
        if (leave->phase == LEAVE_DRAINING && (late || (is_settled(leave, input) && !input->flows)))
                return enter(leave, LEAVE_OVER, input->now_ms);
        return false;
}

bool leave_hurry(struct leave *leave, int64_t now_ms)
{
        return leave->phase != LEAVE_OVER && enter(leave, LEAVE_OVER, now_ms);
}
