#include "core/tunnel_probes.h"

#include "planning.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define HEADER                                          \
        "IP Virtual Server version 1.2.1 (size=4096)\n" \
        "Prot LocalAddress:Port Scheduler Flags\n"      \
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
#define REAL(last, weight) "  -> AC1001" last ":0050      Tunnel  " weight "      0          0         \n"

#define TUNNEL(name, endpoints)                                                         \
        ANNOTATED(name, "coracle.lb/forwarding: tunnel, coracle.lb/health-check: none") \
        SLICE_OF("IPv4", name "-1", name, "{port: 80}", endpoints)
#define WEB TUNNEL("web", READY("172.16.1.1") READY("172.16.1.2"))
#define WEB_TABLE HEADER "TCP  0A010101:0050 mh \n" REAL("01", "1") REAL("02", "1")

static int64_t now_ms;

static void follow(struct tunnel_probes *probes, const char *objects, const char *table_text)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error = {0};

        assert_int_equal(ipvs_table_parse(table_text, &table, &error), 0);
        assert_int_equal(tunnel_probes_follow(probes, plan, &table, now_ms), 0);
}

static void expect_targets(const struct tunnel_probes *probes, const char *expected)
{
        char text[1024] = "", vip[ADDR_TEXT_SIZE], real_server[ADDR_TEXT_SIZE];
        size_t length = 0;

        for (size_t i = 0; i < probes->count; i++)
                length += (size_t)snprintf(text + length, sizeof(text) - length, "%s>%s ",
                                           addr_format(&probes->targets[i].vip, vip),
                                           addr_format(&probes->targets[i].real_server, real_server));
        assert_string_equal(text, expected);
}

static bool is_among(const struct addr *real_server, const char *digits)
{
        return real_server->bytes[3] < 32 && strchr(digits, '0' + real_server->bytes[3]);
}

/* Lets ticks run for so long; real servers whose last byte is in `answering` answer at once. Returns the
 * number of requests; *busiest (may be NULL) is the most in one tick. */
static size_t run_for(struct tunnel_probes *probes, int64_t ms, const char *answering, size_t *busiest)
{
        struct tunnel_target due[TUNNEL_BURST];
        size_t asked = 0;

        for (int64_t end = now_ms + ms, next; now_ms <= end; now_ms = next < 0 ? end + 1 : next) {
                size_t count = tunnel_probes_tick(probes, now_ms, (uint32_t)now_ms * 7919, due, &next);

                assert_true(count <= TUNNEL_BURST && (next < 0 || next >= now_ms + TUNNEL_TICK_MS));
                asked += count;
                if (busiest && count > *busiest)
                        *busiest = count;
                for (size_t i = 0; i < count; i++)
                        if (is_among(&due[i].real_server, answering))
                                tunnel_probes_answered(probes, &due[i].vip, &due[i].real_server, now_ms,
                                                       ((uint32_t)now_ms + (uint32_t)i) * 104729u);
        }
        return asked;
}

static void expect_told(const struct tunnel_probes *probes, const char *objects, const char *expected)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_strbuf_ struct strbuf text = {0};

        assert_int_equal(tunnel_probes_tell(probes, plan), 0);
        assert_true(plan->tunnels_probed);
        for (size_t i = 0; i < plan->n_services; i++)
                assert_int_equal(strbuf_printf(&text, "%s %u\n", plan->services[i].name,
                                               plan->services[i].tunnel_unanswered),
                                 0);
        for (size_t i = 0; i < plan->n_problems; i++)
                assert_int_equal(strbuf_printf(&text, "! %s %s: %s\n", plan->problems[i].service,
                                               plan->problems[i].reason, plan->problems[i].message),
                                 0);
        assert_string_equal(text.text, expected);
}

#define NAMED(service, vip, real_server)                                                                   \
        "! shop/" service " TunnelUnanswered: " real_server " does not answer a ping to " vip              \
        " through the tunnel: its pod needs the init container of components/tunnel-server, or something " \
        "drops ICMP\n"

static void real_servers_of_tunnels_in_the_kernel_are_targets(void **state)
{
        struct tunnel_probes probes = {0};

        (void)state;
        follow(&probes,
               WEB PLAIN("nat") SLICE("nat-1", "nat", READY("172.16.1.9"))
                   TUNNEL("xx", READY("172.16.1.3") READY("172.16.1.4") DRAINING("172.16.1.5")),
               HEADER "TCP  0A010101:0050 rr \n  -> AC100109:1F90      Masq    1      0          0         \n"
                      "TCP  0A010102:0050 mh \n" REAL("01", "1")
                          REAL("02", "1") "TCP  0A010103:0050 mh \n" REAL("03", "1") REAL("05", "0"));
        expect_targets(&probes, "10.1.1.2>172.16.1.1 10.1.1.2>172.16.1.2 10.1.1.3>172.16.1.3 ");
        follow(&probes, "", HEADER);
        expect_targets(&probes, "");
        tunnel_probes_clear(&probes);
}

static void table_that_cannot_be_read_changes_nothing(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, WEB, PLAN_ADDRESSES_ALLOCATE);
        struct tunnel_probes probes = {0};

        (void)state;
        follow(&probes, WEB, WEB_TABLE);
        assert_int_equal(tunnel_probes_follow(&probes, plan, NULL, now_ms), 0);
        assert_int_equal(tunnel_probes_follow(&probes, NULL, NULL, now_ms), 0);
        expect_targets(&probes, "10.1.1.1>172.16.1.1 10.1.1.1>172.16.1.2 ");
        tunnel_probes_clear(&probes);
}

static void one_that_never_answers_is_told_within_15_s_and_the_other_is_not(void **state)
{
        struct tunnel_probes probes = {0};

        (void)state;
        follow(&probes, WEB, WEB_TABLE);
        (void)run_for(&probes, TUNNEL_RETRY_MS * TUNNEL_MISSED_MAX - 1, "1", NULL);
        expect_told(&probes, WEB, "shop/web 0\n");
        (void)run_for(&probes, 15000 - TUNNEL_RETRY_MS * TUNNEL_MISSED_MAX, "1", NULL);
        expect_told(&probes, WEB, "shop/web 1\n" NAMED("web", "10.1.1.1", "172.16.1.2"));
        (void)run_for(&probes, 600000, "1", NULL);
        expect_told(&probes, WEB, "shop/web 1\n" NAMED("web", "10.1.1.1", "172.16.1.2"));
        (void)run_for(&probes, TUNNEL_INTERVAL_MS * 3 / 2, "12", NULL);
        expect_told(&probes, WEB, "shop/web 0\n");
        tunnel_probes_clear(&probes);
}

static void one_that_stops_answering_is_told_after_three_requests_in_a_row(void **state)
{
        struct tunnel_probes probes = {0};

        (void)state;
        follow(&probes, WEB, WEB_TABLE);
        (void)run_for(&probes, 100000, "12", NULL);
        assert_int_equal(probes.unanswered, 0);
        (void)run_for(&probes, TUNNEL_RETRY_MS * TUNNEL_MISSED_MAX - 1, "2", NULL);
        assert_int_equal(probes.unanswered, 0);
        (void)run_for(&probes, TUNNEL_INTERVAL_MS * 3 / 2 + TUNNEL_RETRY_MS * TUNNEL_MISSED_MAX, "2", NULL);
        assert_int_equal(probes.unanswered, 1);
        tunnel_probes_clear(&probes);
}

static void two_lost_answers_are_forgiven(void **state)
{
        struct tunnel_probes probes = {0};

        (void)state;
        follow(&probes, WEB, WEB_TABLE);
        for (int i = 0; i < 10; i++) {
                (void)run_for(&probes, TUNNEL_RETRY_MS * 2 - 1, "", NULL);
                (void)run_for(&probes, TUNNEL_INTERVAL_MS * 3 / 2, "12", NULL);
                assert_int_equal(probes.unanswered, 0);
        }
        tunnel_probes_clear(&probes);
}

static void what_is_known_of_a_target_stays_when_others_come_and_go(void **state)
{
        struct tunnel_probes probes = {0};

        (void)state;
        follow(&probes, WEB, WEB_TABLE);
        (void)run_for(&probes, 15000, "1", NULL);
        follow(&probes, TUNNEL("web", READY("172.16.1.2") READY("172.16.1.3")),
               HEADER "TCP  0A010101:0050 mh \n" REAL("02", "1") REAL("03", "1"));
        assert_int_equal(probes.unanswered, 1);
        follow(&probes, TUNNEL("web", READY("172.16.1.3")),
               HEADER "TCP  0A010101:0050 mh \n" REAL("03", "1"));
        assert_int_equal(probes.unanswered, 0);
        tunnel_probes_clear(&probes);
}

static void ports_of_a_service_are_told_once_and_services_of_an_address_each(void **state)
{
#define SHARED(name, ports)                                                                              \
        SERVICE(name,                                                                                    \
                ANNOTATIONS("coracle.lb/share: k, coracle.lb/address: 10.1.1.5, coracle.lb/forwarding: " \
                            "tunnel"),                                                                   \
                ", ports: [" ports "]", "")
        static const char objects[] =
            SHARED("a", "{name: p, port: 80}, {name: q, port: 81}") SHARED("b", "{port: 82}")
                SLICE_OF("IPv4", "a-1", "a", "{name: p, port: 80}, {name: q, port: 81}", READY("172.16.1.1"))
                    SLICE_OF("IPv4", "b-1", "b", "{port: 82}", READY("172.16.1.1"));
        struct tunnel_probes probes = {0};

        (void)state;
        follow(
            &probes, objects,
            HEADER "TCP  0A010105:0050 mh \n" REAL(
                "01",
                "1") "TCP  0A010105:0051 mh \n  -> AC100101:0051      Tunnel  1      0          0         \n"
                     "TCP  0A010105:0052 mh \n  -> AC100101:0052      Tunnel  1      0          0         "
                     "\n");
        expect_targets(&probes, "10.1.1.5>172.16.1.1 ");
        (void)run_for(&probes, 15000, "", NULL);
        expect_told(&probes, objects,
                    "shop/a 1\nshop/b 1\n" NAMED("a", "10.1.1.5", "172.16.1.1")
                        NAMED("b", "10.1.1.5", "172.16.1.1"));
        tunnel_probes_clear(&probes);
}

#define MANY 250

/* Real servers 172.16.1.0 and so on behind one VIP. */
static void follow_many(struct tunnel_probes *probes, struct strbuf *objects)
{
        _cleanup_strbuf_ struct strbuf endpoints = {0}, table = {0};

        assert_int_equal(strbuf_puts(&table, HEADER "TCP  0A010101:0050 mh \n"), 0);
        for (unsigned int i = 0; i < MANY; i++) {
                assert_int_equal(strbuf_printf(&endpoints, READY("172.16.1.%u"), i), 0);
                assert_int_equal(strbuf_printf(&table, REAL("%02X", "1"), i), 0);
        }
        assert_int_equal(strbuf_printf(objects, TUNNEL("web", "%s"), endpoints.text), 0);
        follow(probes, objects->text, table.text);
        assert_int_equal(probes->count, MANY);
}

static void many_are_asked_in_their_time_and_never_in_a_burst(void **state)
{
        static const char all[] = "0123456789:;<=>?@"; /* last bytes 0 to 16; the others never answer */
        _cleanup_strbuf_ struct strbuf objects = {0};
        struct tunnel_probes probes = {0};
        size_t busiest = 0, late = 0, asked;

        (void)state;
        follow_many(&probes, &objects);
        (void)run_for(&probes, 15000, all, &busiest);
        assert_int_equal(probes.unanswered, MANY - strlen(all));
        assert_true(busiest <= TUNNEL_BURST);
        asked = run_for(&probes, 600000, all, &late);
        assert_true(asked > MANY * 15 && asked < MANY * 25); /* 20 intervals */
        assert_true(late < TUNNEL_BURST / 2);                /* they have drifted apart */
        tunnel_probes_clear(&probes);
}

static void of_many_some_are_told_by_name(void **state)
{
        _cleanup_strbuf_ struct strbuf objects = {0};
        struct tunnel_probes probes = {0};

        (void)state;
        follow_many(&probes, &objects);
        (void)run_for(&probes, 15000, "1", NULL);
        expect_told(&probes, objects.text,
                    "shop/web 249\n" NAMED("web", "10.1.1.1", "172.16.1.0")
                        NAMED("web", "10.1.1.1", "172.16.1.2")
                            NAMED("web", "10.1.1.1", "172.16.1.3") "! shop/web TunnelUnanswered: more of its "
                                                                   "real servers do not answer a ping "
                                                                   "through the tunnel\n");
        tunnel_probes_clear(&probes);
}

static void answer_of_somebody_who_was_not_asked_is_passed_over(void **state)
{
        struct tunnel_probes probes = {0};
        struct addr vip, stranger;

        (void)state;
        assert_int_equal(addr_parse("10.1.1.1", &vip), 0);
        assert_int_equal(addr_parse("172.16.1.77", &stranger), 0);
        tunnel_probes_answered(&probes, &vip, &stranger, now_ms, 0);
        follow(&probes, WEB, WEB_TABLE);
        tunnel_probes_answered(&probes, &vip, &stranger, now_ms, 0);
        tunnel_probes_answered(&probes, &vip, &probes.targets[0].real_server, now_ms, 0);
        assert_int_equal(probes.targets[0].due_ms, now_ms);
        tunnel_probes_clear(&probes);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_servers_of_tunnels_in_the_kernel_are_targets),
            cmocka_unit_test(table_that_cannot_be_read_changes_nothing),
            cmocka_unit_test(one_that_never_answers_is_told_within_15_s_and_the_other_is_not),
            cmocka_unit_test(one_that_stops_answering_is_told_after_three_requests_in_a_row),
            cmocka_unit_test(two_lost_answers_are_forgiven),
            cmocka_unit_test(what_is_known_of_a_target_stays_when_others_come_and_go),
            cmocka_unit_test(ports_of_a_service_are_told_once_and_services_of_an_address_each),
            cmocka_unit_test(many_are_asked_in_their_time_and_never_in_a_burst),
            cmocka_unit_test(of_many_some_are_told_by_name),
            cmocka_unit_test(answer_of_somebody_who_was_not_asked_is_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
