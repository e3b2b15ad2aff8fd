#include "core/plan.h"

#include "site.h"
#include "unit.h"

#include <string.h>

#define PORT ", ports: [{port: 80}]"

static void assert_plan(const char *objects, const char *expected, const char *problems)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *plan = site_plan(config, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_strbuf_ struct strbuf text = {0}, complaints = {0};

        site_dump_plan(plan, &text);
        site_dump_problems(plan, &complaints);
        assert_string_equal(text.text, expected);
        assert_string_equal(complaints.text, problems);
}

static void ready_endpoints_become_sorted_real_servers(void **state)
{
        (void)state;
        assert_plan(SERVICE("web", "", PORT)
                        SLICE("a", "web", IPV4("8080", READY("172.16.1.10") "," READY("172.16.1.9"))),
                    "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.9:8080*1 172.16.1.10:8080*1\n", "");
}

static void order_of_objects_does_not_matter(void **state)
{
        static const char expected[] = "10.1.1.1 TCP 80 nat rr! shop/db: 172.16.1.3:80*1\n"
                                       "10.1.1.2 TCP 80 nat rr! shop/web: 172.16.1.1:80*1 172.16.1.2:80*1\n";

        (void)state;
        assert_plan(SERVICE("web", "", PORT) SERVICE("db", "", PORT)
                        SLICE("a", "web", IPV4("80", READY("172.16.1.1")))
                            SLICE("b", "web", IPV4("80", READY("172.16.1.2")))
                                SLICE("c", "db", IPV4("80", READY("172.16.1.3"))),
                    expected, "");
        assert_plan(SLICE("c", "db", IPV4("80", READY("172.16.1.3")))
                        SLICE("b", "web", IPV4("80", READY("172.16.1.2"))) SERVICE("db", "", PORT)
                            SLICE("a", "web", IPV4("80", READY("172.16.1.1"))) SERVICE("web", "", PORT),
                    expected, "");
}

static void address_in_two_slices_stands_once_and_ready_wins(void **state)
{
        (void)state;
        assert_plan(SERVICE("web", "", PORT)
                        SLICE("a", "web", IPV4("80", DRAINING("172.16.1.1") "," READY("172.16.1.2")))
                            SLICE("b", "web", IPV4("80", READY("172.16.1.1") "," DRAINING("172.16.1.2"))),
                    "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*1 172.16.1.2:80*1\n", "");
}

static void draining_endpoint_keeps_weight_zero(void **state)
{
        (void)state;
        assert_plan(SERVICE("web", "", PORT) SLICE(
                        "a", "web",
                        IPV4("80", DRAINING("172.16.1.1") "," READY("172.16.1.2") "," DOWN("172.16.1.3"))),
                    "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*0 172.16.1.2:80*1\n", "");
}

static void draining_endpoints_serve_when_nothing_is_ready(void **state)
{
        (void)state;
        assert_plan(SERVICE("web", "", PORT)
                        SLICE("a", "web", IPV4("80", DRAINING("172.16.1.1") "," DOWN("172.16.1.3"))),
                    "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*1\n", "");
}

static void service_without_real_servers_yields_no_virtual_server(void **state)
{
        (void)state;
        assert_plan(SERVICE("web", "", PORT), "", "");
        assert_plan(SERVICE("web", "", PORT) SLICE("a", "web", IPV4("80", DOWN("172.16.1.1"))), "", "");
        assert_plan(SERVICE("web", "", PORT) SLICE("a", "other", IPV4("80", READY("172.16.1.1"))), "", "");
        assert_plan(SERVICE("web", "", PORT) SLICE("a", "web", IPV4("80", "")), "", "");
}

static void service_without_real_servers_keeps_its_address(void **state)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *plan =
            site_plan(config, SERVICE("web", "", PORT), PLAN_ADDRESSES_ALLOCATE);
        char text[ADDR_TEXT_SIZE];

        (void)state;
        assert_int_equal(plan->n_vips, 1);
        assert_string_equal(addr_format(&plan->vips[0].addr, text), "10.1.1.1");
}

static void foreign_services_are_passed_over(void **state)
{
        (void)state;
        assert_plan("---\n{kind: Service, apiVersion: v1, metadata: {name: a, namespace: shop}, spec: {type: "
                    "ClusterIP"
                    ", loadBalancerClass: coracle.lb/ecmp, ports: [{port: 80}]}}\n"
                    "---\n{kind: Service, apiVersion: v1, metadata: {name: b, namespace: shop}, spec: {type: "
                    "LoadBalancer"
                    ", loadBalancerClass: other/class, ports: [{port: 80}]}}\n"
                    "---\n{kind: Service, apiVersion: v1, metadata: {name: c, namespace: shop}, spec: {type: "
                    "LoadBalancer"
                    ", ports: [{port: 80}]}}\n" SLICE("a", "a", IPV4("80", READY("172.16.1.1")))
                        SLICE("b", "b", IPV4("80", READY("172.16.1.1")))
                            SLICE("c", "c", IPV4("80", READY("172.16.1.1"))),
                    "", "");
}

static void ports_are_matched_by_name_and_protocol(void **state)
{
        (void)state;
        assert_plan(
            SERVICE("web", "",
                    ", ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP},"
                    " {name: lost, port: 9}, {name: sctp, port: 53, protocol: SCTP}]")
                SLICE("a", "web",
                      "addressType: IPv4, ports: [{name: dns, port: 5353, protocol: UDP}, {name: http, port: "
                      "8080},"
                      " {name: sctp, port: 54, protocol: SCTP}, {name: lost, port: 9, protocol: UDP}],"
                      " endpoints: [" READY("172.16.1.1") "]"),
            "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:8080*1\n"
            "10.1.1.1 UDP 53 nat rr shop/web: 172.16.1.1:5353*1\n"
            "10.1.1.1 SCTP 53 nat rr shop/web: 172.16.1.1:54*1\n",
            "");
}

static void families_do_not_mix(void **state)
{
        (void)state;
        assert_plan(
            SERVICE("web", "", PORT ", ipFamilies: [IPv4, IPv6]") SLICE("a", "web",
                                                                        IPV4("80", READY("172.16.1.1")))
                SLICE("b", "web", "addressType: IPv6, ports: [{port: 80}], endpoints: [" READY("fd00::1") "]")
                    SLICE("c", "web",
                          "addressType: FQDN, ports: [{port: 80}], endpoints: [" READY("a.example") "]"),
            "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*1\n"
            "fd00:1:1::1 TCP 80 nat rr! shop/web: fd00::1:80*1\n",
            "");
}

static void tunnel_with_another_target_port_falls_back_to_nat(void **state)
{
        (void)state;
        assert_plan(SERVICE("web", ", annotations: {coracle.lb/forwarding: tunnel}",
                            ", ports: [{name: a, port: 80}, {name: b, port: 81}]")
                        SLICE("a", "web",
                              "addressType: IPv4, ports: [{name: a, port: 80}, {name: b, port: 8081}], "
                              "endpoints: [" READY("172.16.1.1") "]"),
                    "10.1.1.1 TCP 80 tunnel mh! shop/web: 172.16.1.1:80*1\n"
                    "10.1.1.1 TCP 81 nat mh! shop/web: 172.16.1.1:8081*1\n",
                    "shop/web TunnelImpossible\n");
}

static void port_taken_on_a_shared_address_is_left_out(void **state)
{
        (void)state;
        assert_plan(SERVICE("a", ", annotations: {coracle.lb/share: k, coracle.lb/address: 10.1.1.4}", PORT)
                        SERVICE("b", ", annotations: {coracle.lb/share: k, coracle.lb/address: 10.1.1.4}",
                                ", ports: [{name: x, port: 80}, {name: y, port: 81}]")
                            SLICE("a", "a", IPV4("80", READY("172.16.1.1")))
                                SLICE("b", "b",
                                      "addressType: IPv4, ports: [{name: x, port: 80}, {name: y, port: 81}],"
                                      " endpoints: [" READY("172.16.1.2") "]"),
                    "10.1.1.4 TCP 80 nat rr! shop/a: 172.16.1.1:80*1\n"
                    "10.1.1.4 TCP 81 nat rr! shop/b: 172.16.1.2:81*1\n",
                    "shop/b PortInUse\n");
}

static void virtual_server_is_found_by_its_key(void **state)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *plan = site_plan(
            config,
            SERVICE("web", "", ", ports: [{name: a, port: 80}, {name: b, port: 81}]") SLICE(
                "a", "web",
                "addressType: IPv4, ports: [{name: a, port: 80}, {name: b, port: 81}], endpoints: [" READY(
                    "172.16.1.1") "]"),
            PLAN_ADDRESSES_ALLOCATE);
        struct addr vip;

        (void)state;
        assert_int_equal(addr_parse("10.1.1.1", &vip), 0);
        assert_ptr_equal(plan_find(plan, &vip, PROTOCOL_TCP, 80), &plan->virtual_servers[0]);
        assert_ptr_equal(plan_find(plan, &vip, PROTOCOL_TCP, 81), &plan->virtual_servers[1]);
        assert_null(plan_find(plan, &vip, PROTOCOL_UDP, 80));
        assert_null(plan_find(plan, &vip, PROTOCOL_TCP, 82));
        assert_int_equal(addr_parse("10.1.1.2", &vip), 0);
        assert_null(plan_find(plan, &vip, PROTOCOL_TCP, 80));
}

static void held_virtual_server_is_what_it_was(void **state)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *before =
            site_plan(config, SERVICE("web", "", PORT) SLICE("a", "web", IPV4("80", READY("172.16.1.1"))),
                      PLAN_ADDRESSES_ALLOCATE);
        _cleanup_plan_ struct plan *plan =
            site_plan(config,
                      SERVICE("web", ", annotations: {coracle.lb/scheduler: wlc}", PORT)
                          SERVICE("xy", "", PORT) SLICE("a", "web", IPV4("80", READY("172.16.1.2")))
                              SLICE("b", "xy", IPV4("80", READY("172.16.1.3"))),
                      PLAN_ADDRESSES_ALLOCATE);
        _cleanup_strbuf_ struct strbuf text = {0};

        (void)state;
        assert_int_equal(plan_hold(plan, 0, before), 0);
        assert_int_equal(plan_hold(plan, 1, before), 0); /* not there before: left without servers */
        plan_compact(plan);
        site_dump_plan(plan, &text);
        assert_string_equal(text.text, "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*1\n");
}

static void problems_beyond_a_count_are_forgotten(void **state)
{
        _cleanup_config_ struct config *config = site_config();
        _cleanup_plan_ struct plan *plan =
            site_plan(config, SERVICE("web", "", PORT), PLAN_ADDRESSES_ALLOCATE);
        _cleanup_strbuf_ struct strbuf text = {0};

        (void)state;
        for (unsigned int i = 0; i < 5; i++)
                assert_int_equal(plan_add_problem(plan, "shop/web", i < 2 ? "Old" : "New", "number %u", i),
                                 0);
        plan_forget_problems(plan, 2);
        assert_int_equal(plan_add_problem(plan, "shop/web", "Last", "x"), 0);
        site_dump_problems(plan, &text);
        assert_string_equal(text.text, "shop/web Old\nshop/web Old\nshop/web Last\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(ready_endpoints_become_sorted_real_servers),
            cmocka_unit_test(order_of_objects_does_not_matter),
            cmocka_unit_test(address_in_two_slices_stands_once_and_ready_wins),
            cmocka_unit_test(draining_endpoint_keeps_weight_zero),
            cmocka_unit_test(draining_endpoints_serve_when_nothing_is_ready),
            cmocka_unit_test(service_without_real_servers_yields_no_virtual_server),
            cmocka_unit_test(service_without_real_servers_keeps_its_address),
            cmocka_unit_test(foreign_services_are_passed_over),
            cmocka_unit_test(ports_are_matched_by_name_and_protocol),
            cmocka_unit_test(families_do_not_mix),
            cmocka_unit_test(tunnel_with_another_target_port_falls_back_to_nat),
            cmocka_unit_test(port_taken_on_a_shared_address_is_left_out),
            cmocka_unit_test(virtual_server_is_found_by_its_key),
            cmocka_unit_test(held_virtual_server_is_what_it_was),
            cmocka_unit_test(problems_beyond_a_count_are_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
