#include "core/ipvs_table.h"

#include "site.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define HEADER                                          \
        "IP Virtual Server version 1.2.1 (size=4096)\n" \
        "Prot LocalAddress:Port Scheduler Flags\n"      \
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
#define WEB "TCP  0A010101:0050 rr \n"
#define RS1(forward, weight, active) \
        "  -> AC100101:0050      " forward "    " weight "      " active "          0         \n"
#define RS2 "  -> AC100102:0050      Masq    1      3          2         \n"

/* Two real servers behind one VIP. */
#define OBJECTS(annotations)                                 \
        SERVICE("web", annotations, ", ports: [{port: 80}]") \
        SLICE("a", "web", IPV4("80", READY("172.16.1.1") "," READY("172.16.1.2")))

struct outcome {
        size_t differences;
        struct ipvs_vip_state vip;
        struct error difference;
};

static struct outcome compare(const char *objects, const char *text)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *plan = site_plan(config, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct outcome outcome = {0};
        struct error error = {0};

        if (ipvs_table_parse(text, &table, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        assert_int_equal(plan->n_vips, 1);
        outcome.differences = ipvs_table_compare(&table, plan, &outcome.vip, &outcome.difference);
        return outcome;
}

static void table_is_read_and_sorted(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error;
        char text[ADDR_TEXT_SIZE];

        (void)state;
        assert_int_equal(
            ipvs_table_parse(HEADER
                             "UDP  0A010102:0035 wlc persistent 300 FFFFFFFF\n"
                             "TCP  [fd00:0001:0001:0000:0000:0000:0000:0001]:0050 mh (mh-port,mh-fallback)\n"
                             "  -> [fd00:0000:0000:0000:0000:0000:0000:0002]:1F90      Tunnel  7      1      "
                             "    2         \n"
                             "FWM  00000007 rr \n"
                             "  -> AC100109:0000      Local   1      0          0         \n" WEB RS2 RS1(
                                 "Route", "0", "4"),
                             &table, &error),
            0);
        assert_int_equal(table.n_virtuals, 3);
        assert_int_equal(table.virtuals[0].port, 80);
        assert_int_equal(table.virtuals[0].n_reals, 2);
        assert_string_equal(addr_format(&table.virtuals[0].reals[0].addr, text), "172.16.1.1");
        assert_false(table.virtuals[0].reals[0].forwarding_known);
        assert_int_equal(table.virtuals[0].reals[0].active, 4);
        assert_int_equal(table.virtuals[1].protocol, PROTOCOL_UDP);
        assert_int_equal(table.virtuals[1].n_reals, 0);
        assert_string_equal(addr_format(&table.virtuals[2].vip, text), "fd00:1:1::1");
        assert_string_equal(table.virtuals[2].scheduler, "mh");
        assert_int_equal(table.virtuals[2].reals[0].port, 8080);
        assert_int_equal(table.virtuals[2].reals[0].weight, 7);
        assert_int_equal(table.virtuals[2].reals[0].forwarding, FORWARDING_TUNNEL);
}

static void empty_table_is_a_table(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error;

        (void)state;
        assert_int_equal(ipvs_table_parse(HEADER, &table, &error), 0);
        assert_int_equal(table.n_virtuals, 0);
}

static void what_is_no_table_is_refused_with_its_line(void **state)
{
        static const struct {
                const char *text, *where;
        } cases[] = {
            {"", "/proc/net/ip_vs"},
            {"cpu 1 2 3\n", "/proc/net/ip_vs"},
            {HEADER "TCP  0A010101 rr\n", "/proc/net/ip_vs:4"},
            {HEADER "TCP  0A0101:0050 rr\n", "/proc/net/ip_vs:4"},
            {HEADER "TCP  0A010101:10050 rr\n", "/proc/net/ip_vs:4"},
            {HEADER "TCP  0A010101:0050\n", "/proc/net/ip_vs:4"},
            {HEADER "ICMP 0A010101:0050 rr\n", "/proc/net/ip_vs:4"},
            {HEADER "TCP  0A010101:0050 aschedulerwithaverylongname\n", "/proc/net/ip_vs:4"},
            {HEADER "TCP  [10.1.1.1]:0050 rr\n", "/proc/net/ip_vs:4"},
            {HEADER WEB "  -> AC100101:0050 Masq -1 0 0\n", "/proc/net/ip_vs:5"},
            {HEADER WEB "  -> AC100101:0050 Masq 1 0\n", "/proc/net/ip_vs:5"},
            {HEADER WEB "  -> AC100101:0050 Masq 1 0 4294967296\n", "/proc/net/ip_vs:5"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                struct ipvs_table table = {0};
                struct error error = {0};

                assert_int_equal(ipvs_table_parse(cases[i].text, &table, &error), -EINVAL);
                assert_string_equal(error.where, cases[i].where);
                assert_null(table.virtuals);
        }
}

static void table_as_planned_matches(void **state)
{
        struct outcome outcome = compare(OBJECTS(""), HEADER WEB RS1("Masq", "1", "5") RS2);

        (void)state;
        assert_int_equal(outcome.differences, 0);
        assert_true(outcome.vip.matches);
        assert_int_equal(outcome.vip.up, 2);
        assert_int_equal(outcome.vip.active, 8);
}

static void server_taken_out_by_its_check_is_no_difference(void **state)
{
        struct outcome outcome = compare(OBJECTS(""), HEADER WEB RS2);

        (void)state;
        assert_int_equal(outcome.differences, 0);
        assert_true(outcome.vip.matches);
        assert_int_equal(outcome.vip.up, 1);
        assert_int_equal(outcome.vip.down, 1);
        outcome = compare(OBJECTS(", annotations: {coracle.lb/health-check: none}"), HEADER WEB RS2);
        assert_int_equal(outcome.differences, 1);
        assert_string_equal(outcome.difference.what, "a real server is missing");
}

static void every_kind_of_difference_is_named(void **state)
{
        static const struct {
                const char *table, *what;
        } cases[] = {
            {"", "is missing"},
            {"TCP  0A010101:0050 wlc \n" RS1("Masq", "1", "0") RS2, "has another scheduler"},
            {WEB RS1("Tunnel", "1", "0") RS2, "a real server has another forwarding method"},
            {WEB RS1("Local", "1", "0") RS2, "a real server has another forwarding method"},
            {WEB RS1("Masq", "2", "0") RS2, "a real server has another weight"},
            {WEB RS1("Masq", "1", "0") RS2 "  -> AC100103:0050 Masq 1 0 0\n",
             "a real server is not in the plan"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char text[1024];
                struct outcome outcome;

                assert_true(snprintf(text, sizeof(text), HEADER "%s", cases[i].table) > 0);
                outcome = compare(OBJECTS(""), text);
                assert_int_equal(outcome.differences, 1);
                assert_false(outcome.vip.matches);
                assert_string_equal(outcome.difference.where, "TCP [10.1.1.1]:80");
                assert_string_equal(outcome.difference.what, cases[i].what);
        }
}

static void virtual_server_that_nobody_planned_is_a_difference(void **state)
{
        struct outcome outcome =
            compare(OBJECTS(""), HEADER "TCP  0A010101:0051 rr \n" WEB RS1("Masq", "1", "0") RS2);

        (void)state;
        assert_int_equal(outcome.differences, 1);
        assert_false(outcome.vip.matches);
        assert_string_equal(outcome.difference.where, "TCP [10.1.1.1]:81");
        /* On an address of nobody it is counted, but is no VIP's fault. */
        outcome = compare(OBJECTS(""), HEADER "TCP  01010101:0050 rr \n" WEB RS1("Masq", "1", "0") RS2);
        assert_int_equal(outcome.differences, 1);
        assert_true(outcome.vip.matches);
        assert_string_equal(outcome.difference.what, "is not in the plan");
}

static void draining_servers_do_not_count_as_up(void **state)
{
        struct outcome outcome =
            compare(SERVICE("web", "", ", ports: [{port: 80}]")
                        SLICE("a", "web", IPV4("80", DRAINING("172.16.1.1") "," READY("172.16.1.2"))),
                    HEADER WEB RS1("Masq", "0", "9") RS2);

        (void)state;
        assert_int_equal(outcome.differences, 0);
        assert_int_equal(outcome.vip.up, 1);
        assert_int_equal(outcome.vip.draining, 1);
        assert_int_equal(outcome.vip.active, 12);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(table_is_read_and_sorted),
            cmocka_unit_test(empty_table_is_a_table),
            cmocka_unit_test(what_is_no_table_is_refused_with_its_line),
            cmocka_unit_test(table_as_planned_matches),
            cmocka_unit_test(server_taken_out_by_its_check_is_no_difference),
            cmocka_unit_test(every_kind_of_difference_is_named),
            cmocka_unit_test(virtual_server_that_nobody_planned_is_a_difference),
            cmocka_unit_test(draining_servers_do_not_count_as_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
