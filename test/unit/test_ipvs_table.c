#include "core/ipvs_table.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define HEADER                                          \
        "IP Virtual Server version 1.2.1 (size=4096)\n" \
        "Prot LocalAddress:Port Scheduler Flags\n"      \
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"

static void parse(const char *text, struct ipvs_table *out)
{
        struct error error = {0};

        if (ipvs_table_parse(text, out, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
}

static void expect_real(const struct ipvs_real *real, const char *addr, uint16_t port, uint32_t weight)
{
        char text[ADDR_TEXT_SIZE];

        assert_string_equal(addr_format(&real->addr, text), addr);
        assert_int_equal(real->port, port);
        assert_int_equal(real->weight, weight);
}

static void expect_virtual(const struct ipvs_virtual *virtual, const char *vip, enum protocol protocol,
                           uint16_t port, const char *scheduler, size_t n_reals)
{
        char text[ADDR_TEXT_SIZE];

        assert_string_equal(addr_format(&virtual->vip, text), vip);
        assert_int_equal(virtual->protocol, protocol);
        assert_int_equal(virtual->port, port);
        assert_string_equal(virtual->scheduler, scheduler);
        assert_int_equal(virtual->n_reals, n_reals);
}

static void kernel_without_services_is_an_empty_table(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(HEADER, &table);
        assert_int_equal(table.n_virtuals, 0);
        assert_int_equal(table.n_reals, 0);
}

static void ipv4_services_are_read_and_sorted(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(HEADER "UDP  0A010102:0035 wlc \n"
                     "  -> AC100103:14E9      Masq    1      0          7         \n"
                     "TCP  0A010101:01BB mh  (mh-fallback,mh-port)\n"
                     "TCP  0A010101:0050 rr \n"
                     "  -> AC10010A:1F90      Masq    1      3          42        \n"
                     "  -> AC100109:1F90      Tunnel  0      0          0         \n",
              &table);
        assert_int_equal(table.n_virtuals, 3);
        expect_virtual(&table.virtuals[0], "10.1.1.1", PROTOCOL_TCP, 80, "rr", 2);
        expect_real(&table.virtuals[0].reals[0], "172.16.1.9", 8080, 0);
        expect_real(&table.virtuals[0].reals[1], "172.16.1.10", 8080, 1);
        assert_int_equal(table.virtuals[0].reals[0].forwarding, FORWARDING_TUNNEL);
        assert_int_equal(table.virtuals[0].reals[1].forwarding, FORWARDING_NAT);
        assert_int_equal(table.virtuals[0].reals[1].active, 3);
        assert_int_equal(table.virtuals[0].reals[1].inactive, 42);
        expect_virtual(&table.virtuals[1], "10.1.1.1", PROTOCOL_TCP, 443, "mh", 0);
        expect_virtual(&table.virtuals[2], "10.1.1.2", PROTOCOL_UDP, 53, "wlc", 1);
        expect_real(&table.virtuals[2].reals[0], "172.16.1.3", 5353, 1);
}

static void ipv6_services_are_read(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(
            HEADER
            "TCP  [fd00:0001:0001:0000:0000:0000:0000:0001]:0050 rr \n"
            "  -> [fd00:0002:0000:0000:0000:0000:0000:000a]:1F90      Masq    1      0          0         \n",
            &table);
        assert_int_equal(table.n_virtuals, 1);
        expect_virtual(&table.virtuals[0], "fd00:1:1::1", PROTOCOL_TCP, 80, "rr", 1);
        expect_real(&table.virtuals[0].reals[0], "fd00:2::a", 8080, 1);
}

static void persistent_and_one_packet_services_are_read_as_others(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(HEADER "TCP  0A010101:0050 rr persistent 10800 FFFFFFFF\n"
                     "  -> AC100101:1F90      Masq    1      0          0         \n"
                     "UDP  0A010101:0035 rr ops \n"
                     "  -> AC100101:0035      Masq    1      0          0         \n"
                     "SCTP 0A010101:0050 rr persistent 10800 FFFFFFFF ops \n",
              &table);
        assert_int_equal(table.n_virtuals, 3);
        expect_virtual(&table.virtuals[0], "10.1.1.1", PROTOCOL_TCP, 80, "rr", 1);
        expect_virtual(&table.virtuals[1], "10.1.1.1", PROTOCOL_UDP, 53, "rr", 1);
        expect_virtual(&table.virtuals[2], "10.1.1.1", PROTOCOL_SCTP, 80, "rr", 0);
}

static void services_by_firewall_mark_are_passed_over_with_their_servers(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(HEADER "FWM  00000001 rr \n"
                     "  -> AC100101:0000      Route   1      0          0         \n"
                     "TCP  0A010101:0050 rr \n"
                     "  -> AC100102:1F90      Masq    1      0          0         \n"
                     "FWM  00000002 IPv6 rr persistent 300\n"
                     "  -> AC100103:0000      Route   1      0          0         \n",
              &table);
        assert_int_equal(table.n_virtuals, 1);
        assert_int_equal(table.n_reals, 1);
        expect_real(&table.virtuals[0].reals[0], "172.16.1.2", 8080, 1);
}

static void forwarding_that_we_never_make_is_told_apart(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(HEADER "TCP  0A010101:0050 rr \n"
                     "  -> AC100101:1F90      Route   1      0          0         \n"
                     "  -> AC100102:1F90      Local   1      0          0         \n"
                     "  -> AC100103:1F90      Masq    1      0          0         \n",
              &table);
        assert_false(table.virtuals[0].reals[0].forwarding_known);
        assert_false(table.virtuals[0].reals[1].forwarding_known);
        assert_true(table.virtuals[0].reals[2].forwarding_known);
}

static void found_by_its_key_only(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct virtual_server key = {.port = 80, .protocol = PROTOCOL_TCP};

        (void)state;
        parse(HEADER "TCP  0A010103:0050 rr \nTCP  0A010101:0050 rr \nTCP  0A010102:0050 sh \n", &table);
        assert_int_equal(addr_parse("10.1.1.2", &key.vip), 0);
        assert_string_equal(ipvs_table_find(&table, &key)->scheduler, "sh");
        key.port = 81;
        assert_null(ipvs_table_find(&table, &key));
        key.port = 80;
        key.protocol = PROTOCOL_UDP;
        assert_null(ipvs_table_find(&table, &key));
}

static void text_that_is_no_table_is_refused(void **state)
{
        static const char *const bad[] = {"", "\n", "IP Virtual", "Inter-|   Receive\n"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                struct ipvs_table table = {0};
                struct error error = {0};

                assert_int_equal(ipvs_table_parse(bad[i], &table, &error), -EINVAL);
                assert_string_equal(error.what, "this is not an IPVS table");
        }
}

static void line_that_cannot_be_understood_is_named(void **state)
{
        static const char *const bad[] = {
            "TCP\n",
            "TCP  0A010101:0050\n",
            "TCP  0A0101:0050 rr \n",
            "TCP  0A010101FF:0050 rr \n",
            "TCP  0A010101:10000 rr \n",
            "TCP  0A010101: rr \n",
            "TCP  0A010101 rr \n",
            "TCP  -A010101:0050 rr \n",
            "TCP  0A01010g:0050 rr \n",
            "TCP  [fd00::1:0050 rr \n",
            "TCP  []:0050 rr \n",
            "TCP  [10.1.1.1]:0050 rr \n",
            "TCP  0A010101:0050 a-scheduler-with-an-endless-name \n",
            "ICMP 0A010101:0050 rr \n",
            "garbage\n",
            "TCP  0A010101:0050 rr \n  -> AC100101:1F90 Masq\n",
            "TCP  0A010101:0050 rr \n  -> AC100101:1F90 Masq -1 0 0\n",
            "TCP  0A010101:0050 rr \n  -> AC100101:1F90 Masq 1 0 4294967296\n",
            "TCP  0A010101:0050 rr \n  -> AC100101:1F90 Masq 1 zero 0\n",
            "TCP  0A010101:0050 rr \n  ->\n",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                struct ipvs_table table = {0};
                struct error error = {0};
                char text[512];

                (void)snprintf(text, sizeof(text), HEADER "%s", bad[i]);
                if (ipvs_table_parse(text, &table, &error) != -EINVAL)
                        fail_msg("understood: %s", bad[i]);
                assert_string_equal(error.where,
                                    strstr(bad[i], "->") ? "/proc/net/ip_vs:5" : "/proc/net/ip_vs:4");
                assert_string_equal(error.what, "cannot be understood");
                assert_null(table.virtuals);
        }
}

static void server_before_any_service_is_nobodys(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse(HEADER "  -> AC100101:1F90      Masq    1      0          0         \n", &table);
        assert_int_equal(table.n_reals, 0);
}

static void text_cut_in_the_header_is_an_empty_table(void **state)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};

        (void)state;
        parse("IP Virtual Server version 1.2.1 (size=4096)\nProt Local", &table);
        assert_int_equal(table.n_virtuals, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(kernel_without_services_is_an_empty_table),
            cmocka_unit_test(ipv4_services_are_read_and_sorted),
            cmocka_unit_test(ipv6_services_are_read),
            cmocka_unit_test(persistent_and_one_packet_services_are_read_as_others),
            cmocka_unit_test(services_by_firewall_mark_are_passed_over_with_their_servers),
            cmocka_unit_test(forwarding_that_we_never_make_is_told_apart),
            cmocka_unit_test(found_by_its_key_only),
            cmocka_unit_test(text_that_is_no_table_is_refused),
            cmocka_unit_test(line_that_cannot_be_understood_is_named),
            cmocka_unit_test(server_before_any_service_is_nobodys),
            cmocka_unit_test(text_cut_in_the_header_is_an_empty_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
