#include "core/service_options.h"

#include "site.h"
#include "unit.h"

#include <string.h>

#define OBJECTS(annotations)                                                        \
        SERVICE("web", ", annotations: {" annotations "}", ", ports: [{port: 80}]") \
        SLICE("a", "web", IPV4("80", READY("172.16.1.1")))

static struct plan *plan_of(const char *objects)
{
        _cleanup_config_ struct config *config = site_config();

        return site_plan(config, objects, PLAN_ADDRESSES_ALLOCATE);
}

static void assert_options(const char *objects, const char *expected, const char *problems)
{
        _cleanup_plan_ struct plan *plan = plan_of(objects);
        _cleanup_strbuf_ struct strbuf text = {0}, complaints = {0};

        site_dump_plan(plan, &text);
        site_dump_problems(plan, &complaints);
        assert_string_equal(text.text, expected);
        assert_string_equal(complaints.text, problems);
}

static void annotations_choose_forwarding_scheduler_and_check(void **state)
{
        (void)state;
        assert_options(OBJECTS(""), "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*1\n", "");
        assert_options(OBJECTS("coracle.lb/scheduler: wlc, coracle.lb/health-check: none"),
                       "10.1.1.1 TCP 80 nat wlc shop/web: 172.16.1.1:80*1\n", "");
        assert_options(OBJECTS("coracle.lb/forwarding: tunnel, coracle.lb/scheduler: sh"),
                       "10.1.1.1 TCP 80 tunnel sh! shop/web: 172.16.1.1:80*1\n", "");
}

static void tunnel_is_scheduled_by_mh(void **state)
{
        (void)state;
        assert_options(OBJECTS("coracle.lb/forwarding: tunnel"),
                       "10.1.1.1 TCP 80 tunnel mh! shop/web: 172.16.1.1:80*1\n", "");
}

static void bad_annotations_yield_problems_and_the_defaults(void **state)
{
        static const char *const bad[] = {
            OBJECTS("coracle.lb/forwarding: direct"),
            OBJECTS("coracle.lb/forwarding: ''"),
            OBJECTS("coracle.lb/scheduler: fastest"),
            OBJECTS("coracle.lb/scheduler: \"rr\\n}\""),
            OBJECTS("coracle.lb/health-check: 'udp'"),
            OBJECTS("coracle.lb/health-check: 'http:health'"),
            OBJECTS("coracle.lb/health-check: 'http:/a b'"),
            OBJECTS("coracle.lb/health-check: \"http:/a\\n}\""),
            OBJECTS("coracle.lb/template: '../../etc/passwd'"),
            OBJECTS("coracle.lb/template: ''"),
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_options(bad[i], "10.1.1.1 TCP 80 nat rr! shop/web: 172.16.1.1:80*1\n",
                               "shop/web BadAnnotation\n");
}

static void http_check_has_its_path_and_the_default_timers(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(OBJECTS("coracle.lb/health-check: 'http:/healthz'"));

        (void)state;
        assert_int_equal(plan->services[0].health_check.type, HEALTH_CHECK_HTTP);
        assert_string_equal(plan->services[0].health_check.path, "/healthz");
        assert_int_equal(plan->services[0].health_check.interval_ms, 2000);
}

static void client_affinity_becomes_persistence(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SERVICE("web", "",
                            ", ports: [{port: 80}], sessionAffinity: ClientIP,"
                            " sessionAffinityConfig: {clientIP: {timeoutSeconds: 77}}"));

        (void)state;
        assert_int_equal(plan->services[0].persistence_timeout_s, 77);
}

static void template_is_named_without_a_path(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(OBJECTS("coracle.lb/template: dns-servers_2"));

        (void)state;
        assert_string_equal(plan->services[0].template, "dns-servers_2");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(annotations_choose_forwarding_scheduler_and_check),
            cmocka_unit_test(tunnel_is_scheduled_by_mh),
            cmocka_unit_test(bad_annotations_yield_problems_and_the_defaults),
            cmocka_unit_test(http_check_has_its_path_and_the_default_timers),
            cmocka_unit_test(client_affinity_becomes_persistence),
            cmocka_unit_test(template_is_named_without_a_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
