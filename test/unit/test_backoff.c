#include "core/backoff.h"

#include "unit.h"

static void delay_doubles_up_to_the_cap(void **state)
{
        struct backoff backoff = {0};
        int64_t whole = BACKOFF_FIRST_MS;

        (void)state;
        for (int i = 0; i < 100; i++) {
                int64_t delay = backoff_next(&backoff, UINT32_MAX, 0);

                assert_true(delay >= whole - 1 && delay <= whole);
                whole = whole * 2 < BACKOFF_MAX_MS ? whole * 2 : BACKOFF_MAX_MS;
        }
}

static void jitter_spreads_over_the_upper_half(void **state)
{
        static const uint32_t randoms[] = {0, 1u << 30, 1u << 31, UINT32_MAX};
        int64_t previous = -1;

        (void)state;
        for (size_t i = 0; i < sizeof(randoms) / sizeof(*randoms); i++) {
                struct backoff backoff = {.failures = 50};
                int64_t delay = backoff_next(&backoff, randoms[i], 0);

                assert_true(delay > previous);
                assert_true(delay >= BACKOFF_MAX_MS / 2 && delay <= BACKOFF_MAX_MS);
                previous = delay;
        }
}

static void retry_after_is_waited_for(void **state)
{
        struct backoff backoff = {0};

        (void)state;
        assert_int_equal(backoff_next(&backoff, 0, 7000), 7000);
        assert_true(backoff_next(&backoff, UINT32_MAX, 8000) <= 10000);
        assert_true(backoff_next(&backoff, UINT32_MAX, 8000) >= 8000);
}

static void short_or_absurd_retry_after_is_bounded(void **state)
{
        struct backoff backoff = {.failures = 50};

        (void)state;
        assert_true(backoff_next(&backoff, 0, 10) >= BACKOFF_MAX_MS / 2);
        assert_true(backoff_next(&backoff, 0, -1) >= BACKOFF_MAX_MS / 2);
        assert_int_equal(backoff_next(&backoff, 0, INT64_MAX), BACKOFF_RETRY_AFTER_MAX_MS);
}

static void success_starts_again_from_the_first_delay(void **state)
{
        struct backoff backoff = {.failures = UINT32_MAX};

        (void)state;
        assert_true(backoff_next(&backoff, 0, 0) >= BACKOFF_MAX_MS / 2);
        assert_true(backoff_next(&backoff, 0, 0) >= BACKOFF_MAX_MS / 2);
        backoff_reset(&backoff);
        assert_int_equal(backoff_next(&backoff, 0, 0), BACKOFF_FIRST_MS / 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(delay_doubles_up_to_the_cap),
            cmocka_unit_test(jitter_spreads_over_the_upper_half),
            cmocka_unit_test(retry_after_is_waited_for),
            cmocka_unit_test(short_or_absurd_retry_after_is_bounded),
            cmocka_unit_test(success_starts_again_from_the_first_delay),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
