#include "core/view.h"

#include "planning.h"
#include "unit.h"

#include <string.h>

static void expect_json(const json_t *json, const char *expected)
{
        _cleanup_json_ json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
        char *text;

        assert_non_null(wanted);
        if (json_equal(json, wanted))
                return;
        text = json_dumps(json, JSON_INDENT(2));
        fail_msg("%s\nis not\n%s", text, expected);
}

static void expect_view(const char *config, const char *objects, const char *expected)
{
        _cleanup_plan_ struct plan *plan = plan_of(config, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_json_ json_t *view = NULL;

        assert_int_equal(plan->n_virtual_servers, 1);
        view = view_virtual_server(plan, &plan->virtual_servers[0]);
        expect_json(view, expected);
}

static void nat_service_with_a_tcp_check(void **state)
{
        (void)state;
        expect_view(
            SITE, PLAIN("web") SLICE("s", "web", READY("172.16.1.1") DRAINING("172.16.1.2")),
            "{\"service\": \"shop/web\", \"vip\": \"10.1.1.1\", \"ipv6\": false, \"port\": 80,"
            " \"protocol\": \"TCP\", \"scheduler\": \"rr\", \"mh\": false, \"forwarding\": \"nat\","
            " \"nat\": true, \"tunnel\": false, \"persistence_timeout\": false, \"check_interval\": \"2\","
            " \"real_servers\": [{\"address\": \"172.16.1.1\", \"port\": 8080, \"weight\": 1,"
            "   \"tcp_check\": {\"timeout\": \"1\", \"retries\": 1}, \"http_check\": false},"
            "  {\"address\": \"172.16.1.2\", \"port\": 8080, \"weight\": 0,"
            "   \"tcp_check\": false, \"http_check\": false}]}");
}

static void tunnelled_ipv6_service_with_an_http_check_and_affinity(void **state)
{
        (void)state;
        expect_view(
            SITE "defaults: {healthCheck: {interval: 0.2, timeout: 0.05, retries: 0}}\n",
            SERVICE("web",
                    ANNOTATIONS("coracle.lb/forwarding: tunnel, coracle.lb/health-check: \"http:/up\""),
                    ", ports: [{port: 80}], ipFamilies: [IPv6], sessionAffinity: ClientIP", "")
                SLICE_OF("IPv6", "s", "web", "{port: 80}", READY("fd00:2::1")),
            "{\"service\": \"shop/web\", \"vip\": \"fd00:1:1::1\", \"ipv6\": true, \"port\": 80,"
            " \"protocol\": \"TCP\", \"scheduler\": \"mh\", \"mh\": true, \"forwarding\": \"tunnel\","
            " \"nat\": false, \"tunnel\": true, \"persistence_timeout\": 10800, \"check_interval\": \"0.2\","
            " \"real_servers\": [{\"address\": \"fd00:2::1\", \"port\": 80, \"weight\": 1, \"tcp_check\": "
            "false,"
            "   \"http_check\": {\"timeout\": \"0.05\", \"retries\": 0, \"path\": \"/up\"}}]}");
}

static void udp_service_has_no_check(void **state)
{
        (void)state;
        expect_view(
            SITE,
            SERVICE("dns", "", ", ports: [{port: 53, protocol: UDP}]", "")
                SLICE_OF("IPv4", "s", "dns", "{port: 5353, protocol: UDP}", READY("172.16.1.1")),
            "{\"service\": \"shop/dns\", \"vip\": \"10.1.1.1\", \"ipv6\": false, \"port\": 53,"
            " \"protocol\": \"UDP\", \"scheduler\": \"rr\", \"mh\": false, \"forwarding\": \"nat\","
            " \"nat\": true, \"tunnel\": false, \"persistence_timeout\": false, \"check_interval\": \"2\","
            " \"real_servers\": [{\"address\": \"172.16.1.1\", \"port\": 5353, \"weight\": 1,"
            "   \"tcp_check\": false, \"http_check\": false}]}");
}

static void whole_plan_is_the_list_of_its_virtual_servers(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE,
                                                   PLAIN("a") PLAIN("b") SLICE("s", "a", READY("172.16.1.1"))
                                                       SLICE("t", "b", READY("172.16.1.1")),
                                                   PLAN_ADDRESSES_ALLOCATE);
        _cleanup_json_ json_t *view = view_plan(plan),
                              *second = view_virtual_server(plan, &plan->virtual_servers[1]);

        (void)state;
        assert_int_equal(json_array_size(json_object_get(view, "virtual_servers")), 2);
        assert_true(json_equal(json_array_get(json_object_get(view, "virtual_servers"), 1), second));
}

static void empty_plan_is_an_empty_list(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, "", PLAN_ADDRESSES_ALLOCATE);
        _cleanup_json_ json_t *view = view_plan(plan);

        (void)state;
        expect_json(view, "{\"virtual_servers\": []}");
}

static void router_id_of_an_ipv6_pod_is_the_end_of_its_address(void **state)
{
        _cleanup_config_ struct config *config = config_of(SITE);
        struct addr_pair pod = {0}, node = {0};
        _cleanup_json_ json_t *view = NULL;

        (void)state;
        assert_int_equal(addr_parse("10.244.1.2", &pod.v4), 0);
        view = view_exabgp(config, &pod, &node, NULL);
        assert_true(json_is_false(json_object_get(view, "next_hop")));
        json_decref(view);
        pod.v4.family = 0;
        config->bgp.n_reflectors = 0;
        assert_int_equal(addr_parse("fd00:16:1::10.1.2.3", &pod.v6), 0);
        view = view_exabgp(config, &pod, &node, NULL);
        assert_string_equal(json_string_value(json_object_get(view, "router_id")), "10.1.2.3");
}

static void exabgp_learns_the_session_and_the_next_hops(void **state)
{
        _cleanup_config_ struct config *config = config_of(SITE);
        struct addr_pair pod = {0}, node = {0};
        _cleanup_json_ json_t *plain = NULL, *full = NULL;

        (void)state;
        assert_int_equal(addr_parse("10.244.1.2", &pod.v4), 0);
        assert_int_equal(addr_parse("10.0.0.1", &node.v4), 0);
        plain = view_exabgp(config, &pod, &node, NULL);
        expect_json(
            plain, "{\"router_id\": \"10.244.1.2\", \"pod_address\": \"10.244.1.2\", \"pod_address6\": false,"
                   " \"next_hop\": \"10.0.0.1\", \"next_hop6\": false, \"local_as\": 65021,"
                   " \"hold_time\": 9, \"password\": false, \"neighbors\": [{\"address\": \"10.0.0.109\","
                   " \"local_address\": \"10.244.1.2\", \"as\": 65021}]}");
        assert_int_equal(addr_parse("fd00::1", &node.v6), 0);
        full = view_exabgp(config, &pod, &node, "secret");
        assert_string_equal(json_string_value(json_object_get(full, "next_hop6")), "fd00::1");
        assert_string_equal(json_string_value(json_object_get(full, "password")), "secret");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(nat_service_with_a_tcp_check),
            cmocka_unit_test(tunnelled_ipv6_service_with_an_http_check_and_affinity),
            cmocka_unit_test(udp_service_has_no_check),
            cmocka_unit_test(whole_plan_is_the_list_of_its_virtual_servers),
            cmocka_unit_test(empty_plan_is_an_empty_list),
            cmocka_unit_test(router_id_of_an_ipv6_pod_is_the_end_of_its_address),
            cmocka_unit_test(exabgp_learns_the_session_and_the_next_hops),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
