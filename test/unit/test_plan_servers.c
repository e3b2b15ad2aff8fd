/* What becomes of endpoints: which of them stand behind which virtual server, and with what weight. */
#include "core/plan.h"

#include "planning.h"
#include "unit.h"

#define WEB "10.1.1.1 TCP 80 shop/web rr nat tcp:"

static void ready_endpoints_become_real_servers_sorted(void **state)
{
        (void)state;
        expect_servers(SITE,
                       PLAIN("web")
                           SLICE("web-1", "web", READY("172.16.1.10") READY("172.16.1.9") READY("9.0.0.1")),
                       WEB " 9.0.0.1:8080 172.16.1.9:8080 172.16.1.10:8080\n");
}

static void draining_endpoint_gets_weight_0_and_a_down_one_nothing(void **state)
{
        (void)state;
        expect_servers(
            SITE,
            PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1") DRAINING("172.16.1.2") DOWN("172.16.1.3")),
            WEB " 172.16.1.1:8080 172.16.1.2:8080*0\n");
}

static void draining_endpoints_are_revived_when_nothing_is_ready(void **state)
{
        (void)state;
        expect_servers(SITE,
                       PLAIN("web") SLICE("web-1", "web", DRAINING("172.16.1.1") DOWN("172.16.1.3"))
                           SLICE("web-2", "web", DRAINING("172.16.1.2")),
                       WEB " 172.16.1.1:8080 172.16.1.2:8080\n");
}

/* The kernel refuses such servers, and keepalived would be restarted for them. */
static void endpoint_that_cannot_be_a_server_is_left_out_and_told(void **state)
{
        (void)state;
        expect_servers(
            SITE, PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1") READY("224.0.1.5")),
            WEB " 172.16.1.1:8080\n"
                "! shop/web EndpointImpossible: 1 endpoints of port 80, such as 224.0.1.5, are no addresses "
                "of servers, or are service addresses themselves; left out\n");
        expect_servers(
            SITE, PLAIN("web") SLICE("web-1", "web", READY("255.255.255.255") READY("10.1.1.5")),
            "! shop/web EndpointImpossible: 2 endpoints of port 80, such as 10.1.1.5, are no addresses "
            "of servers, or are service addresses themselves; left out\n");
}

static void service_without_a_real_server_has_no_virtual_server(void **state)
{
        (void)state;
        expect_servers(SITE, PLAIN("web"), "");
        expect_servers(SITE, PLAIN("web") SLICE("web-1", "web", ""), "");
        expect_servers(SITE, PLAIN("web") SLICE("web-1", "web", DOWN("172.16.1.1")), "");
        expect_addresses(SITE, PLAIN("web"), "10.1.1.1 shop/web\n");
}

static void several_slices_make_up_one_service(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SLICE("web-2", "web", READY("172.16.1.1")) PLAIN("web")
                           SLICE("web-1", "web", READY("172.16.1.2"))
                               SLICE("api-1", "api", READY("172.16.1.3")),
                       WEB " 172.16.1.1:8080 172.16.1.2:8080\n");
}

static void address_in_two_slices_stands_once_and_ready_wins(void **state)
{
        (void)state;
        expect_servers(SITE,
                       PLAIN("web") SLICE("web-1", "web", DRAINING("172.16.1.1") READY("172.16.1.2"))
                           SLICE("web-2", "web", READY("172.16.1.1") DRAINING("172.16.1.2")),
                       WEB " 172.16.1.1:8080 172.16.1.2:8080\n");
}

static void one_address_with_two_ports_is_two_real_servers(void **state)
{
        (void)state;
        expect_servers(SITE,
                       PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1"))
                           SLICE_OF("IPv4", "web-2", "web", "{port: 8081}", READY("172.16.1.1")),
                       WEB " 172.16.1.1:8080 172.16.1.1:8081\n");
}

static void slice_of_another_namespace_is_another_services(void **state)
{
        (void)state;
        expect_servers(
            SITE,
            PLAIN(
                "web") "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,"
                       " metadata: {namespace: sho, name: web-1, labels: {kubernetes.io/service-name: web}},"
                       " ports: [{port: 8080}], endpoints: [" READY("172.16.1.1") "]}\n",
            "");
}

static void slice_without_the_label_is_nobodys(void **state)
{
        (void)state;
        expect_servers(
            SITE,
            PLAIN("web") "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,"
                         " metadata: {namespace: shop, name: web-1},"
                         " ports: [{port: 8080}], endpoints: [" READY("172.16.1.1") "]}\n",
            "");
}

#define TWO_PORTS ", ports: [{name: http, port: 80}, {name: admin, port: 81}]"

static void ports_find_their_slice_port_by_name(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SERVICE("web", "", TWO_PORTS, "")
                           SLICE_OF("IPv4", "web-1", "web", "{name: admin, port: 9}, {name: http, port: 8}",
                                    READY("172.16.1.1")),
                       WEB " 172.16.1.1:8\n10.1.1.1 TCP 81 shop/web rr nat tcp: 172.16.1.1:9\n");
}

static void port_without_a_slice_port_of_its_name_is_left_out(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SERVICE("web", "", TWO_PORTS, "")
                           SLICE_OF("IPv4", "web-1", "web", "{name: http, port: 8}", READY("172.16.1.1")),
                       WEB " 172.16.1.1:8\n");
}

static void absent_and_empty_port_name_are_one_thing(void **state)
{
        (void)state;
        expect_servers(
            SITE, PLAIN("web") SLICE_OF("IPv4", "web-1", "web", "{name: \"\", port: 8}", READY("172.16.1.1")),
            WEB " 172.16.1.1:8\n");
        expect_servers(
            SITE, PLAIN("web") SLICE_OF("IPv4", "web-1", "web", "{name: http, port: 8}", READY("172.16.1.1")),
            "");
}

static void one_port_number_of_two_protocols_is_two_virtual_servers(void **state)
{
        (void)state;
        expect_servers(
            SITE,
            SERVICE("web", "", ", ports: [{name: q, port: 80, protocol: UDP}, {name: t, port: 80}]", "")
                SLICE_OF("IPv4", "web-1", "web", "{name: q, port: 8, protocol: UDP}, {name: t, port: 9}",
                         READY("172.16.1.1")),
            WEB " 172.16.1.1:9\n10.1.1.1 UDP 80 shop/web rr nat unchecked: 172.16.1.1:8\n");
}

static void slice_port_of_another_protocol_does_not_match(void **state)
{
        (void)state;
        expect_servers(SITE,
                       PLAIN("web")
                           SLICE_OF("IPv4", "web-1", "web", "{port: 8, protocol: UDP}", READY("172.16.1.1")),
                       "");
}

static void sctp_is_served_and_not_checked_over_tcp(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SERVICE("web", "", ", ports: [{port: 80, protocol: SCTP}]", "")
                           SLICE_OF("IPv4", "web-1", "web", "{port: 8, protocol: SCTP}", READY("172.16.1.1")),
                       "10.1.1.1 SCTP 80 shop/web rr nat unchecked: 172.16.1.1:8\n");
}

static void each_family_gets_the_endpoints_of_its_own(void **state)
{
        (void)state;
        expect_servers(SITE,
                       WITH_SPEC("web", ", ipFamilies: [IPv6, IPv4]")
                           SLICE("web-1", "web", READY("172.16.1.1"))
                               SLICE_OF("IPv6", "web-2", "web", "{port: 8080}", READY("fd00:2::1")),
                       WEB " 172.16.1.1:8080\nfd00:1:1::1 TCP 80 shop/web rr nat tcp: fd00:2::1:8080\n");
}

static void vip_without_endpoints_of_its_family_has_no_virtual_server(void **state)
{
        (void)state;
        expect_servers(
            SITE, WITH_SPEC("web", ", ipFamilies: [IPv6]") SLICE("web-1", "web", READY("172.16.1.1")), "");
}

static void fqdn_slice_is_passed_over(void **state)
{
        (void)state;
        expect_servers(SITE,
                       PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1"))
                           SLICE_OF("FQDN", "web-2", "web", "{port: 8080}", READY("web.example.org")),
                       WEB " 172.16.1.1:8080\n");
}

static void every_vip_of_a_service_gets_its_virtual_servers(void **state)
{
        (void)state;
        expect_servers(SITE,
                       WITH_STATUS("web", IP("10.1.1.4") IP("10.1.1.2"))
                           SLICE("web-1", "web", READY("172.16.1.1")),
                       "10.1.1.2 TCP 80 shop/web rr nat tcp: 172.16.1.1:8080\n"
                       "10.1.1.4 TCP 80 shop/web rr nat tcp: 172.16.1.1:8080\n");
}

/* ---- sharing ---- */

#define SHARING(name, port)                                                                \
        SERVICE(name, ANNOTATIONS("coracle.lb/share: mail, coracle.lb/address: 10.1.1.5"), \
                ", ports: [{port: " port "}]", "")

static void shared_address_serves_the_ports_of_both(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SHARING("smtp", "25") SHARING("imap", "143") SLICE("s", "smtp", READY("172.16.1.1"))
                           SLICE("i", "imap", READY("172.16.1.2")),
                       "10.1.1.5 TCP 25 shop/smtp rr nat tcp: 172.16.1.1:8080\n"
                       "10.1.1.5 TCP 143 shop/imap rr nat tcp: 172.16.1.2:8080\n");
}

#define IN_USE \
        "! shop/smtp PortInUse: TCP port 25 on the shared address 10.1.1.5 belongs to shop/imap; left out\n"

static void port_of_both_is_the_first_ones(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SHARING("smtp", "25") SHARING("imap", "25") SLICE("s", "smtp", READY("172.16.1.1"))
                           SLICE("i", "imap", READY("172.16.1.2")),
                       "10.1.1.5 TCP 25 shop/imap rr nat tcp: 172.16.1.2:8080\n" IN_USE);
}

static void port_of_both_stays_the_first_ones_while_nothing_is_behind_it(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SHARING("smtp", "25") SHARING("imap", "25") SLICE("s", "smtp", READY("172.16.1.1")),
                       IN_USE);
}

#define ALL_READY(name) SLICE(name, name, READY("172.16.1.1"))
#define SERVED(check) "10.1.1.1 TCP 80 shop/web rr nat " check ": 172.16.1.1:8080\n"

static void unready_addresses_to_be_published_are_not_checked(void **state)
{
        (void)state;
        expect_servers(SITE, WITH_SPEC("web", ", publishNotReadyAddresses: true") ALL_READY("web"),
                       SERVED("unchecked"));
        expect_servers(SITE,
                       SERVICE("web", ANNOTATIONS("coracle.lb/health-check: tcp"),
                               PORT80 ", publishNotReadyAddresses: true", "") ALL_READY("web"),
                       SERVED("tcp"));
}

#define LOST                                                                                                 \
        "! shop/web SourceAddressLost: externalTrafficPolicy: Local asks for the clients' addresses, which " \
        "nat replaces"

static void local_traffic_through_nat_loses_the_source_address(void **state)
{
        (void)state;
        expect_servers(SITE, WITH_SPEC("web", ", externalTrafficPolicy: Local") ALL_READY("web"),
                       SERVED("tcp") LOST "; coracle.lb/forwarding: tunnel keeps them\n");
}

static void local_traffic_through_a_tunnel_is_as_promised(void **state)
{
        (void)state;
        expect_servers(SITE,
                       SERVICE("web", ANNOTATIONS("coracle.lb/forwarding: tunnel"),
                               PORT80 ", externalTrafficPolicy: Local", "")
                           SLICE_OF("IPv4", "s", "web", "{port: 80}", READY("172.16.1.1")),
                       "10.1.1.1 TCP 80 shop/web mh tunnel tcp: 172.16.1.1:80\n");
        expect_servers(
            SITE,
            SERVICE("web", ANNOTATIONS("coracle.lb/forwarding: tunnel"),
                    PORT80 ", externalTrafficPolicy: Local", "") ALL_READY("web"),
            "10.1.1.1 TCP 80 shop/web mh nat tcp: 172.16.1.1:8080\n"
            "! shop/web TunnelImpossible: port 80 differs from the target port 8080, which a tunnel "
            "cannot translate; using nat for it\n" LOST " on port 80\n");
}

static void client_affinity_takes_a_scheduler_that_all_pods_agree_on(void **state)
{
        (void)state;
        expect_servers(SITE, WITH_SPEC("web", ", sessionAffinity: ClientIP") ALL_READY("web"),
                       "10.1.1.1 TCP 80 shop/web mh nat tcp: 172.16.1.1:8080\n");
        expect_servers(SITE,
                       SERVICE("web", ANNOTATIONS("coracle.lb/scheduler: sh"),
                               PORT80 ", sessionAffinity: ClientIP", "") ALL_READY("web"),
                       "10.1.1.1 TCP 80 shop/web sh nat tcp: 172.16.1.1:8080\n");
        expect_servers(
            SITE,
            SERVICE("web", ANNOTATIONS("coracle.lb/scheduler: wlc"), PORT80 ", sessionAffinity: ClientIP", "")
                ALL_READY("web"),
            "10.1.1.1 TCP 80 shop/web wlc nat tcp: 172.16.1.1:8080\n"
            "! shop/web AffinityPerPod: sessionAffinity: ClientIP holds in each load balancer pod for "
            "itself with wlc; mh, the default, chooses the same server in all\n");
}

/* Elsewhere real servers come into the kernel only once they are checked. */
static void mh_waits_for_the_first_checks(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SITE,
                    PLAIN("a") SLICE("s", "a", READY("172.16.1.1")) ANNOTATED("b", "coracle.lb/scheduler: mh")
                        SLICE("t", "b", READY("172.16.1.1"))
                            ANNOTATED("c", "coracle.lb/scheduler: mh, coracle.lb/health-check: none")
                                SLICE("u", "c", READY("172.16.1.1")),
                    PLAN_ADDRESSES_ALLOCATE);

        (void)state;
        assert_int_equal(plan->n_vips, 3);
        assert_int_equal(plan->vips[0].first_checks_ms, 0);
        assert_int_equal(plan->vips[1].first_checks_ms, 3500); /* warmup, a timeout, a delay, a timeout */
        assert_int_equal(plan->vips[2].first_checks_ms, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(ready_endpoints_become_real_servers_sorted),
            cmocka_unit_test(mh_waits_for_the_first_checks),
            cmocka_unit_test(draining_endpoint_gets_weight_0_and_a_down_one_nothing),
            cmocka_unit_test(draining_endpoints_are_revived_when_nothing_is_ready),
            cmocka_unit_test(endpoint_that_cannot_be_a_server_is_left_out_and_told),
            cmocka_unit_test(service_without_a_real_server_has_no_virtual_server),
            cmocka_unit_test(several_slices_make_up_one_service),
            cmocka_unit_test(address_in_two_slices_stands_once_and_ready_wins),
            cmocka_unit_test(one_address_with_two_ports_is_two_real_servers),
            cmocka_unit_test(slice_of_another_namespace_is_another_services),
            cmocka_unit_test(slice_without_the_label_is_nobodys),
            cmocka_unit_test(ports_find_their_slice_port_by_name),
            cmocka_unit_test(port_without_a_slice_port_of_its_name_is_left_out),
            cmocka_unit_test(absent_and_empty_port_name_are_one_thing),
            cmocka_unit_test(one_port_number_of_two_protocols_is_two_virtual_servers),
            cmocka_unit_test(slice_port_of_another_protocol_does_not_match),
            cmocka_unit_test(sctp_is_served_and_not_checked_over_tcp),
            cmocka_unit_test(each_family_gets_the_endpoints_of_its_own),
            cmocka_unit_test(vip_without_endpoints_of_its_family_has_no_virtual_server),
            cmocka_unit_test(fqdn_slice_is_passed_over),
            cmocka_unit_test(every_vip_of_a_service_gets_its_virtual_servers),
            cmocka_unit_test(shared_address_serves_the_ports_of_both),
            cmocka_unit_test(port_of_both_is_the_first_ones),
            cmocka_unit_test(port_of_both_stays_the_first_ones_while_nothing_is_behind_it),
            cmocka_unit_test(unready_addresses_to_be_published_are_not_checked),
            cmocka_unit_test(local_traffic_through_nat_loses_the_source_address),
            cmocka_unit_test(local_traffic_through_a_tunnel_is_as_promised),
            cmocka_unit_test(client_affinity_takes_a_scheduler_that_all_pods_agree_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
