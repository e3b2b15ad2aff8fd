#include "core/exabgp_reply.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct exabgp_reply parse(const char *line)
{
        struct exabgp_reply reply;

        exabgp_reply_parse(line, strlen(line), &reply);
        return reply;
}

/* The lines are what exabgp 4.2.21 wrote. */
static void answers_are_told_apart(void **state)
{
        (void)state;
        assert_int_equal(parse("done").type, EXABGP_REPLY_DONE);
        assert_int_equal(parse("error").type, EXABGP_REPLY_ERROR);
        assert_int_equal(parse("shutdown 8995 8984").type, EXABGP_REPLY_SHUTDOWN);
}

static void neighbor_changes_carry_the_address(void **state)
{
        struct exabgp_reply reply = parse("neighbor 10.0.0.109 up");
        char text[ADDR_TEXT_SIZE];

        (void)state;
        assert_int_equal(reply.type, EXABGP_REPLY_NEIGHBOR_UP);
        assert_string_equal(addr_format(&reply.neighbor, text), "10.0.0.109");
        reply = parse("neighbor 10.0.0.109 down - peer reset, message [closing connection] "
                      "error[Broken TCP connection]");
        assert_int_equal(reply.type, EXABGP_REPLY_NEIGHBOR_DOWN);
        assert_int_equal(parse("neighbor fd00::109 connected").type, EXABGP_REPLY_NEIGHBOR_CONNECTED);
}

static void held_route_carries_prefix_and_next_hop(void **state)
{
        struct exabgp_reply reply =
            parse("neighbor 10.0.0.109 ipv6 unicast fd00:1:1::1/128 next-hop fd00::106");
        char prefix[PREFIX_TEXT_SIZE], addr[ADDR_TEXT_SIZE];

        (void)state;
        assert_int_equal(reply.type, EXABGP_REPLY_ROUTE);
        assert_string_equal(prefix_format(&reply.prefix, prefix), "fd00:1:1::1/128");
        assert_string_equal(addr_format(&reply.next_hop, addr), "fd00::106");
        assert_int_equal(parse("neighbor 10.0.0.109 ipv4 unicast 10.1.1.1/32").type, EXABGP_REPLY_ROUTE);
}

static void summary_shows_established_neighbors(void **state)
{
        (void)state;
        assert_int_equal(parse("Peer            AS        up/down state       |     #sent     #recvd").type,
                         EXABGP_REPLY_OTHER);
        assert_int_equal(parse("10.0.0.109      65021     0:00:03 established           7          0").type,
                         EXABGP_REPLY_NEIGHBOR_UP);
}

static void what_is_unknown_is_other(void **state)
{
        static const char *const lines[] = {
            "",
            " ",
            "done done",
            "neighbor",
            "neighbor 10.0.0.109",
            "neighbor 10.0.0.300 up",
            "neighbor 10.0.0.109 upset",
            "neighbor 10.0.0.109 ipv4 unicast 10.1.1.1/99 next-hop 10.0.0.106",
            "neighbor 10.0.0.109 ipv4 flow 10.1.1.1/32",
            "neighbor 10.0.0.109 receive update start",
            "x 65021 0:00:03 established",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
                struct exabgp_reply reply = parse(lines[i]);

                assert_int_equal(reply.type, EXABGP_REPLY_OTHER);
                assert_int_equal(reply.neighbor.family, 0);
        }
}

static void line_of_any_length_and_bytes_is_harmless(void **state)
{
        static char line[10000];
        struct exabgp_reply reply;

        (void)state;
        memset(line, 'x', sizeof(line));
        exabgp_reply_parse(line, sizeof(line), &reply);
        assert_int_equal(reply.type, EXABGP_REPLY_OTHER);
        for (size_t i = 0; i < sizeof(line); i++)
                line[i] = (char)(i * 7 % 256);
        exabgp_reply_parse(line, sizeof(line), &reply);
        assert_int_equal(reply.type, EXABGP_REPLY_OTHER);
        exabgp_reply_parse("neighbor 10.0.0.109 up", 21, &reply);
        assert_int_equal(reply.type, EXABGP_REPLY_OTHER);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(answers_are_told_apart),
            cmocka_unit_test(neighbor_changes_carry_the_address),
            cmocka_unit_test(held_route_carries_prefix_and_next_hop),
            cmocka_unit_test(summary_shows_established_neighbors),
            cmocka_unit_test(what_is_unknown_is_other),
            cmocka_unit_test(line_of_any_length_and_bytes_is_harmless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
