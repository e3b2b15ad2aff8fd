#include "core/notify_line.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

static void expect_end(const struct notify_end *end, const char *addr, enum protocol protocol, uint16_t port)
{
        char text[ADDR_TEXT_SIZE];

        assert_string_equal(addr_format(&end->addr, text), addr);
        assert_int_equal(end->protocol, protocol);
        assert_int_equal(end->port, port);
}

static void real_server_line_tells_both_ends_and_the_state(void **state)
{
        struct notify_line line;

        (void)state;
        assert_int_equal(notify_line_parse("RS [172.16.1.1]:tcp:80 [10.1.1.1]:tcp:80 DOWN", &line), 0);
        assert_true(line.real_server);
        assert_false(line.up);
        assert_string_equal(line.real.text, "[172.16.1.1]:tcp:80");
        assert_string_equal(line.virtual.text, "[10.1.1.1]:tcp:80");
        expect_end(&line.real, "172.16.1.1", PROTOCOL_TCP, 80);
        expect_end(&line.virtual, "10.1.1.1", PROTOCOL_TCP, 80);
        assert_int_equal(notify_line_parse("RS [fd00:2::ffff]:sctp:65535 [fd00:1:1::1]:sctp:65535 UP", &line),
                         0);
        assert_true(line.up);
        expect_end(&line.real, "fd00:2::ffff", PROTOCOL_SCTP, 65535);
        expect_end(&line.virtual, "fd00:1:1::1", PROTOCOL_SCTP, 65535);
}

static void end_of_another_form_is_text_only(void **state)
{
        static const char *const ends[] = {
            "[FWM",       "[5]",           "[10.1.1.1]",         "[10.1.1.1]:80",       "[10.1.1.1]:tcp:",
            "[x]:tcp:80", "[]:tcp:80",     "[10.1.1.1]:tcp:-80", "[10.1.1.1]:tcp:+80",  "[10.1.1.1]tcp:80",
            "[",          "[10.1.1.1]:80", "[10.1.1.1]:tcp:80x", "[10.1.1.1]:tcp:65536"};
        struct notify_line line;
        char text[100];

        (void)state;
        for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
                (void)snprintf(text, sizeof(text), "VS %s UP", ends[i]);
                assert_int_equal(notify_line_parse(text, &line), 0);
                assert_string_equal(line.virtual.text, ends[i]);
                assert_int_equal(line.virtual.addr.family, AF_UNSPEC);
        }
}

static void virtual_server_line_has_no_real_end(void **state)
{
        struct notify_line line;

        (void)state;
        assert_int_equal(notify_line_parse("VS [10.1.1.1]:udp:53 UP", &line), 0);
        assert_false(line.real_server);
        assert_true(line.up);
        assert_string_equal(line.real.text, "");
        assert_string_equal(line.virtual.text, "[10.1.1.1]:udp:53");
}

static void what_is_no_such_line_is_refused_and_leaves_the_last(void **state)
{
        static const char *const bad[] = {
            "",
            " ",
            "VS",
            "VS ",
            "VS [10.1.1.1]:tcp:80",
            "VS [10.1.1.1]:tcp:80 ",
            "VS [10.1.1.1]:tcp:80 SIDEWAYS",
            "VS [10.1.1.1]:tcp:80 UP UP",
            "VS  [10.1.1.1]:tcp:80 UP",
            "VS 10.1.1.1:tcp:80 UP",
            "RS [172.16.1.1]:tcp:80 UP",
            "RS 172.16.1.1:tcp:80 [10.1.1.1]:tcp:80 UP",
            "INSTANCE \"VI_1\" MASTER 100",
            "vs [10.1.1.1]:tcp:80 UP",
            "VS [1111111111111111111111111111111111111111111111111111111111111111111111111111]:tcp:80 UP",
            "VERYLONGKIND [10.1.1.1]:tcp:80 UP",
        };
        struct notify_line line;

        (void)state;
        assert_int_equal(notify_line_parse("VS [10.1.1.1]:udp:53 UP", &line), 0);
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                if (notify_line_parse(bad[i], &line) != -EINVAL)
                        fail_msg("taken: %s", bad[i]);
        assert_string_equal(line.virtual.text, "[10.1.1.1]:udp:53");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_server_line_tells_both_ends_and_the_state),
            cmocka_unit_test(end_of_another_form_is_text_only),
            cmocka_unit_test(virtual_server_line_has_no_real_end),
            cmocka_unit_test(what_is_no_such_line_is_refused_and_leaves_the_last),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
