#include "core/leave.h"

#include "unit.h"

#include <string.h>

#define SETTLE_MS 1000
#define DRAIN_MS 20000
#define BEGAN_MS 5000

/* A pod that announces one route, with flows under way, and begins to leave at BEGAN_MS. */
struct pod {
        struct leave leave;
        struct announce_report report;
        struct leave_input input;
};

static int make_pod(void **state)
{
        struct pod *pod = calloc(1, sizeof(*pod));
        struct prefix prefix;

        assert_non_null(pod);
        assert_int_equal(prefix_parse("10.1.1.1/32", &prefix), 0);
        assert_int_equal(prefix_list_append(&pod->report.announced, &prefix), 0);
        pod->input = (struct leave_input){.report = &pod->report, .flows = 7, .now_ms = BEGAN_MS};
        *state = pod;
        return 0;
}

static int free_pod(void **state)
{
        struct pod *pod = *state;

        announce_report_clear(&pod->report);
        free(pod);
        return 0;
}

static void begin(struct pod *pod)
{
        leave_begin(&pod->leave, SETTLE_MS, DRAIN_MS, &pod->input);
}

/* Looked at `after_ms` its beginning, it is in that phase. */
static void expect_at(struct pod *pod, int64_t after_ms, enum leave_phase phase)
{
        enum leave_phase before = pod->leave.phase;

        pod->input.now_ms = BEGAN_MS + after_ms;
        assert_int_equal(leave_update(&pod->leave, &pod->input), before != phase);
        assert_string_equal(leave_phase_name(pod->leave.phase), leave_phase_name(phase));
}

static void pod_that_was_not_told_to_leave_stays(void **state)
{
        struct pod *pod = *state;

        expect_at(pod, 0, LEAVE_STAYING);
        expect_at(pod, 100 * DRAIN_MS, LEAVE_STAYING);
}

static void routers_get_their_time_from_the_confirmation_on(void **state)
{
        struct pod *pod = *state;

        begin(pod);
        expect_at(pod, 500, LEAVE_ASKING);
        pod->report.graceful_shutdown = true;
        expect_at(pod, 600, LEAVE_ASKING);
        expect_at(pod, 600 + SETTLE_MS - 1, LEAVE_ASKING);
        expect_at(pod, 600 + SETTLE_MS, LEAVE_DRAINING);
}

static void announcer_that_does_not_confirm_is_waited_for_a_while(void **state)
{
        struct pod *pod = *state;

        begin(pod);
        pod->input.flows = 0;
        expect_at(pod, SETTLE_MS + LEAVE_PATIENCE_MS - 1, LEAVE_ASKING);
        expect_at(pod, SETTLE_MS + LEAVE_PATIENCE_MS, LEAVE_DRAINING);
        expect_at(pod, 2 * (SETTLE_MS + LEAVE_PATIENCE_MS) - 1, LEAVE_DRAINING);
        expect_at(pod, 2 * (SETTLE_MS + LEAVE_PATIENCE_MS), LEAVE_OVER);
}

/* Brings it to where the withdrawal is confirmed, at 1,200 ms. */
static void withdraw(struct pod *pod)
{
        begin(pod);
        pod->report.graceful_shutdown = true;
        expect_at(pod, 0, LEAVE_ASKING);
        expect_at(pod, SETTLE_MS, LEAVE_DRAINING);
        pod->report.announced.count = 0;
        expect_at(pod, 1200, LEAVE_DRAINING);
}

static void flows_are_forwarded_until_they_have_ended(void **state)
{
        struct pod *pod = *state;

        withdraw(pod);
        expect_at(pod, 10000, LEAVE_DRAINING);
        pod->input.flows = 1;
        expect_at(pod, 11000, LEAVE_DRAINING);
        pod->input.flows = 0;
        expect_at(pod, 12000, LEAVE_OVER);
}

static void without_flows_the_routers_still_get_their_time(void **state)
{
        struct pod *pod = *state;

        withdraw(pod);
        pod->input.flows = 0;
        expect_at(pod, 1200 + SETTLE_MS - 1, LEAVE_DRAINING);
        expect_at(pod, 1200 + SETTLE_MS, LEAVE_OVER);
}

static void flows_that_do_not_end_are_left_at_the_deadline(void **state)
{
        struct pod *pod = *state;

        withdraw(pod);
        expect_at(pod, DRAIN_MS - 1, LEAVE_DRAINING);
        expect_at(pod, DRAIN_MS, LEAVE_OVER);
}

static void deadline_ends_every_phase(void **state)
{
        struct pod *pod = *state;

        leave_begin(&pod->leave, SETTLE_MS, 0, &pod->input);
        expect_at(pod, 0, LEAVE_DRAINING);
        expect_at(pod, 0, LEAVE_OVER);
        expect_at(pod, 1, LEAVE_OVER);
}

static void where_nothing_is_announced_nobody_is_waited_for(void **state)
{
        struct pod *pod = *state;

        pod->report.announced.count = 0;
        begin(pod);
        expect_at(pod, 0, LEAVE_DRAINING);
        expect_at(pod, 100, LEAVE_DRAINING);
        pod->input.flows = 0;
        expect_at(pod, 200, LEAVE_OVER);
}

static void without_an_announcer_only_the_flows_are_waited_for(void **state)
{
        struct pod *pod = *state;

        pod->input.report = NULL;
        begin(pod);
        expect_at(pod, 0, LEAVE_DRAINING);
        pod->input.flows = 0;
        expect_at(pod, 100, LEAVE_OVER);
}

static void announcer_that_dies_on_the_way_has_nothing_more_to_confirm(void **state)
{
        struct pod *pod = *state;

        begin(pod);
        pod->input.report = NULL;
        expect_at(pod, 100, LEAVE_ASKING);
        expect_at(pod, 100 + SETTLE_MS, LEAVE_DRAINING);
}

static void impatience_ends_it_at_once_and_only_once(void **state)
{
        struct pod *pod = *state;

        begin(pod);
        assert_true(leave_hurry(&pod->leave, BEGAN_MS + 10));
        assert_int_equal(pod->leave.phase, LEAVE_OVER);
        assert_false(leave_hurry(&pod->leave, BEGAN_MS + 20));
        expect_at(pod, 30, LEAVE_OVER);
}

static void beginning_twice_does_not_prolong_it(void **state)
{
        struct pod *pod = *state;

        begin(pod);
        pod->input.now_ms = BEGAN_MS + DRAIN_MS / 2;
        begin(pod);
        assert_int_equal(pod->leave.deadline_ms, BEGAN_MS + DRAIN_MS);
}

int main(void)
{
#define ON_A_POD(test) cmocka_unit_test_setup_teardown(test, make_pod, free_pod)
        const struct CMUnitTest tests[] = {
            ON_A_POD(pod_that_was_not_told_to_leave_stays),
            ON_A_POD(routers_get_their_time_from_the_confirmation_on),
            ON_A_POD(announcer_that_does_not_confirm_is_waited_for_a_while),
            ON_A_POD(flows_are_forwarded_until_they_have_ended),
            ON_A_POD(without_flows_the_routers_still_get_their_time),
            ON_A_POD(flows_that_do_not_end_are_left_at_the_deadline),
            ON_A_POD(deadline_ends_every_phase),
            ON_A_POD(where_nothing_is_announced_nobody_is_waited_for),
            ON_A_POD(without_an_announcer_only_the_flows_are_waited_for),
            ON_A_POD(announcer_that_dies_on_the_way_has_nothing_more_to_confirm),
            ON_A_POD(impatience_ends_it_at_once_and_only_once),
            ON_A_POD(beginning_twice_does_not_prolong_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
