#include "core/fleet.h"

#include "unit.h"

/* So many rounds, one after the other, with these others; returns the last verdict. */
static bool rounds(struct fleet_watch *watch, unsigned int count, uint32_t own, const uint32_t *others,
                   size_t n_others)
{
        bool strays = false;

        while (count--)
                strays = fleet_judge(watch, own, others, n_others);
        return strays;
}

static void most_of_the_fleet_agree_on_another_plan(void **state)
{
        struct fleet_watch watch = {0};
        const uint32_t others[] = {7, 7};

        (void)state;
        assert_false(rounds(&watch, FLEET_ROUNDS - 1, 5, others, 2));
        assert_true(rounds(&watch, 1, 5, others, 2));
        assert_true(rounds(&watch, 10, 5, others, 2));
        assert_false(rounds(&watch, 1, 7, others, 2));
        assert_false(rounds(&watch, FLEET_ROUNDS - 1, 5, others, 2)); /* from the start */
}

static void one_who_follows_changes_does_not_stray(void **state)
{
        struct fleet_watch watch = {0};
        const uint32_t others[] = {1000, 1000, 1000};

        (void)state;
        for (uint32_t own = 0; own < 10 * FLEET_ROUNDS; own++)
                assert_false(fleet_judge(&watch, own / 2, others, 3));
}

static void half_of_a_fleet_is_not_most_of_it(void **state)
{
        const uint32_t other[] = {7}, split[] = {7, 7, 5}, apart[] = {7, 8, 9, 10},
                       with_us[] = {5, 5, 7, 7, 7};
        struct fleet_watch watch = {0};

        (void)state;
        assert_false(rounds(&watch, 10, 5, other, 0)); /* nobody answers */
        assert_false(rounds(&watch, 10, 5, other, 1));
        assert_false(rounds(&watch, 10, 5, split, 3));
        assert_false(rounds(&watch, 10, 5, apart, 4));
        assert_false(rounds(&watch, 10, 5, with_us, 5));
}

/* Whatever the fleet looks like, most of those who agree stay. */
static void never_the_greater_part_withdraws(void **state)
{
        (void)state;
        for (size_t ones = 0; ones <= 5; ones++) {
                for (size_t twos = 0; twos <= 5; twos++) {
                        uint32_t others[10];
                        struct fleet_watch watch = {0};

                        for (size_t i = 0; i < ones + twos; i++)
                                others[i] = i < ones ? 1 : 2;
                        assert_int_equal(rounds(&watch, FLEET_ROUNDS, 1, others, ones + twos),
                                         twos > ones + 1);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(most_of_the_fleet_agree_on_another_plan),
            cmocka_unit_test(one_who_follows_changes_does_not_stray),
            cmocka_unit_test(half_of_a_fleet_is_not_most_of_it),
            cmocka_unit_test(never_the_greater_part_withdraws),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
