#include "base/lines.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void lines_come_out_however_the_bytes_arrive(void **state)
{
        static const char text[] = "one\n\nthree\nfour";
        struct lines lines = {.max = 100};
        const char *line;
        size_t length, n = 0;

        (void)state;
        for (size_t i = 0; i < sizeof(text) - 1; i++) {
                assert_int_equal(lines_feed(&lines, text + i, 1), 0);
                while (lines_next(&lines, &line, &length)) {
                        static const char *const expected[] = {"one", "", "three"};

                        assert_int_equal(length, strlen(expected[n]));
                        assert_memory_equal(line, expected[n], length);
                        n++;
                }
        }
        assert_int_equal(n, 3);
        lines_clear(&lines);
}

static void many_lines_in_one_read_come_out_in_order(void **state)
{
        struct lines lines = {.max = 100};
        const char *line;
        size_t length;

        (void)state;
        assert_int_equal(lines_feed(&lines, "a\nbb\nc", 6), 0);
        assert_true(lines_next(&lines, &line, &length));
        assert_memory_equal(line, "a", length);
        assert_true(lines_next(&lines, &line, &length));
        assert_int_equal(length, 2);
        assert_false(lines_next(&lines, &line, &length));
        assert_int_equal(lines_feed(&lines, "c\n", 2), 0);
        assert_true(lines_next(&lines, &line, &length));
        assert_memory_equal(line, "cc", length);
        lines_clear(&lines);
}

static void line_without_end_is_refused(void **state)
{
        struct lines lines = {.max = 8};
        const char *line;
        size_t length;
        int r = 0;

        (void)state;
        for (int i = 0; i < 10 && r == 0; i++) {
                r = lines_feed(&lines, "xxxx", 4);
                assert_false(lines_next(&lines, &line, &length));
        }
        assert_int_equal(r, -EMSGSIZE);
        lines_clear(&lines);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(lines_come_out_however_the_bytes_arrive),
            cmocka_unit_test(many_lines_in_one_read_come_out_in_order),
            cmocka_unit_test(line_without_end_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
