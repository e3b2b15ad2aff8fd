/* What is done to the kernel's real servers ahead of keepalived. */
#include "core/ahead.h"

#include "planning.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define MOST 8

/* One virtual server of checked real servers, from what stands in its slice. */
static struct plan *plan_with(const char *endpoints)
{
        char objects[1024];

        (void)snprintf(
            objects, sizeof(objects), "%s%s%s%s",
            PLAIN("a") "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,\n"
                       " metadata: {namespace: shop, name: s, labels: {kubernetes.io/service-name: a}},\n"
                       " ports: [{port: 8080}], endpoints: [",
            endpoints, "]}\n", "");
        return plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
}

static struct ipvs_real real_of(const char *address, uint32_t weight)
{
        struct ipvs_real real = {.port = 8080, .forwarding_known = true, .weight = weight};

        assert_int_equal(addr_parse(address, &real.addr), 0);
        return real;
}

/* The kernel has 172.16.1.1 and .2 with these weights; what is to be done is told as "-.1" and "+.3". */
static void expect(const char *endpoints, uint32_t weight1, uint32_t weight2, bool rested2, bool fresh,
                   const char *expected)
{
        _cleanup_plan_ struct plan *plan = plan_with(endpoints);
        const struct ipvs_real reals[] = {real_of("172.16.1.1", weight1), real_of("172.16.1.2", weight2)};
        const bool rested[] = {false, rested2}, freshness[MOST] = {fresh, fresh, fresh, fresh};
        const struct ahead_input input = {&plan->virtual_servers[0], reals, rested, 2, freshness};
        struct ahead_step steps[MOST];
        char told[64] = "", text[ADDR_TEXT_SIZE];
        size_t count = ahead_steps(&input, steps), length = 0;

        for (size_t i = 0; i < count; i++) {
                length += (size_t)snprintf(told + length, sizeof(told) - length, "%c%s",
                                           steps[i].act == AHEAD_COME ? '+' : '-',
                                           strrchr(addr_format(&steps[i].addr, text), '.'));
                assert_int_equal(steps[i].port, 8080);
                assert_int_equal(steps[i].weight, steps[i].act == AHEAD_COME);
        }
        assert_string_equal(told, expected);
}

static void table_as_wanted_needs_nothing(void **state)
{
        (void)state;
        expect(READY("172.16.1.1") READY("172.16.1.2"), 1, 1, false, false, "");
}

static void one_that_drains_rests(void **state)
{
        (void)state;
        expect(READY("172.16.1.1") DRAINING("172.16.1.2"), 1, 1, false, false, "-.2");
        expect(READY("172.16.1.1") DRAINING("172.16.1.2"), 1, 0, false, false, "");
}

static void one_that_is_gone_rests(void **state)
{
        (void)state;
        expect(READY("172.16.1.2"), 1, 1, false, false, "-.1");
}

static void one_that_is_new_comes(void **state)
{
        (void)state;
        expect(READY("172.16.1.1") READY("172.16.1.2") READY("172.16.1.3"), 1, 1, false, true, "+.3");
}

static void one_that_its_check_took_out_does_not_come_back(void **state)
{
        (void)state;
        expect(READY("172.16.1.1") READY("172.16.1.2") READY("172.16.1.3"), 1, 1, false, false, "");
}

static void weight_that_its_check_took_stays_zero(void **state)
{
        (void)state;
        expect(READY("172.16.1.1") READY("172.16.1.2"), 1, 0, false, true, "");
}

static void one_that_rested_comes_back(void **state)
{
        (void)state;
        expect(READY("172.16.1.1") READY("172.16.1.2"), 1, 0, true, false, "+.2");
}

static void nobody_rests_before_another_has_come(void **state)
{
        (void)state;
        expect(READY("172.16.1.3"), 1, 1, false, true, "+.3");
        expect(READY("172.16.1.3"), 1, 1, false, false, "");
        expect(READY("172.16.1.2") DRAINING("172.16.1.1"), 1, 0, false, false, "");
}

static void only_what_coracle_can_check_is_added(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(
            SITE,
            PLAIN("a") SLICE("s", "a", READY("172.16.1.1")) ANNOTATED("b", "coracle.lb/health-check: none")
                SLICE("t", "b", READY("172.16.1.2")) ANNOTATED("c", "coracle.lb/health-check: 'http:/x'")
                    SLICE("u", "c", READY("172.16.1.3")) ANNOTATED("d", "coracle.lb/template: own")
                        SLICE("v", "d", READY("172.16.1.4")),
            PLAN_ADDRESSES_ALLOCATE);
        static const bool expected[] = {true, true, false, false};

        (void)state;
        assert_int_equal(plan->n_virtual_servers, 4);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(ahead_may_add(plan, &plan->virtual_servers[i]), expected[i]);
}

static void difference_is_in_the_real_servers_or_nothing_is_done(void **state)
{
        _cleanup_plan_ struct plan *one = plan_with(READY("172.16.1.1"));
        _cleanup_plan_ struct plan *two = plan_with(READY("172.16.1.1") READY("172.16.1.2"));
        _cleanup_plan_ struct plan *drains = plan_with(READY("172.16.1.1") DRAINING("172.16.1.2"));
        struct virtual_server other = one->virtual_servers[0];

        (void)state;
        assert_false(ahead_reals_differ(&one->virtual_servers[0], &one->virtual_servers[0]));
        assert_true(ahead_reals_differ(&one->virtual_servers[0], &two->virtual_servers[0]));
        assert_true(ahead_reals_differ(&two->virtual_servers[0], &drains->virtual_servers[0]));
        assert_true(ahead_is_comparable(&one->virtual_servers[0], &two->virtual_servers[0]));
        other.scheduler = "wlc";
        assert_false(ahead_is_comparable(&one->virtual_servers[0], &other));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(table_as_wanted_needs_nothing),
            cmocka_unit_test(one_that_drains_rests),
            cmocka_unit_test(one_that_is_gone_rests),
            cmocka_unit_test(one_that_is_new_comes),
            cmocka_unit_test(one_that_its_check_took_out_does_not_come_back),
            cmocka_unit_test(weight_that_its_check_took_stays_zero),
            cmocka_unit_test(one_that_rested_comes_back),
            cmocka_unit_test(nobody_rests_before_another_has_come),
            cmocka_unit_test(only_what_coracle_can_check_is_added),
            cmocka_unit_test(difference_is_in_the_real_servers_or_nothing_is_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
