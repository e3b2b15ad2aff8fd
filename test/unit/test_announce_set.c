#include "core/announce_set.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void add(struct prefix_list *list, const char *text)
{
        struct prefix prefix;

        assert_int_equal(prefix_parse(text, &prefix), 0);
        assert_int_equal(prefix_list_append(list, &prefix), 0);
        prefix_list_sort(list);
}

static int decode(const char *line, struct announce_set *set, struct error *error)
{
        return announce_set_decode(line, strlen(line), set, error);
}

static void set_survives_a_round_trip(void **state)
{
        _cleanup_announce_set_ struct announce_set set = {.graceful_shutdown = true, .starting = true},
                                                   back = {0};
        _cleanup_strbuf_ struct strbuf line = {0};
        struct error error;

        (void)state;
        add(&set.routes, "fd00:1:1::1/128");
        add(&set.routes, "10.1.1.1/32");
        add(&set.pools, "10.1.1.0/24");
        add(&set.withheld, "10.1.1.2/32");
        assert_int_equal(announce_set_encode(&set, &line), 0);
        assert_string_equal(line.text,
                            "{\"routes\":[\"10.1.1.1/32\",\"fd00:1:1::1/128\"],"
                            "\"pools\":[\"10.1.1.0/24\"],\"graceful_shutdown\":true,\"starting\":true,"
                            "\"withheld\":[\"10.1.1.2/32\"]}\n");
        assert_int_equal(announce_set_decode(line.text, line.length - 1, &back, &error), 0);
        assert_true(prefix_list_equal(&set.routes, &back.routes));
        assert_true(prefix_list_equal(&set.pools, &back.pools));
        assert_true(back.graceful_shutdown);
        assert_true(back.starting);
        assert_true(prefix_list_equal(&set.withheld, &back.withheld));
}

static void empty_set_survives_a_round_trip(void **state)
{
        _cleanup_announce_set_ struct announce_set set = {0}, back = {0};
        _cleanup_strbuf_ struct strbuf line = {0};
        struct error error;

        (void)state;
        assert_int_equal(announce_set_encode(&set, &line), 0);
        assert_int_equal(announce_set_decode(line.text, line.length - 1, &back, &error), 0);
        assert_int_equal(back.routes.count, 0);
        assert_false(back.graceful_shutdown);
}

static void unsorted_and_doubled_prefixes_come_out_in_order(void **state)
{
        _cleanup_announce_set_ struct announce_set set = {0};
        char text[PREFIX_TEXT_SIZE];
        struct error error;

        (void)state;
        assert_int_equal(decode("{\"routes\":[\"10.1.1.2/32\",\"10.1.1.1/32\",\"10.1.1.2/32\"],\"pools\":[],"
                                "\"graceful_shutdown\":false,\"since\":\"another version\"}",
                                &set, &error),
                         0);
        assert_int_equal(set.routes.count, 2);
        assert_false(set.starting);
        assert_string_equal(prefix_format(&set.routes.prefixes[0], text), "10.1.1.1/32");
        assert_true(prefix_list_contains(&set.routes, &set.routes.prefixes[1]));
}

static void prefix_is_found_inside_the_first_that_holds_all_of_it(void **state)
{
        static const struct {
                const char *prefix, *around;
        } cases[] = {
            {"10.1.1.7/32", "10.1.1.0/24"}, {"10.1.1.0/24", "10.1.1.0/24"},       {"10.1.0.0/16", NULL},
            {"10.1.2.0/32", NULL},          {"fd00:1:1::/120", "fd00:1:1::/112"}, {"fd00:1:1::/64", NULL}};
        _cleanup_prefix_list_ struct prefix_list pools = {0};
        char text[PREFIX_TEXT_SIZE];

        (void)state;
        add(&pools, "10.1.1.0/24");
        add(&pools, "fd00:1:1::/112");
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                const struct prefix *around;
                struct prefix prefix;

                assert_int_equal(prefix_parse(cases[i].prefix, &prefix), 0);
                around = prefix_list_around(&pools, &prefix);
                assert_string_equal(around ? prefix_format(around, text) : "none",
                                    cases[i].around ? cases[i].around : "none");
        }
}

static void foreign_bytes_are_refused_and_leave_the_set_alone(void **state)
{
        static const char *const lines[] = {
            "",
            "{",
            "[]",
            "null",
            "{\"routes\":[],\"pools\":[]}",
            "{\"routes\":[],\"graceful_shutdown\":false}",
            "{\"routes\":{},\"pools\":[],\"graceful_shutdown\":false}",
            "{\"routes\":[1],\"pools\":[],\"graceful_shutdown\":false}",
            "{\"routes\":[\"10.1.1.1\"],\"pools\":[],\"graceful_shutdown\":false}",
            "{\"routes\":[\"10.1.1.1/24\"],\"pools\":[],\"graceful_shutdown\":false}",
            "{\"routes\":[\"10.1.1.1/32 next-hop 6.6.6.6\"],\"pools\":[],\"graceful_shutdown\":false}",
            "{\"routes\":[],\"pools\":[],\"graceful_shutdown\":0}",
            "{\"routes\":[],\"pools\":[],\"graceful_shutdown\":false,\"starting\":null}",
            "{\"routes\":[],\"pools\":[],\"graceful_shutdown\":false,\"withheld\":[\"x\"]}",
            "{\"routes\":[],\"routes\":[],\"pools\":[],\"graceful_shutdown\":false}",
            "{\"routes\":[],\"pools\":[],\"graceful_shutdown\":false} x",
        };
        _cleanup_announce_set_ struct announce_set set = {0};
        struct error error;

        (void)state;
        add(&set.routes, "10.9.9.9/32");
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
                error.what[0] = '\0';
                assert_int_equal(decode(lines[i], &set, &error), -EINVAL);
                assert_true(error.what[0]);
                assert_int_equal(set.routes.count, 1);
        }
}

static void message_beyond_the_limit_is_refused(void **state)
{
        _cleanup_announce_set_ struct announce_set set = {0};
        _cleanup_free_ char *line = calloc(1, ANNOUNCE_MESSAGE_MAX + 1);
        struct error error;

        (void)state;
        assert_non_null(line);
        memset(line, ' ', ANNOUNCE_MESSAGE_MAX + 1);
        assert_int_equal(announce_set_decode(line, ANNOUNCE_MESSAGE_MAX + 1, &set, &error), -EINVAL);
}

static void report_survives_a_round_trip(void **state)
{
        _cleanup_announce_report_ struct announce_report report = {.graceful_shutdown = true,
                                                                   .neighbors_up = 1,
                                                                   .neighbors = 2},
                                                         back = {0};
        _cleanup_strbuf_ struct strbuf line = {0};
        struct error error;

        (void)state;
        add(&report.announced, "10.1.1.1/32");
        assert_int_equal(announce_report_encode(&report, &line), 0);
        assert_string_equal(line.text,
                            "{\"announced\":[\"10.1.1.1/32\"],\"graceful_shutdown\":true,\"neighbors_up\":1,"
                            "\"neighbors\":2}\n");
        assert_int_equal(announce_report_decode(line.text, line.length - 1, &back, &error), 0);
        assert_true(prefix_list_equal(&report.announced, &back.announced) && back.graceful_shutdown);
        assert_int_equal(back.neighbors_up, 1);
        assert_int_equal(back.neighbors, 2);
}

static void report_that_lacks_something_or_has_a_bad_count_is_refused(void **state)
{
        static const char *const lines[] = {
            "{\"announced\":[],\"graceful_shutdown\":false,\"neighbors_up\":-1,\"neighbors\":1}",
            "{\"announced\":[],\"graceful_shutdown\":false,\"neighbors_up\":1,\"neighbors\":4294967296}",
            "{\"announced\":[],\"graceful_shutdown\":false,\"neighbors_up\":1.0,\"neighbors\":1}",
            "{\"announced\":[],\"graceful_shutdown\":false,\"neighbors\":1}",
            "{\"announced\":[],\"neighbors_up\":1,\"neighbors\":1}",
            "{\"announced\":[],\"graceful_shutdown\":1,\"neighbors_up\":1,\"neighbors\":1}",
            "{\"announced\":\"\",\"graceful_shutdown\":false,\"neighbors_up\":1,\"neighbors\":1}",
        };
        _cleanup_announce_report_ struct announce_report report = {0};
        struct error error;

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
                assert_int_equal(announce_report_decode(lines[i], strlen(lines[i]), &report, &error),
                                 -EINVAL);
}

struct next_hops {
        struct addr v4, v6;
};

static struct next_hops next_hops(void)
{
        struct next_hops hops;

        assert_int_equal(addr_parse("10.0.0.106", &hops.v4), 0);
        assert_int_equal(addr_parse("fd00::106", &hops.v6), 0);
        return hops;
}

static void diff_withdraws_first_then_announces(void **state)
{
        _cleanup_announce_set_ struct announce_set announced = {0}, wanted = {0};
        _cleanup_strbuf_ struct strbuf lines = {0};
        struct next_hops hops = next_hops();

        (void)state;
        add(&announced.routes, "10.1.1.1/32");
        add(&announced.routes, "10.1.1.2/32");
        add(&wanted.routes, "10.1.1.2/32");
        add(&wanted.routes, "10.1.1.3/32");
        add(&wanted.routes, "fd00:1:1::1/128");
        assert_int_equal(announce_set_diff(&announced, &wanted, &hops.v4, &hops.v6, &lines), 3);
        assert_string_equal(lines.text, "withdraw route 10.1.1.1/32 next-hop 10.0.0.106\n"
                                        "announce route 10.1.1.3/32 next-hop 10.0.0.106\n"
                                        "announce route fd00:1:1::1/128 next-hop fd00::106\n");
        strbuf_reset(&lines);
        assert_int_equal(announce_set_diff(&wanted, &wanted, &hops.v4, &hops.v6, &lines), 0);
        assert_int_equal(lines.length, 0);
}

static void graceful_shutdown_announces_everything_again_with_the_community(void **state)
{
        _cleanup_announce_set_ struct announce_set announced = {0}, wanted = {.graceful_shutdown = true};
        _cleanup_strbuf_ struct strbuf lines = {0};
        struct next_hops hops = next_hops();

        (void)state;
        add(&announced.routes, "10.1.1.1/32");
        add(&wanted.routes, "10.1.1.1/32");
        assert_int_equal(announce_set_diff(&announced, &wanted, &hops.v4, NULL, &lines), 1);
        assert_string_equal(lines.text,
                            "announce route 10.1.1.1/32 next-hop 10.0.0.106 community [ 65535:0 ]\n");
}

static void family_without_next_hop_is_passed_over(void **state)
{
        _cleanup_announce_set_ struct announce_set announced = {0}, wanted = {0};
        _cleanup_strbuf_ struct strbuf lines = {0};
        struct next_hops hops = next_hops();

        (void)state;
        add(&wanted.routes, "10.1.1.1/32");
        add(&wanted.routes, "fd00:1:1::1/128");
        assert_int_equal(announce_set_diff(&announced, &wanted, &hops.v4, NULL, &lines), 1);
        assert_null(strstr(lines.text, "fd00"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(set_survives_a_round_trip),
            cmocka_unit_test(empty_set_survives_a_round_trip),
            cmocka_unit_test(unsorted_and_doubled_prefixes_come_out_in_order),
            cmocka_unit_test(prefix_is_found_inside_the_first_that_holds_all_of_it),
            cmocka_unit_test(foreign_bytes_are_refused_and_leave_the_set_alone),
            cmocka_unit_test(message_beyond_the_limit_is_refused),
            cmocka_unit_test(report_survives_a_round_trip),
            cmocka_unit_test(report_that_lacks_something_or_has_a_bad_count_is_refused),
            cmocka_unit_test(diff_withdraws_first_then_announces),
            cmocka_unit_test(graceful_shutdown_announces_everything_again_with_the_community),
            cmocka_unit_test(family_without_next_hop_is_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
