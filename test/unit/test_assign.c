/* What the leader writes into statuses: core/claims and core/plan with PLAN_ADDRESSES_ASSIGN. */
#include "core/claims.h"

#include "planning.h"
#include "unit.h"

static void service_without_an_address_is_given_one(void **state)
{
        (void)state;
        expect_assignments(SITE, PLAIN("web") PLAIN("api"), "10.1.1.1 shop/api\n10.1.1.2 shop/web\n");
}

static void what_stands_in_a_status_stays_and_is_not_written_again(void **state)
{
        (void)state;
        expect_assignments(SITE, WITH_STATUS("web", IP("10.1.1.1")) PLAIN("api"), "10.1.1.2 shop/api\n");
        expect_assignments(SITE, WITH_STATUS("web", IP("10.1.1.5")), "");
}

/* Kubernetes 1.30 sets the mode of what was written before it: kube-proxy then keeps the address to itself.
 */
static void status_with_another_mode_is_written_again(void **state)
{
        (void)state;
        expect_assignments(SITE, WITH_STATUS("web", "{ip: 10.1.1.5, ipMode: VIP},"), "10.1.1.5 shop/web\n");
        expect_assignments(SITE, WITH_STATUS("web", "{ip: 10.1.1.5, ipMode: Proxy},"), "");
}

static void only_what_is_written_is_served(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SITE, WITH_STATUS("web", IP("10.1.1.5")) PLAIN("api"), PLAN_ADDRESSES_ASSIGN);

        (void)state;
        assert_int_equal(plan->n_assignments, 1);
        assert_int_equal(plan->n_vips, 1);
        assert_int_equal(plan->vips[0].addr.bytes[3], 5);
}

/* Followers serve what statuses say, and a write may fail for long. */
static void what_is_about_to_be_replaced_is_served_until_it_is(void **state)
{
        static const char *const situations[] = {
            SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"), PORT80, STATUS(IP("10.1.1.2"))),
            SERVICE("web", "", PORT80 ", ipFamilies: [IPv4]", STATUS(IP("10.1.1.3") IP("fd00:1:1::3"))),
            SERVICE("web", "", PORT80 ", ipFamilies: [IPv6]", STATUS(IP("10.1.1.3"))),
            WITH_STATUS("b", IP("10.1.1.2")) WITH_STATUS("a", IP("10.1.1.2")),
            WITH_STATUS("web", IP("192.0.2.7")),
        };

        (void)state;
        for (size_t i = 0; i < sizeof(situations) / sizeof(*situations); i++) {
                _cleanup_plan_ struct plan *leads = plan_of(SITE, situations[i], PLAN_ADDRESSES_ASSIGN);
                _cleanup_plan_ struct plan *follows = plan_of(SITE, situations[i], PLAN_ADDRESSES_STATUS);

                assert_int_equal(leads->n_assignments, 1);
                assert_int_equal(leads->n_vips, follows->n_vips);
                for (size_t j = 0; j < leads->n_vips; j++)
                        assert_true(addr_equal(&leads->vips[j].addr, &follows->vips[j].addr));
        }
}

static void what_a_status_still_says_is_nobody_elses(void **state)
{
        (void)state;
        expect_assignments(SITE,
                           PLAIN("a") SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"), PORT80,
                                              STATUS(IP("10.1.1.1"))),
                           "10.1.1.2 shop/a\n10.1.1.5 shop/web\n");
        expect_assignments(SITE,
                           WITH_SPEC("a", ", ipFamilies: [IPv6]")
                               SERVICE("web", "", PORT80, STATUS(IP("10.1.1.1") IP("fd00:1:1::1"))),
                           "fd00:1:1::2 shop/a\n10.1.1.1 shop/web\n");
}

static void asked_for_address_replaces_the_one_it_has(void **state)
{
        (void)state;
        expect_assignments(
            SITE, SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"), PORT80, STATUS(IP("10.1.1.2"))),
            "10.1.1.5 shop/web\n");
        expect_assignments(
            SITE, SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"), PORT80, STATUS(IP("10.1.1.5"))),
            "");
}

static void who_asks_in_vain_keeps_what_he_has(void **state)
{
        (void)state;
        expect_assignments(
            SITE,
            WITH_STATUS("api", IP("10.1.1.5"))
                SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"), PORT80, STATUS(IP("10.1.1.2"))),
            "! shop/web AddressInUse: 10.1.1.5 belongs to shop/api; refused\n");
        expect_assignments(
            SITE,
            SERVICE("web", ANNOTATIONS("coracle.lb/address: 192.0.2.1"), PORT80, STATUS(IP("10.1.1.2"))),
            "! shop/web AddressOutsidePools: 192.0.2.1 is in no pool; refused\n");
}

static void who_asks_in_vain_and_has_nothing_gets_nothing(void **state)
{
        (void)state;
        expect_assignments(SITE, ANNOTATED("web", "coracle.lb/address: 192.0.2.1"),
                           "! shop/web AddressOutsidePools: 192.0.2.1 is in no pool; refused\n");
        expect_assignments(SITE, ANNOTATED("web", "coracle.lb/address: elsewhere"),
                           "! shop/web BadAddress: coracle.lb/address is not an IP address; ignored\n");
}

static void address_that_left_the_pools_is_replaced(void **state)
{
        (void)state;
        expect_assignments(
            SITE, WITH_STATUS("web", IP("192.0.2.7")),
            "10.1.1.1 shop/web\n! shop/web AddressOutsidePools: 192.0.2.7 is in no pool; refused\n");
}

static void second_of_two_with_one_address_moves(void **state)
{
        (void)state;
        expect_assignments(SITE, WITH_STATUS("b", IP("10.1.1.2")) WITH_STATUS("a", IP("10.1.1.2")),
                           "10.1.1.1 shop/b\n! shop/b AddressInUse: 10.1.1.2 belongs to shop/a; refused\n");
}

static void family_that_is_added_gets_an_address_and_the_other_keeps_its(void **state)
{
        (void)state;
        expect_assignments(SITE,
                           SERVICE("web", "", PORT80 ", ipFamilies: [IPv4, IPv6]", STATUS(IP("10.1.1.3"))),
                           "10.1.1.3 shop/web\nfd00:1:1::1 shop/web\n");
}

static void family_that_is_dropped_leaves_the_status(void **state)
{
        (void)state;
        expect_assignments(
            SITE, SERVICE("web", "", PORT80 ", ipFamilies: [IPv4]", STATUS(IP("10.1.1.3") IP("fd00:1:1::3"))),
            "10.1.1.3 shop/web\n");
        expect_assignments(SITE, SERVICE("web", "", PORT80 ", ipFamilies: [IPv6]", STATUS(IP("10.1.1.3"))),
                           "fd00:1:1::1 shop/web\n");
}

static void asking_for_one_family_leaves_the_other_to_the_pools(void **state)
{
        (void)state;
        expect_assignments(SITE,
                           SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"),
                                   PORT80 ", ipFamilies: [IPv4, IPv6]", ""),
                           "10.1.1.5 shop/web\nfd00:1:1::1 shop/web\n");
}

static void exhausted_pool_takes_nothing_from_anybody(void **state)
{
        (void)state;
        expect_assignments(POOLS("10.1.1.0/30") BGP,
                           PLAIN("a") WITH_STATUS("b", IP("10.1.1.1")) WITH_STATUS("c", IP("10.1.1.2")),
                           "! shop/a PoolExhausted: no free IPv4 address in the pools\n");
}

static void sharing_services_are_both_written(void **state)
{
        (void)state;
        expect_assignments(SITE,
                           ANNOTATED("a", "coracle.lb/address: 10.1.1.5, coracle.lb/share: x")
                               SERVICE("b", ANNOTATIONS("coracle.lb/address: 10.1.1.5, coracle.lb/share: x"),
                                       ", ports: [{port: 81}]", ""),
                           "10.1.1.5 shop/a\n10.1.1.5 shop/b\n");
}

#define SHARED(name, port, status)                                                      \
        SERVICE(name, ANNOTATIONS("coracle.lb/address: 10.1.1.5, coracle.lb/share: x"), \
                ", ports: [{port: " port "}]", status)

static void what_sharing_services_ask_for_and_have_counts_once(void **state)
{
        (void)state;
        expect_assignments(SITE,
                           SHARED("a", "80", STATUS(IP("10.1.1.5"))) SHARED("b", "81", STATUS(IP("10.1.1.5")))
                               SHARED("c", "82", ""),
                           "10.1.1.5 shop/c\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(service_without_an_address_is_given_one),
            cmocka_unit_test(what_stands_in_a_status_stays_and_is_not_written_again),
            cmocka_unit_test(status_with_another_mode_is_written_again),
            cmocka_unit_test(only_what_is_written_is_served),
            cmocka_unit_test(what_is_about_to_be_replaced_is_served_until_it_is),
            cmocka_unit_test(what_a_status_still_says_is_nobody_elses),
            cmocka_unit_test(asked_for_address_replaces_the_one_it_has),
            cmocka_unit_test(who_asks_in_vain_keeps_what_he_has),
            cmocka_unit_test(who_asks_in_vain_and_has_nothing_gets_nothing),
            cmocka_unit_test(address_that_left_the_pools_is_replaced),
            cmocka_unit_test(second_of_two_with_one_address_moves),
            cmocka_unit_test(family_that_is_added_gets_an_address_and_the_other_keeps_its),
            cmocka_unit_test(family_that_is_dropped_leaves_the_status),
            cmocka_unit_test(asking_for_one_family_leaves_the_other_to_the_pools),
            cmocka_unit_test(exhausted_pool_takes_nothing_from_anybody),
            cmocka_unit_test(sharing_services_are_both_written),
            cmocka_unit_test(what_sharing_services_ask_for_and_have_counts_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
