/* For how long the kernel's table may differ from the plan. */
#include "core/settle.h"

#include "unit.h"

/* Looks until the verdict is another one than SETTLE_WAIT, and returns that. */
static enum settle_verdict wait_for_verdict(struct settle *settle, size_t differences, int64_t *now_ms)
{
        for (;;) {
                int64_t look_ms;
                enum settle_verdict verdict = settle_judge(settle, differences, 0, *now_ms, &look_ms);

                assert_in_range(look_ms, 1, SETTLE_IDLE_LOOK_MS);
                if (verdict != SETTLE_WAIT)
                        return verdict;
                *now_ms += look_ms;
        }
}

static void difference_after_a_change_is_excused_for_a_time_that_grows_with_the_servers(void **state)
{
        struct settle few = {0}, many = {0};
        int64_t few_ms = 0, many_ms = 0;

        (void)state;
        settle_begin(&few, 10, 0);
        assert_true(few.settling);
        assert_int_equal(wait_for_verdict(&few, 1, &few_ms), SETTLE_RELOAD);
        assert_false(few.settling);
        settle_begin(&many, 5000, 0);
        assert_int_equal(wait_for_verdict(&many, 1, &many_ms), SETTLE_RELOAD);
        assert_in_range(few_ms, 5000, 6000);
        assert_in_range(many_ms, 20000, 21000);
}

static void looks_are_quick_at_first(void **state)
{
        struct settle settle = {0};
        int64_t look_ms, slower_ms;

        (void)state;
        settle_begin(&settle, 10, 0);
        (void)settle_judge(&settle, 1, 0, 10, &look_ms);
        assert_true(look_ms <= 20);
        (void)settle_judge(&settle, 1, 0, 10 + look_ms, &slower_ms);
        assert_true(slower_ms > look_ms);
}

static void table_as_planned_is_looked_at_seldom(void **state)
{
        struct settle settle = {0};
        int64_t look_ms;

        (void)state;
        settle_begin(&settle, 10, 0);
        assert_int_equal(settle_judge(&settle, 0, 0, 10, &look_ms), SETTLE_AS_PLANNED);
        assert_false(settle.settling);
        assert_int_equal(look_ms, SETTLE_IDLE_LOOK_MS);
}

static void what_is_reloaded_in_vain_is_restarted_and_then_stands(void **state)
{
        struct settle settle = {0};
        int64_t now_ms = 0;

        (void)state;
        settle_begin(&settle, 10, now_ms);
        assert_int_equal(wait_for_verdict(&settle, 1, &now_ms), SETTLE_RELOAD);
        assert_int_equal(wait_for_verdict(&settle, 1, &now_ms), SETTLE_RESTART);
        settle_again(&settle, now_ms); /* the new keepalived */
        assert_false(settle.settling);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(wait_for_verdict(&settle, 1, &now_ms), SETTLE_STANDS);
                now_ms += SETTLE_IDLE_LOOK_MS;
        }
}

/* Or all LB pods, which have the same plan, would take their routes away in the same moment. */
static void restarts_are_spread(void **state)
{
        struct settle settle = {0};
        int64_t now_ms = 0, look_ms, longest_ms;

        (void)state;
        settle_begin(&settle, 10, now_ms);
        now_ms = 10000;
        assert_int_equal(settle_judge(&settle, 1, 29999, now_ms, &look_ms), SETTLE_RELOAD);
        longest_ms = now_ms;
        assert_int_equal(wait_for_verdict(&settle, 1, &longest_ms), SETTLE_RESTART);
        assert_in_range(longest_ms - now_ms, 30000, 40000);
}

static void difference_out_of_the_blue_is_excused_once(void **state)
{
        struct settle settle = {0};
        int64_t now_ms = 0, look_ms;

        (void)state;
        settle_begin(&settle, 10, now_ms);
        assert_int_equal(settle_judge(&settle, 0, 0, now_ms, &look_ms), SETTLE_AS_PLANNED);
        now_ms += look_ms;
        assert_int_equal(settle_judge(&settle, 1, 0, now_ms, &look_ms), SETTLE_WAIT);
        assert_true(settle.settling);
        assert_int_equal(wait_for_verdict(&settle, 1, &now_ms), SETTLE_RELOAD);
        /* once mended, everything begins afresh */
        assert_int_equal(settle_judge(&settle, 0, 0, now_ms, &look_ms), SETTLE_AS_PLANNED);
        assert_int_equal(settle.n_remedies, 0);
}

static void keepalived_that_starts_anew_gets_its_time(void **state)
{
        struct settle settle = {0};
        int64_t now_ms = 0, look_ms;

        (void)state;
        settle_begin(&settle, 1000, now_ms);
        (void)settle_judge(&settle, 0, 0, now_ms, &look_ms);
        now_ms = 100000;
        settle_again(&settle, now_ms);
        assert_true(settle.settling);
        assert_int_equal(wait_for_verdict(&settle, 1000, &now_ms), SETTLE_RELOAD);
        assert_in_range(now_ms, 107000, 110000);
}

static void table_that_cannot_be_read_is_excused_until_the_deadline(void **state)
{
        struct settle settle = {0};
        int64_t look_ms;

        (void)state;
        settle_begin(&settle, 0, 0);
        settle_unreadable(&settle, 4000, &look_ms);
        assert_true(settle.settling);
        settle_unreadable(&settle, 6000, &look_ms);
        assert_false(settle.settling);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(difference_after_a_change_is_excused_for_a_time_that_grows_with_the_servers),
            cmocka_unit_test(looks_are_quick_at_first),
            cmocka_unit_test(table_as_planned_is_looked_at_seldom),
            cmocka_unit_test(what_is_reloaded_in_vain_is_restarted_and_then_stands),
            cmocka_unit_test(restarts_are_spread),
            cmocka_unit_test(difference_out_of_the_blue_is_excused_once),
            cmocka_unit_test(keepalived_that_starts_anew_gets_its_time),
            cmocka_unit_test(table_that_cannot_be_read_is_excused_until_the_deadline),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
