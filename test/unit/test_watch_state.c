#include "core/watch_state.h"

#include "unit.h"

#define RANDOM UINT32_MAX

static const struct watch_end good_page = {
    .status = 200, .complete = true, .more = true, .retry_after_ms = -1};
static const struct watch_end last_page = {.status = 200, .complete = true, .retry_after_ms = -1};

static struct watch_state make_state(enum watch_request request)
{
        return (struct watch_state){.request = request};
}

static void pages_follow_each_other_and_then_a_watch(void **state)
{
        struct watch_state watch = {0};
        struct watch_next next;

        (void)state;
        assert_int_equal(watch.request, WATCH_REQUEST_LIST);
        for (int i = 0; i < 3; i++) {
                next = watch_state_ended(&watch, &good_page, RANDOM);
                assert_int_equal(next.request, WATCH_REQUEST_PAGE);
                assert_int_equal(next.delay_ms, 0);
                assert_false(next.publish);
        }
        next = watch_state_ended(&watch, &last_page, RANDOM);
        assert_int_equal(next.request, WATCH_REQUEST_WATCH);
        assert_int_equal(next.delay_ms, 0);
        assert_int_equal(next.reason, WATCH_REASON_PROGRESS);
        assert_true(next.publish);
}

static void watch_that_ended_resumes_at_once(void **state)
{
        static const struct watch_end ends[] = {
            {.status = 200, .complete = true, .lived_ms = 300000, .retry_after_ms = -1},
            {.status = 200, .complete = true, .lived_ms = 5, .saw_event = true, .retry_after_ms = -1},
        };

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct watch_state watch = make_state(WATCH_REQUEST_WATCH);
                struct watch_next next = watch_state_ended(&watch, &ends[i], RANDOM);

                assert_int_equal(next.request, WATCH_REQUEST_WATCH);
                assert_int_equal(next.reason, WATCH_REASON_ENDED);
                assert_int_equal(next.delay_ms, 0);
                assert_false(next.publish);
        }
}

static void watches_that_end_at_once_are_no_busy_loop(void **state)
{
        static const struct watch_end end = {.status = 200, .complete = true, .retry_after_ms = -1};
        struct watch_state watch = make_state(WATCH_REQUEST_WATCH);
        int64_t total = 0;

        (void)state;
        for (int i = 0; i < 20; i++)
                total += watch_state_ended(&watch, &end, 0).delay_ms;
        assert_true(total > 60000);
}

static void lists_whose_watch_expires_at_once_are_no_busy_loop(void **state)
{
        static const struct watch_end expired = {
            .status = 200, .complete = false, .stream_error = 410, .retry_after_ms = -1};
        struct watch_state watch = {0};
        int64_t total = 0;

        (void)state;
        for (int i = 0; i < 20; i++) {
                total += watch_state_ended(&watch, &last_page, 0).delay_ms;
                total += watch_state_ended(&watch, &expired, 0).delay_ms;
                assert_int_equal(watch.request, WATCH_REQUEST_LIST);
        }
        assert_true(total > 60000);
}

static void steady_watch_that_breaks_is_soon_back(void **state)
{
        static const struct watch_end end = {.status = 200, .lived_ms = 20000, .retry_after_ms = -1};
        struct watch_state watch = make_state(WATCH_REQUEST_WATCH);
        struct watch_next next;

        (void)state;
        watch.backoff.failures = 20;
        next = watch_state_ended(&watch, &end, RANDOM);
        assert_int_equal(next.reason, WATCH_REASON_BROKEN);
        assert_int_equal(next.request, WATCH_REQUEST_WATCH);
        assert_true(next.delay_ms > 0 && next.delay_ms <= BACKOFF_FIRST_MS);
}

struct decision {
        struct watch_end end;
        enum watch_reason reason;
        enum watch_request request;
};

static void check(enum watch_request request, const struct decision *decision)
{
        struct watch_state watch = make_state(request);
        struct watch_next next = watch_state_ended(&watch, &decision->end, RANDOM);

        if (next.reason != decision->reason)
                fail_msg("status %d: %s", decision->end.status, watch_reason_name(next.reason));
        assert_int_equal(next.request, decision->request);
        assert_int_equal(watch.request, decision->request);
        assert_true(next.delay_ms > 0);
        assert_false(next.publish);
        assert_int_equal(next.forget_token, next.reason == WATCH_REASON_UNAUTHORIZED);
}

static void failures_of_a_watch_resume_or_begin_again(void **state)
{
        static const struct decision decisions[] = {
            {{.status = 0}, WATCH_REASON_UNREACHABLE, WATCH_REQUEST_WATCH},
            {{.status = 0, .timed_out = true}, WATCH_REASON_SILENT, WATCH_REQUEST_WATCH},
            {{.status = 200, .timed_out = true, .lived_ms = 400000},
             WATCH_REASON_SILENT,
             WATCH_REQUEST_WATCH},
            {{.status = 200}, WATCH_REASON_BROKEN, WATCH_REQUEST_WATCH},
            {{.status = 200, .malformed = true}, WATCH_REASON_MALFORMED, WATCH_REQUEST_LIST},
            {{.status = 200, .stream_error = 410}, WATCH_REASON_EXPIRED, WATCH_REQUEST_LIST},
            {{.status = 200, .stream_error = 410, .saw_event = true},
             WATCH_REASON_EXPIRED,
             WATCH_REQUEST_LIST},
            {{.status = 200, .stream_error = 500}, WATCH_REASON_SERVER_ERROR, WATCH_REQUEST_LIST},
            {{.status = 200, .stream_error = 504}, WATCH_REASON_SERVER_ERROR, WATCH_REQUEST_LIST},
            {{.status = 200, .stream_error = 429}, WATCH_REASON_THROTTLED, WATCH_REQUEST_WATCH},
            {{.status = 410, .complete = true}, WATCH_REASON_EXPIRED, WATCH_REQUEST_LIST},
            {{.status = 400, .complete = true}, WATCH_REASON_REFUSED, WATCH_REQUEST_LIST},
            {{.status = 404, .complete = true}, WATCH_REASON_REFUSED, WATCH_REQUEST_LIST},
            {{.status = 302, .complete = true}, WATCH_REASON_REFUSED, WATCH_REQUEST_LIST},
            {{.status = 401, .complete = true}, WATCH_REASON_UNAUTHORIZED, WATCH_REQUEST_WATCH},
            {{.status = 403, .complete = true}, WATCH_REASON_FORBIDDEN, WATCH_REQUEST_WATCH},
            {{.status = 429, .complete = true}, WATCH_REASON_THROTTLED, WATCH_REQUEST_WATCH},
            {{.status = 500, .complete = true}, WATCH_REASON_SERVER_ERROR, WATCH_REQUEST_WATCH},
            {{.status = 503, .complete = true}, WATCH_REASON_SERVER_ERROR, WATCH_REQUEST_WATCH},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(decisions) / sizeof(*decisions); i++)
                check(WATCH_REQUEST_WATCH, &decisions[i]);
}

static void failures_of_a_page_ask_again_or_begin_again(void **state)
{
        static const struct decision decisions[] = {
            {{.status = 0}, WATCH_REASON_UNREACHABLE, WATCH_REQUEST_PAGE},
            {{.status = 200}, WATCH_REASON_BROKEN, WATCH_REQUEST_PAGE},
            {{.status = 200, .timed_out = true}, WATCH_REASON_SILENT, WATCH_REQUEST_PAGE},
            {{.status = 200, .complete = true, .malformed = true},
             WATCH_REASON_MALFORMED,
             WATCH_REQUEST_LIST},
            {{.status = 400, .complete = true}, WATCH_REASON_EXPIRED, WATCH_REQUEST_LIST},
            {{.status = 410, .complete = true}, WATCH_REASON_EXPIRED, WATCH_REQUEST_LIST},
            {{.status = 401, .complete = true}, WATCH_REASON_UNAUTHORIZED, WATCH_REQUEST_PAGE},
            {{.status = 403, .complete = true}, WATCH_REASON_FORBIDDEN, WATCH_REQUEST_PAGE},
            {{.status = 429, .complete = true}, WATCH_REASON_THROTTLED, WATCH_REQUEST_PAGE},
            {{.status = 500, .complete = true}, WATCH_REASON_SERVER_ERROR, WATCH_REQUEST_PAGE},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(decisions) / sizeof(*decisions); i++)
                check(WATCH_REQUEST_PAGE, &decisions[i]);
}

static void incomplete_page_is_never_published(void **state)
{
        static const struct watch_end ends[] = {
            {.status = 200},
            {.status = 200, .complete = true, .malformed = true},
            {.status = 200, .timed_out = true},
            {.status = 0, .complete = true},
            {.status = 500, .complete = true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
                for (enum watch_request request = WATCH_REQUEST_LIST; request <= WATCH_REQUEST_PAGE;
                     request++) {
                        struct watch_state watch = make_state(request);

                        assert_false(watch_state_ended(&watch, &ends[i], RANDOM).publish);
                        assert_int_not_equal(watch.request, WATCH_REQUEST_WATCH);
                }
        }
}

static void server_is_given_the_time_it_asks_for(void **state)
{
        static const struct watch_end end = {.status = 429, .complete = true, .retry_after_ms = 7000};
        struct watch_state watch = make_state(WATCH_REQUEST_LIST);

        (void)state;
        assert_true(watch_state_ended(&watch, &end, RANDOM).delay_ms >= 7000);
}

static void relist_that_is_due_begins_a_list(void **state)
{
        struct watch_state watch = make_state(WATCH_REQUEST_WATCH);
        struct watch_next next = watch_state_relist(&watch);

        (void)state;
        assert_int_equal(next.request, WATCH_REQUEST_LIST);
        assert_int_equal(next.reason, WATCH_REASON_PERIODIC);
        assert_int_equal(next.delay_ms, 0);
        assert_int_equal(watch.request, WATCH_REQUEST_LIST);
}

static void every_reason_has_a_name(void **state)
{
        (void)state;
        for (enum watch_reason reason = 0; reason < WATCH_REASON_COUNT; reason++)
                assert_non_null(watch_reason_name(reason));
}

static void backoff_begins_afresh_when_a_lost_server_answers_again(void **state)
{
        struct watch_state watch = {0};
        struct watch_next next = {0};

        (void)state;
        for (int i = 0; i < 20; i++)
                next = watch_state_ended(&watch, &(struct watch_end){.retry_after_ms = -1}, UINT32_MAX);
        assert_true(next.delay_ms > 20000);
        next = watch_state_ended(
            &watch, &(struct watch_end){.status = 403, .complete = true, .retry_after_ms = -1}, UINT32_MAX);
        assert_int_equal(next.reason, WATCH_REASON_FORBIDDEN);
        assert_true(next.delay_ms <= BACKOFF_FIRST_MS);
        next = watch_state_ended(
            &watch, &(struct watch_end){.status = 403, .complete = true, .retry_after_ms = -1}, UINT32_MAX);
        assert_true(next.delay_ms > BACKOFF_FIRST_MS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(pages_follow_each_other_and_then_a_watch),
            cmocka_unit_test(watch_that_ended_resumes_at_once),
            cmocka_unit_test(watches_that_end_at_once_are_no_busy_loop),
            cmocka_unit_test(lists_whose_watch_expires_at_once_are_no_busy_loop),
            cmocka_unit_test(steady_watch_that_breaks_is_soon_back),
            cmocka_unit_test(failures_of_a_watch_resume_or_begin_again),
            cmocka_unit_test(failures_of_a_page_ask_again_or_begin_again),
            cmocka_unit_test(incomplete_page_is_never_published),
            cmocka_unit_test(server_is_given_the_time_it_asks_for),
            cmocka_unit_test(relist_that_is_due_begins_a_list),
            cmocka_unit_test(every_reason_has_a_name),
            cmocka_unit_test(backoff_begins_afresh_when_a_lost_server_answers_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
