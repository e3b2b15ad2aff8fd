/* Who may connect: from the Service's field to the packet filter's rules. */
#include "core/source_rules.h"

#include "planning.h"
#include "unit.h"

#include <string.h>

#define RANGES(list) ", loadBalancerSourceRanges: [" list "]"
#define SLICE_FOR(name) SLICE(name, name, READY("172.16.1.1"))
#define RULE(match) "-A CORACLE-SOURCES -d 10.1.1.1/32 -p tcp -m tcp --dport 80" match "\n"
#define FROM(range) RULE(" -s " range " -j RETURN")
#define NOBODY_ELSE RULE(" -j DROP")

static struct plan *plan_or_none(const char *objects)
{
        return objects ? plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE) : NULL;
}

/* What runs, what keepalived is being asked about, and what is next. */
struct served {
        const char *running, *candidate, *waiting;
};

static void expect_rules_among(struct served served, const char *objects, uint8_t family,
                               const char *expected, bool closing)
{
        _cleanup_plan_ struct plan *running = plan_or_none(served.running),
                                   *candidate = plan_or_none(served.candidate),
                                   *waiting = plan_or_none(served.waiting);
        _cleanup_plan_ struct plan *plan = plan_or_none(objects);
        struct source_rules rules = {0};

        assert_int_equal(
            source_rules_render(plan, &(struct served_plans){running, candidate, waiting}, family, &rules),
            0);
        assert_string_equal(rules.text.text ? rules.text.text : "", expected);
        assert_int_equal(rules.closing, closing);
        source_rules_clear(&rules);
}

static void expect_rules_between(const char *before, const char *objects, uint8_t family,
                                 const char *expected, bool closing)
{
        expect_rules_among((struct served){.running = before}, objects, family, expected, closing);
}

static void expect_rules(const char *objects, const char *expected)
{
        expect_rules_between(NULL, objects, AF_INET, expected, false);
}

static void service_without_ranges_has_no_rule(void **state)
{
        (void)state;
        expect_rules(PLAIN("web") SLICE_FOR("web"), "");
        expect_rules(WITH_SPEC("web", RANGES("")) SLICE_FOR("web"), "");
}

static void ranges_are_let_in_sorted_and_once_and_nobody_else(void **state)
{
        (void)state;
        expect_rules(WITH_SPEC("web", RANGES("192.168.1.0/24, 10.2.0.0/16, \"192.168.1.7/24\""))
                         SLICE_FOR("web"),
                     FROM("10.2.0.0/16") FROM("192.168.1.0/24") NOBODY_ELSE);
}

static void range_of_all_addresses_needs_no_rule(void **state)
{
        (void)state;
        expect_rules(WITH_SPEC("web", RANGES("10.2.0.0/16, 0.0.0.0/0")) SLICE_FOR("web"), "");
}

static void every_port_and_protocol_has_its_rules_and_other_services_none(void **state)
{
        (void)state;
        expect_rules(SERVICE("dns", "",
                             ", ports: [{name: t, port: 53}, {name: u, port: 53, protocol: UDP},"
                             " {name: s, port: 53, protocol: SCTP}]" RANGES("10.0.0.0/8"),
                             "") SLICE_OF("IPv4", "dns", "dns",
                                          "{name: t, port: 53}, {name: u, port: 53, protocol: UDP},"
                                          " {name: s, port: 53, protocol: SCTP}",
                                          READY("172.16.1.1")) PLAIN("web") SLICE_FOR("web"),
                     "-A CORACLE-SOURCES -d 10.1.1.1/32 -p tcp -m tcp --dport 53 -s 10.0.0.0/8 -j RETURN\n"
                     "-A CORACLE-SOURCES -d 10.1.1.1/32 -p tcp -m tcp --dport 53 -j DROP\n"
                     "-A CORACLE-SOURCES -d 10.1.1.1/32 -p udp -m udp --dport 53 -s 10.0.0.0/8 -j RETURN\n"
                     "-A CORACLE-SOURCES -d 10.1.1.1/32 -p udp -m udp --dport 53 -j DROP\n"
                     "-A CORACLE-SOURCES -d 10.1.1.1/32 -p sctp -m sctp --dport 53 -s 10.0.0.0/8 -j RETURN\n"
                     "-A CORACLE-SOURCES -d 10.1.1.1/32 -p sctp -m sctp --dport 53 -j DROP\n");
}

#define DUAL(ranges)                                                               \
        SERVICE("web", "", PORT80 ", ipFamilies: [IPv4, IPv6]" RANGES(ranges), "") \
        SLICE_FOR("web") SLICE_OF("IPv6", "web6", "web", "{port: 8080}", READY("fd00:2::1"))
#define RULE6(match) "-A CORACLE-SOURCES -d fd00:1:1::1/128 -p tcp -m tcp --dport 80" match "\n"

static void each_family_has_its_own_ranges(void **state)
{
        (void)state;
        expect_rules_between(NULL, DUAL("10.0.0.0/8, \"fd00:9::/32\""), AF_INET,
                             FROM("10.0.0.0/8") NOBODY_ELSE, false);
        expect_rules_between(NULL, DUAL("10.0.0.0/8, \"fd00:9::/32\""), AF_INET6,
                             RULE6(" -s fd00:9::/32 -j RETURN") RULE6(" -j DROP"), false);
}

static void family_without_a_range_is_closed_and_told(void **state)
{
        (void)state;
        expect_rules_between(NULL, DUAL("10.0.0.0/8"), AF_INET6, RULE6(" -j DROP"), false);
        expect_addresses(
            SITE, DUAL("10.0.0.0/8"),
            "10.1.1.1 shop/web\nfd00:1:1::1 shop/web\n"
            "! shop/web NoSourceAllowed: spec.loadBalancerSourceRanges has no IPv6 range: nobody may "
            "connect to the IPv6 address\n");
}

#define BAD "! shop/web BadSourceRange: spec.loadBalancerSourceRanges[0] is no CIDR; it lets nobody in\n"

static void bad_range_lets_nobody_in_and_is_told(void **state)
{
        (void)state;
        expect_rules(WITH_SPEC("web", RANGES("everybody, 10.0.0.0/8")) SLICE_FOR("web"),
                     FROM("10.0.0.0/8") NOBODY_ELSE);
        expect_addresses(SITE, WITH_SPEC("web", RANGES("everybody, 10.0.0.0/8")), "10.1.1.1 shop/web\n" BAD);
        expect_rules(WITH_SPEC("web", RANGES("\"0.0.0.0/0 -j ACCEPT\"")) SLICE_FOR("web"), NOBODY_ELSE);
        expect_addresses(
            SITE, WITH_SPEC("web", RANGES("0")),
            "10.1.1.1 shop/web\n" BAD
            "! shop/web NoSourceAllowed: spec.loadBalancerSourceRanges has no IPv4 range: nobody may "
            "connect to the IPv4 address\n");
}

#define CLOSED_WEB WITH_SPEC("web", RANGES("10.0.0.0/8")) SLICE_FOR("web")

static void restricted_service_that_goes_is_closed_until_it_is_gone(void **state)
{
        (void)state;
        expect_rules_between(CLOSED_WEB, PLAIN("z") SLICE_FOR("z"), AF_INET, NOBODY_ELSE, true);
        expect_rules_between(CLOSED_WEB, "", AF_INET, NOBODY_ELSE, true);
        expect_rules_between(PLAIN("web") SLICE_FOR("web"), "", AF_INET, "", false);
}

static void restricted_service_on_its_way_that_goes_is_closed_too(void **state)
{
        (void)state;
        expect_rules_among((struct served){.candidate = CLOSED_WEB}, "", AF_INET, NOBODY_ELSE, true);
        expect_rules_among((struct served){.running = PLAIN("a") SLICE_FOR("a"), .candidate = CLOSED_WEB},
                           PLAIN("z") SLICE_FOR("z"), AF_INET, NOBODY_ELSE, true);
        expect_rules_among((struct served){.running = CLOSED_WEB, .candidate = PLAIN("a") SLICE_FOR("a")},
                           CLOSED_WEB, AF_INET, FROM("10.0.0.0/8") NOBODY_ELSE, false);
        expect_rules_among((struct served){.candidate = PLAIN("a") SLICE_FOR("a"), .waiting = CLOSED_WEB},
                           PLAIN("z") SLICE_FOR("z"), AF_INET, NOBODY_ELSE, true);
}

static void its_successor_on_the_same_address_waits_for_that(void **state)
{
        (void)state;
        expect_rules_between(CLOSED_WEB, WITH_SPEC("api", RANGES("10.9.0.0/16")) SLICE_FOR("api"), AF_INET,
                             NOBODY_ELSE, true);
}

static void service_that_stays_has_its_new_ranges_at_once(void **state)
{
        (void)state;
        expect_rules_between(CLOSED_WEB, WITH_SPEC("web", RANGES("10.9.0.0/16")) SLICE_FOR("web"), AF_INET,
                             FROM("10.9.0.0/16") NOBODY_ELSE, false);
        expect_rules_between(CLOSED_WEB, PLAIN("web") SLICE_FOR("web"), AF_INET, "", false);
}

static void input_links_the_chain_once_and_removes_it_when_nobody_needs_it(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, CLOSED_WEB, PLAN_ADDRESSES_ALLOCATE);
        struct source_rules rules = {0}, none = {0};
        struct strbuf text = {0};

        (void)state;
        assert_int_equal(source_rules_render(plan, &(struct served_plans){0}, AF_INET, &rules), 0);
        assert_int_equal(source_rules_input(&rules, true, &text), 0);
        assert_string_equal(strchr(text.text, '\n') + 1,
                            "*filter\n:CORACLE-SOURCES - [0:0]\n-D INPUT -j CORACLE-SOURCES\n"
                            "-I INPUT -j CORACLE-SOURCES\n" FROM("10.0.0.0/8") NOBODY_ELSE "COMMIT\n");
        strbuf_clear(&text);
        assert_int_equal(source_rules_input(&none, true, &text), 0);
        assert_string_equal(strchr(text.text, '\n') + 1,
                            "*filter\n:CORACLE-SOURCES - [0:0]\n-D INPUT -j CORACLE-SOURCES\n"
                            "-X CORACLE-SOURCES\nCOMMIT\n");
        strbuf_clear(&text);
        assert_int_equal(source_rules_input(&none, false, &text), 0);
        assert_null(strstr(text.text, "INPUT"));
        strbuf_clear(&text);
        source_rules_clear(&rules);
}

static void vips_agree_when_their_rules_are_the_same(void **state)
{
        _cleanup_plan_ struct plan *one = plan_of(SITE, CLOSED_WEB, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_plan_ struct plan *two = plan_of(
            SITE, CLOSED_WEB WITH_SPEC("x", RANGES("10.0.0.0/8")) SLICE_FOR("x"), PLAN_ADDRESSES_ALLOCATE);
        struct source_rules a = {0}, b = {0};

        (void)state;
        assert_int_equal(source_rules_render(one, &(struct served_plans){0}, AF_INET, &a), 0);
        assert_int_equal(source_rules_render(two, &(struct served_plans){0}, AF_INET, &b), 0);
        assert_int_equal(b.n_vips, 2);
        assert_true(source_rules_agree(&a, &b, &two->vips[0].addr));
        assert_false(source_rules_agree(&a, &b, &two->vips[1].addr));
        source_rules_clear(&a);
        assert_false(source_rules_agree(&a, &b, &two->vips[0].addr));
        source_rules_clear(&b);
        assert_true(source_rules_agree(&a, &b, &two->vips[0].addr));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(service_without_ranges_has_no_rule),
            cmocka_unit_test(ranges_are_let_in_sorted_and_once_and_nobody_else),
            cmocka_unit_test(range_of_all_addresses_needs_no_rule),
            cmocka_unit_test(every_port_and_protocol_has_its_rules_and_other_services_none),
            cmocka_unit_test(each_family_has_its_own_ranges),
            cmocka_unit_test(family_without_a_range_is_closed_and_told),
            cmocka_unit_test(bad_range_lets_nobody_in_and_is_told),
            cmocka_unit_test(restricted_service_that_goes_is_closed_until_it_is_gone),
            cmocka_unit_test(restricted_service_on_its_way_that_goes_is_closed_too),
            cmocka_unit_test(its_successor_on_the_same_address_waits_for_that),
            cmocka_unit_test(service_that_stays_has_its_new_ranges_at_once),
            cmocka_unit_test(input_links_the_chain_once_and_removes_it_when_nobody_needs_it),
            cmocka_unit_test(vips_agree_when_their_rules_are_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
