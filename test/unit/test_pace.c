#include "resilient/pace.h"

#include "unit.h"

/* A look that takes no time, and finds nothing wrong. */
static void look(struct pace *pace, int64_t now_ms)
{
        pace_looked(pace, now_ms, now_ms, false, -1);
}

static void first_look_is_due_at_once(void **state)
{
        struct pace pace;

        (void)state;
        pace_init(&pace, 7);
        assert_int_equal(pace_due(&pace), 7);
        look(&pace, 8);
        assert_int_equal(pace_due(&pace), 8 + PACE_AGAIN_MS);
}

static void changes_are_waited_out_but_not_for_ever(void **state)
{
        struct pace pace;

        (void)state;
        pace_init(&pace, 0);
        look(&pace, 0);
        pace_note(&pace, RELEVANT_NOT, 500);
        assert_int_equal(pace_due(&pace), PACE_AGAIN_MS);
        pace_note(&pace, RELEVANT, 1000);
        assert_int_equal(pace_due(&pace), 1020);
        pace_note(&pace, RELEVANT, 1015);
        assert_int_equal(pace_due(&pace), 1035);
        pace_note(&pace, RELEVANT, 1095);
        assert_int_equal(pace_due(&pace), 1100);
}

static void failure_is_followed_by_a_look_soon_then_ever_later(void **state)
{
        static const int64_t looks[] = {1000, 1200, 1400, 1800, 2600, 4200, 7400, 13800, 23800, 33800};
        struct pace pace;

        (void)state;
        pace_init(&pace, 0);
        look(&pace, 0);
        pace_note(&pace, RELEVANT, 980);
        for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
                assert_int_equal(pace_due(&pace), looks[i]);
                pace_looked(&pace, looks[i], looks[i], true, -1);
        }
        look(&pace, 40000);
        assert_int_equal(pace_due(&pace), 50000);
        pace_looked(&pace, 50000, 50000, true, -1); /* without a change */
        assert_int_equal(pace_due(&pace), 50200);
}

/* What has failed for long is no reason to be slow with what fails now. */
static void change_while_something_fails_is_tried_again_soon(void **state)
{
        struct pace pace;

        (void)state;
        pace_init(&pace, 0);
        for (int64_t now = 0; now < 60000; now = pace_due(&pace))
                pace_looked(&pace, now, now, true, -1);
        pace_note(&pace, RELEVANT, 60000);
        pace_looked(&pace, 60020, 60020, true, -1);
        assert_int_equal(pace_due(&pace), 60220);
        pace_looked(&pace, 60220, 60220, true, -1);
        assert_int_equal(pace_due(&pace), 60420);
}

static void what_may_not_matter_costs_a_tenth_of_the_time(void **state)
{
        struct pace pace;
        int looks = 0;

        (void)state;
        pace_init(&pace, 0);
        for (int64_t now = 0; now < 10000; now++) {
                pace_note(&pace, RELEVANT_PERHAPS, now);
                if (now < pace_due(&pace))
                        continue;
                pace_looked(&pace, now, now + 50, false, -1);
                now += 50;
                looks++;
        }
        assert_in_range(looks * 50, 500, 1000);
}

static void what_matters_is_looked_at_soon_whatever_it_costs(void **state)
{
        struct pace pace;

        (void)state;
        pace_init(&pace, 0);
        pace_looked(&pace, 0, 500, false, -1);
        pace_note(&pace, RELEVANT_PERHAPS, 600);
        assert_int_equal(pace_due(&pace), 5500);
        pace_note(&pace, RELEVANT, 650);
        assert_int_equal(pace_due(&pace), 670);
        pace_note(&pace, RELEVANT_PERHAPS, 660);
        assert_int_equal(pace_due(&pace), 680);
}

static void look_that_is_wanted_earlier_is_earlier(void **state)
{
        struct pace pace;

        (void)state;
        pace_init(&pace, 0);
        pace_looked(&pace, 0, 2000, false, 3000);
        assert_int_equal(pace_due(&pace), 3000);
        pace_note(&pace, RELEVANT_PERHAPS, 2500); /* which alone would wait until 22000 */
        assert_int_equal(pace_due(&pace), 3000);
        pace_looked(&pace, 3000, 3000, false, 60000);
        assert_int_equal(pace_due(&pace), 13000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(first_look_is_due_at_once),
            cmocka_unit_test(changes_are_waited_out_but_not_for_ever),
            cmocka_unit_test(failure_is_followed_by_a_look_soon_then_ever_later),
            cmocka_unit_test(change_while_something_fails_is_tried_again_soon),
            cmocka_unit_test(what_may_not_matter_costs_a_tenth_of_the_time),
            cmocka_unit_test(what_matters_is_looked_at_soon_whatever_it_costs),
            cmocka_unit_test(look_that_is_wanted_earlier_is_earlier),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
