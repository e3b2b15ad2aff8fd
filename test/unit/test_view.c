#include "core/view.h"

#include "site.h"
#include "unit.h"

#include <string.h>

static void assert_view(json_t *view, const char *expected)
{
        _cleanup_json_ json_t *owned = view, *wanted = json_loads(expected, 0, NULL);
        _cleanup_free_ char *text = json_dumps(owned, JSON_SORT_KEYS | JSON_COMPACT);

        assert_non_null(owned);
        assert_non_null(wanted);
        if (!json_equal(owned, wanted))
                fail_msg("%s", text);
}

static struct plan *plan_of(const char *objects)
{
        _cleanup_config_ struct config *config = site_config();

        return site_plan(config, objects, PLAN_ADDRESSES_ALLOCATE);
}

static void virtual_server_shows_what_templates_need(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SERVICE("web", "", ", ports: [{port: 80}]") SLICE(
            "a", "web", IPV4("8080", READY("172.16.1.1") "," DRAINING("172.16.1.2"))));

        (void)state;
        assert_view(view_virtual_server(plan, &plan->virtual_servers[0]),
                    "{\"service\": \"shop/web\", \"vip\": \"10.1.1.1\", \"ipv6\": false, \"port\": 80, "
                    "\"protocol\": \"TCP\","
                    " \"scheduler\": \"rr\", \"mh\": false, \"forwarding\": \"nat\", \"nat\": true, "
                    "\"tunnel\": false,"
                    " \"persistence_timeout\": false, \"check_interval\": \"2\", \"real_servers\": ["
                    "{\"address\": \"172.16.1.1\", \"port\": 8080, \"weight\": 1,"
                    " \"tcp_check\": {\"timeout\": \"1\", \"retries\": 1}, \"http_check\": false},"
                    "{\"address\": \"172.16.1.2\", \"port\": 8080, \"weight\": 0, \"tcp_check\": false, "
                    "\"http_check\": false}]}");
}

static void options_of_the_service_show(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(
            SERVICE("web",
                    ", annotations: {coracle.lb/forwarding: tunnel, coracle.lb/health-check: 'http:/live'}",
                    ", ipFamilies: [IPv6], ports: [{port: 80}], sessionAffinity: ClientIP,"
                    " sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}")
                SLICE("a", "web",
                      "addressType: IPv6, ports: [{port: 80}], endpoints: [" READY("fd00::1") "]"));

        (void)state;
        plan->services[0].health_check.interval_ms = 250;
        plan->services[0].health_check.timeout_ms = 1005;
        assert_view(view_virtual_server(plan, &plan->virtual_servers[0]),
                    "{\"service\": \"shop/web\", \"vip\": \"fd00:1:1::1\", \"ipv6\": true, \"port\": 80, "
                    "\"protocol\": \"TCP\","
                    " \"scheduler\": \"mh\", \"mh\": true, \"forwarding\": \"tunnel\", \"nat\": false, "
                    "\"tunnel\": true,"
                    " \"persistence_timeout\": 60, \"check_interval\": \"0.25\", \"real_servers\": ["
                    "{\"address\": \"fd00::1\", \"port\": 80, \"weight\": 1, \"tcp_check\": false,"
                    " \"http_check\": {\"timeout\": \"1.005\", \"retries\": 1, \"path\": \"/live\"}}]}");
}

static void servers_of_udp_are_not_checked(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SERVICE("dns", "", ", ports: [{port: 53, protocol: UDP}]")
                        SLICE("a", "dns",
                              "addressType: IPv4, ports: [{port: 53, protocol: UDP}], endpoints: [" READY(
                                  "172.16.1.1") "]"));
        _cleanup_json_ json_t *view = view_virtual_server(plan, &plan->virtual_servers[0]);
        const json_t *server = json_array_get(json_object_get(view, "real_servers"), 0);

        (void)state;
        assert_true(json_is_false(json_object_get(server, "tcp_check")));
        assert_true(json_is_false(json_object_get(server, "http_check")));
}

static void whole_plan_lists_its_virtual_servers(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SERVICE("web", "", ", ports: [{port: 80}]"));
        _cleanup_plan_ struct plan *two =
            plan_of(SERVICE("a", "", ", ports: [{port: 80}]") SERVICE("b", "", ", ports: [{port: 80}]") SLICE(
                "x", "a", IPV4("80", READY("172.16.1.1"))) SLICE("y", "b", IPV4("80", READY("172.16.1.1"))));
        _cleanup_json_ json_t *view = view_plan(two);

        (void)state;
        assert_view(view_plan(plan), "{\"virtual_servers\": []}");
        assert_int_equal(json_array_size(json_object_get(view, "virtual_servers")), 2);
}

static void exabgp_view_holds_both_ends(void **state)
{
        _cleanup_config_ struct config *config = site_config();
        struct addr pod, node, none = {0};

        (void)state;
        assert_int_equal(addr_parse("172.16.1.2", &pod), 0);
        assert_int_equal(addr_parse("10.0.0.106", &node), 0);
        assert_view(
            view_exabgp(config, &pod, &node, &none, NULL),
            "{\"local_address\": \"172.16.1.2\", \"router_id\": \"172.16.1.2\", \"next_hop\": \"10.0.0.106\","
            " \"next_hop6\": false, \"local_as\": 65021, \"hold_time\": 9, \"password\": false,"
            " \"neighbors\": [{\"address\": \"10.0.0.109\", \"as\": 65021}]}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(virtual_server_shows_what_templates_need),
            cmocka_unit_test(options_of_the_service_show),
            cmocka_unit_test(servers_of_udp_are_not_checked),
            cmocka_unit_test(whole_plan_lists_its_virtual_servers),
            cmocka_unit_test(exabgp_view_holds_both_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
