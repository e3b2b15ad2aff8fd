#include "core/claims.h"

#include "planning.h"
#include "unit.h"

/* ---- without status ---- */

static void services_get_the_next_free_address_in_order_of_name(void **state)
{
        (void)state;
        expect_addresses(SITE, PLAIN("web") PLAIN("api") PLAIN("db"),
                         "10.1.1.1 shop/api\n10.1.1.2 shop/db\n10.1.1.3 shop/web\n");
}

static void namespaces_are_served_before_names(void **state)
{
        (void)state;
        expect_addresses(
            SITE,
            PLAIN("a") "---\n{apiVersion: v1, kind: Service, metadata: {namespace: default, name: z},"
                       " spec: {type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp" PORT80 "}}\n",
            "10.1.1.1 default/z\n10.1.1.2 shop/a\n");
}

static void network_and_broadcast_addresses_are_not_given_out(void **state)
{
        (void)state;
        expect_addresses(POOLS("10.1.1.0/30") BGP, PLAIN("a") PLAIN("b") PLAIN("c"),
                         "10.1.1.1 shop/a\n10.1.1.2 shop/b\n"
                         "! shop/c PoolExhausted: no free IPv4 address in the pools\n");
}

static void pools_of_one_and_two_addresses_are_used_whole(void **state)
{
        (void)state;
        expect_addresses(POOLS("10.1.1.4/31, 10.1.1.9/32") BGP, PLAIN("a") PLAIN("b") PLAIN("c") PLAIN("d"),
                         "10.1.1.4 shop/a\n10.1.1.5 shop/b\n10.1.1.9 shop/c\n"
                         "! shop/d PoolExhausted: no free IPv4 address in the pools\n");
}

static void second_pool_follows_when_the_first_is_used_up(void **state)
{
        (void)state;
        expect_addresses(
            "pools:\n- {name: a, prefixes: [10.1.1.0/30]}\n- {name: b, prefixes: [10.2.0.0/30]}\n" BGP,
            PLAIN("a") PLAIN("b") PLAIN("c"), "10.1.1.1 shop/a\n10.1.1.2 shop/b\n10.2.0.1 shop/c\n");
}

static void last_address_of_the_family_ends_the_search(void **state)
{
        (void)state;
        expect_addresses(POOLS("255.255.255.254/31") BGP, PLAIN("a") PLAIN("b") PLAIN("c"),
                         "255.255.255.254 shop/a\n255.255.255.255 shop/b\n"
                         "! shop/c PoolExhausted: no free IPv4 address in the pools\n");
}

static void dual_stack_service_gets_one_address_of_each_family(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         WITH_SPEC("a", ", ipFamilies: [IPv4, IPv6]") WITH_SPEC("b", ", ipFamilies: [IPv6]"),
                         "10.1.1.1 shop/a\nfd00:1:1::1 shop/a\nfd00:1:1::2 shop/b\n");
}

static void ipv6_service_without_an_ipv6_pool_is_told(void **state)
{
        (void)state;
        expect_addresses(POOLS("10.1.1.0/29") BGP, WITH_SPEC("a", ", ipFamilies: [IPv6]") PLAIN("b"),
                         "10.1.1.1 shop/b\n! shop/a PoolExhausted: no free IPv6 address in the pools\n");
}

/* ---- status ---- */

static void status_is_kept_whatever_the_order_of_names_says(void **state)
{
        (void)state;
        expect_addresses(SITE, PLAIN("a") WITH_STATUS("z", IP("10.1.1.1")) PLAIN("b"),
                         "10.1.1.1 shop/z\n10.1.1.2 shop/a\n10.1.1.3 shop/b\n");
}

static void status_goes_before_what_is_asked_for(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         SERVICE("web", ANNOTATIONS("coracle.lb/address: 10.1.1.5"),
                                 PORT80 ", loadBalancerIP: 10.1.1.6", STATUS(IP("10.1.1.2"))),
                         "10.1.1.2 shop/web\n");
}

static void status_outside_the_pools_is_refused(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_STATUS("web", IP("192.0.2.7")),
                         "! shop/web AddressOutsidePools: 192.0.2.7 is in no pool; refused\n");
}

static void status_with_several_addresses_keeps_each_once(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_STATUS("web", IP("10.1.1.3") IP("fd00:1:1::3") IP("10.1.1.3")),
                         "10.1.1.3 shop/web\nfd00:1:1::3 shop/web\n");
}

static void with_an_assigning_leader_only_status_counts(void **state)
{
        (void)state;
        expect_status_addresses(
            SITE, PLAIN("a") ANNOTATED("b", "coracle.lb/address: 10.1.1.5") WITH_STATUS("c", IP("10.1.1.2")),
            "10.1.1.2 shop/c\n");
}

static void two_services_with_one_status_address_leave_it_to_the_first(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_STATUS("b", IP("10.1.1.2")) WITH_STATUS("a", IP("10.1.1.2")),
                         "10.1.1.2 shop/a\n! shop/b AddressInUse: 10.1.1.2 belongs to shop/a; refused\n");
}

/* ---- asking ---- */

static void address_in_a_pool_is_given_as_asked(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         WITH_SPEC("a", ", loadBalancerIP: 10.1.1.6")
                             ANNOTATED("b", "coracle.lb/address: 10.1.1.5") PLAIN("c"),
                         "10.1.1.1 shop/c\n10.1.1.5 shop/b\n10.1.1.6 shop/a\n");
}

static void annotation_goes_before_the_spec(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         SERVICE("a", ANNOTATIONS("coracle.lb/address: 10.1.1.5"),
                                 PORT80 ", loadBalancerIP: 10.1.1.6", ""),
                         "10.1.1.5 shop/a\n");
}

static void annotation_may_ask_for_one_address_of_each_family(void **state)
{
        (void)state;
        expect_addresses(SITE, ANNOTATED("a", "coracle.lb/address: \" 10.1.1.5 , fd00:1:1::5 \""),
                         "10.1.1.5 shop/a\nfd00:1:1::5 shop/a\n");
}

static void network_address_is_given_to_who_asks_for_it(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_SPEC("a", ", loadBalancerIP: 10.1.1.0"), "10.1.1.0 shop/a\n");
}

static void asking_outside_the_pools_is_refused(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_SPEC("a", ", loadBalancerIP: 10.9.9.9") PLAIN("b"),
                         "10.1.1.1 shop/b\n"
                         "! shop/a AddressOutsidePools: 10.9.9.9 is in no pool; refused\n");
}

static void what_is_no_address_is_refused_with_the_place_it_stands_in(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         WITH_SPEC("a", ", loadBalancerIP: web.example.org")
                             ANNOTATED("b", "coracle.lb/address: \"10.1.1.5;fd00::5\"")
                                 ANNOTATED("c", "coracle.lb/address: \"10.1.1.5 80 { }\""),
                         "! shop/a BadAddress: spec.loadBalancerIP is not an IP address; ignored\n"
                         "! shop/b BadAddress: coracle.lb/address is not an IP address; ignored\n"
                         "! shop/c BadAddress: coracle.lb/address is not an IP address; ignored\n");
}

static void empty_load_balancer_ip_asks_for_nothing(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_SPEC("a", ", loadBalancerIP: \"\""), "10.1.1.1 shop/a\n");
}

static void address_of_another_service_is_refused(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         WITH_SPEC("b", ", loadBalancerIP: 10.1.1.5")
                             WITH_SPEC("a", ", loadBalancerIP: 10.1.1.5") PLAIN("c"),
                         "10.1.1.1 shop/c\n10.1.1.5 shop/a\n"
                         "! shop/b AddressInUse: 10.1.1.5 belongs to shop/a; refused\n");
}

static void status_of_another_service_beats_asking_first_by_name(void **state)
{
        (void)state;
        expect_addresses(SITE, WITH_SPEC("a", ", loadBalancerIP: 10.1.1.5") WITH_STATUS("b", IP("10.1.1.5")),
                         "10.1.1.5 shop/b\n! shop/a AddressInUse: 10.1.1.5 belongs to shop/b; refused\n");
}

static void asked_for_address_is_not_given_to_who_did_not_ask(void **state)
{
        (void)state;
        expect_addresses(SITE, PLAIN("a") PLAIN("b") WITH_SPEC("z", ", loadBalancerIP: 10.1.1.2"),
                         "10.1.1.1 shop/a\n10.1.1.2 shop/z\n10.1.1.3 shop/b\n");
}

/* ---- sharing ---- */

#define SHARING(name, key, port)                                                              \
        SERVICE(name, ANNOTATIONS("coracle.lb/share: " key ", coracle.lb/address: 10.1.1.5"), \
                ", ports: [{port: " port "}]", "")

static void services_with_one_share_key_have_one_address(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         SHARING("b", "mail", "25") SHARING("a", "mail", "143") SHARING("c", "mail", "993"),
                         "10.1.1.5 shop/a\n");
}

static void share_key_must_be_the_owners(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         SHARING("a", "mail", "25") SHARING("b", "web", "80")
                             WITH_SPEC("c", ", loadBalancerIP: 10.1.1.5"),
                         "10.1.1.5 shop/a\n! shop/b AddressInUse: 10.1.1.5 belongs to shop/a; refused\n"
                         "! shop/c AddressInUse: 10.1.1.5 belongs to shop/a; refused\n");
}

static void empty_share_key_shares_nothing(void **state)
{
        (void)state;
        expect_addresses(SITE, SHARING("a", "\"\"", "25") SHARING("b", "\"\"", "80"),
                         "10.1.1.5 shop/a\n! shop/b AddressInUse: 10.1.1.5 belongs to shop/a; refused\n");
}

static void service_of_another_class_holds_no_address(void **state)
{
        (void)state;
        expect_addresses(
            SITE,
            "---\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: a}, spec: {type: "
            "LoadBalancer, loadBalancerClass: other" PORT80 "}" STATUS(IP("10.1.1.1")) "}\n" PLAIN("b"),
            "10.1.1.1 shop/b\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(services_get_the_next_free_address_in_order_of_name),
            cmocka_unit_test(namespaces_are_served_before_names),
            cmocka_unit_test(network_and_broadcast_addresses_are_not_given_out),
            cmocka_unit_test(pools_of_one_and_two_addresses_are_used_whole),
            cmocka_unit_test(second_pool_follows_when_the_first_is_used_up),
            cmocka_unit_test(last_address_of_the_family_ends_the_search),
            cmocka_unit_test(dual_stack_service_gets_one_address_of_each_family),
            cmocka_unit_test(ipv6_service_without_an_ipv6_pool_is_told),
            cmocka_unit_test(status_is_kept_whatever_the_order_of_names_says),
            cmocka_unit_test(status_goes_before_what_is_asked_for),
            cmocka_unit_test(status_outside_the_pools_is_refused),
            cmocka_unit_test(status_with_several_addresses_keeps_each_once),
            cmocka_unit_test(with_an_assigning_leader_only_status_counts),
            cmocka_unit_test(two_services_with_one_status_address_leave_it_to_the_first),
            cmocka_unit_test(address_in_a_pool_is_given_as_asked),
            cmocka_unit_test(annotation_goes_before_the_spec),
            cmocka_unit_test(annotation_may_ask_for_one_address_of_each_family),
            cmocka_unit_test(network_address_is_given_to_who_asks_for_it),
            cmocka_unit_test(asking_outside_the_pools_is_refused),
            cmocka_unit_test(what_is_no_address_is_refused_with_the_place_it_stands_in),
            cmocka_unit_test(empty_load_balancer_ip_asks_for_nothing),
            cmocka_unit_test(address_of_another_service_is_refused),
            cmocka_unit_test(status_of_another_service_beats_asking_first_by_name),
            cmocka_unit_test(asked_for_address_is_not_given_to_who_did_not_ask),
            cmocka_unit_test(services_with_one_share_key_have_one_address),
            cmocka_unit_test(share_key_must_be_the_owners),
            cmocka_unit_test(empty_share_key_shares_nothing),
            cmocka_unit_test(service_of_another_class_holds_no_address),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
