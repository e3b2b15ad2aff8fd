#include "base/sorted.h"

#include "unit.h"

static int compare(const void *key, const void *element)
{
        return *(const int *)key - *(const int *)element;
}

static void what_is_there_is_found_and_what_is_not_has_a_place(void **state)
{
        static const int numbers[] = {1, 3, 5, 7, 9, 11};

        (void)state;
        for (size_t count = 0; count <= sizeof(numbers) / sizeof(*numbers); count++) {
                for (int key = 0; key <= 12; key++) {
                        size_t expected = (size_t)key / 2 < count ? (size_t)key / 2 : count, at;
                        bool found = sorted_find(&key, numbers, count, sizeof(*numbers), compare, &at);

                        assert_int_equal(found, key % 2 == 1 && expected < count);
                        assert_int_equal(at, expected);
                }
        }
}

static void empty_array_may_be_null(void **state)
{
        int key = 1;
        size_t at = 7;

        (void)state;
        assert_false(sorted_find(&key, NULL, 0, sizeof(key), compare, &at));
        assert_int_equal(at, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_is_there_is_found_and_what_is_not_has_a_place),
            cmocka_unit_test(empty_array_may_be_null),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
