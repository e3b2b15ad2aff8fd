#include "core/claims.h"

#include "site.h"
#include "unit.h"

#include <string.h>

#define PORT ", ports: [{port: 80}]"
#define SHARES(address, key) ", annotations: {coracle.lb/address: " address ", coracle.lb/share: '" key "'}"
#define ASKS(address) ", annotations: {coracle.lb/address: '" address "'}"

/* A Service with what its status says. */
#define WITH_STATUS(name, spec, address)                                \
        "---\n{kind: Service, apiVersion: v1, metadata: {name: " name   \
        ", namespace: shop}, spec: {type: LoadBalancer,"                \
        " loadBalancerClass: coracle.lb/ecmp, ports: [{port: 80}]" spec \
        "}, status: {loadBalancer: {ingress: [{ip: '" address "'}]}}}\n"

/* "10.1.1.1 shop/a\n" per VIP, then the problems. */
static void assert_addresses(const char *objects, enum plan_addresses addresses, const char *expected)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *plan = site_plan(config, objects, addresses);
        _cleanup_strbuf_ struct strbuf text = {0};
        char vip[ADDR_TEXT_SIZE];

        for (size_t i = 0; i < plan->n_vips; i++)
                assert_int_equal(strbuf_printf(&text, "%s %s\n", addr_format(&plan->vips[i].addr, vip),
                                               plan->services[plan->vips[i].service].name),
                                 0);
        site_dump_problems(plan, &text);
        assert_string_equal(text.text, expected);
}

static void free_addresses_are_given_in_order_of_names(void **state)
{
        (void)state;
        assert_addresses(SERVICE("c", "", PORT) SERVICE("a", "", PORT) SERVICE("b", "", PORT),
                         PLAN_ADDRESSES_ALLOCATE, "10.1.1.1 shop/a\n10.1.1.2 shop/b\n10.1.1.3 shop/c\n");
}

static void status_goes_before_everything(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", ASKS("10.1.1.2"), PORT)
                             WITH_STATUS("b", ", loadBalancerIP: 10.1.1.4", "10.1.1.2"),
                         PLAN_ADDRESSES_ALLOCATE, "10.1.1.2 shop/b\nshop/a AddressInUse\n");
}

static void asked_for_address_is_kept_from_the_others(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", "", PORT) SERVICE("b", ASKS("10.1.1.1"), PORT)
                             SERVICE("c", "", ", loadBalancerIP: 10.1.1.2" PORT),
                         PLAN_ADDRESSES_ALLOCATE, "10.1.1.1 shop/b\n10.1.1.2 shop/c\n10.1.1.3 shop/a\n");
}

static void annotation_goes_before_the_spec_and_may_name_both_families(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", ASKS("10.1.1.5, fd00:1:1::5"), ", loadBalancerIP: 10.1.1.2" PORT),
                         PLAN_ADDRESSES_ALLOCATE, "10.1.1.5 shop/a\nfd00:1:1::5 shop/a\n");
}

static void address_outside_the_pools_is_refused(void **state)
{
        (void)state;
        assert_addresses(
            SERVICE("a", ASKS("192.0.2.1"), PORT) SERVICE("b", "", ", loadBalancerIP: 10.1.1.8" PORT)
                WITH_STATUS("c", "", "10.9.9.9"),
            PLAN_ADDRESSES_ALLOCATE,
            "shop/a AddressOutsidePools\nshop/b AddressOutsidePools\nshop/c AddressOutsidePools\n");
}

static void text_that_is_no_address_is_a_problem(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", ASKS("10.1.1"), PORT), PLAN_ADDRESSES_ALLOCATE, "shop/a BadAddress\n");
        assert_addresses(SERVICE("a", ASKS(""), PORT), PLAN_ADDRESSES_ALLOCATE, "shop/a BadAddress\n");
}

static void address_is_shared_only_with_the_same_key(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", SHARES("10.1.1.3", "k"), PORT)
                             SERVICE("b", SHARES("10.1.1.3", "k"), PORT)
                                 SERVICE("c", SHARES("10.1.1.3", "other"), PORT),
                         PLAN_ADDRESSES_ALLOCATE, "10.1.1.3 shop/a\nshop/c AddressInUse\n");
        assert_addresses(SERVICE("a", SHARES("10.1.1.3", ""), PORT)
                             SERVICE("b", SHARES("10.1.1.3", ""), PORT),
                         PLAN_ADDRESSES_ALLOCATE, "10.1.1.3 shop/a\nshop/b AddressInUse\n");
}

static void address_named_twice_counts_once(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", ASKS("10.1.1.3,10.1.1.3"), PORT), PLAN_ADDRESSES_ALLOCATE,
                         "10.1.1.3 shop/a\n");
}

static void pool_gives_neither_network_nor_broadcast_and_ends(void **state)
{
        (void)state;
        assert_addresses(
            SERVICE("a", "", PORT) SERVICE("b", "", PORT) SERVICE("c", "", PORT) SERVICE("d", "", PORT)
                SERVICE("e", "", PORT) SERVICE("f", "", PORT) SERVICE("g", "", PORT),
            PLAN_ADDRESSES_ALLOCATE,
            "10.1.1.1 shop/a\n10.1.1.2 shop/b\n10.1.1.3 shop/c\n10.1.1.4 shop/d\n10.1.1.5 shop/e\n"
            "10.1.1.6 shop/f\nshop/g PoolExhausted\n");
}

static void each_family_has_an_address_of_its_own(void **state)
{
        (void)state;
        assert_addresses(
            SERVICE("a", "", ", ipFamilies: [IPv6, IPv4]" PORT) SERVICE("b", "", ", ipFamilies: [IPv6]" PORT),
            PLAN_ADDRESSES_ALLOCATE, "10.1.1.1 shop/a\nfd00:1:1::1 shop/a\nfd00:1:1::2 shop/b\n");
}

static void without_allocation_only_status_counts(void **state)
{
        (void)state;
        assert_addresses(SERVICE("a", "", PORT) SERVICE("b", ASKS("10.1.1.2"), PORT)
                             WITH_STATUS("c", "", "10.1.1.3"),
                         PLAN_ADDRESSES_STATUS, "10.1.1.3 shop/c\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(free_addresses_are_given_in_order_of_names),
            cmocka_unit_test(status_goes_before_everything),
            cmocka_unit_test(asked_for_address_is_kept_from_the_others),
            cmocka_unit_test(annotation_goes_before_the_spec_and_may_name_both_families),
            cmocka_unit_test(address_outside_the_pools_is_refused),
            cmocka_unit_test(text_that_is_no_address_is_a_problem),
            cmocka_unit_test(address_is_shared_only_with_the_same_key),
            cmocka_unit_test(address_named_twice_counts_once),
            cmocka_unit_test(pool_gives_neither_network_nor_broadcast_and_ends),
            cmocka_unit_test(each_family_has_an_address_of_its_own),
            cmocka_unit_test(without_allocation_only_status_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
