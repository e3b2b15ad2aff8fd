#include "core/notify_line.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void virtual_server_lines_are_read(void **state)
{
        struct notify_line line;

        (void)state;
        assert_int_equal(notify_line_parse("VS [10.1.1.1]:tcp:80 UP", &line), 0);
        assert_false(line.real_server);
        assert_true(line.up);
        assert_string_equal(line.virtual, "[10.1.1.1]:tcp:80");
        assert_string_equal(line.real, "");
}

static void real_server_lines_are_read(void **state)
{
        struct notify_line line;

        (void)state;
        assert_int_equal(notify_line_parse("RS [fd00::1]:udp:53 [fd00:1:1::1]:udp:53 DOWN", &line), 0);
        assert_true(line.real_server);
        assert_false(line.up);
        assert_string_equal(line.real, "[fd00::1]:udp:53");
        assert_string_equal(line.virtual, "[fd00:1:1::1]:udp:53");
}

static void everything_else_is_refused_and_leaves_the_result_alone(void **state)
{
        static const char *const lines[] = {
            "",
            "VS",
            "VS ",
            "VS [10.1.1.1]:tcp:80",
            "VS [10.1.1.1]:tcp:80 ",
            "VS [10.1.1.1]:tcp:80 up",

            "VS [10.1.1.1]:tcp:80 UP 1",
            "VS  [10.1.1.1]:tcp:80 UP",
            "VS 10.1.1.1:tcp:80 UP",
            "XS [10.1.1.1]:tcp:80 UP",
            "RS [172.16.1.1]:tcp:80 UP",
            "RS 172.16.1.1 [10.1.1.1]:tcp:80 UP",
            "INSTANCE \"VI\" MASTER 100",
            "VS [10.1.1.1]:tcp:80000000000000000000000000000000000000000000000000000000000000000 UP"};
        struct notify_line line = {.up = true, .real = "x"};

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
                assert_int_equal(notify_line_parse(lines[i], &line), -EINVAL);
        assert_true(line.up);
        assert_string_equal(line.real, "x");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(virtual_server_lines_are_read),
            cmocka_unit_test(real_server_lines_are_read),
            cmocka_unit_test(everything_else_is_refused_and_leaves_the_result_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
