#include "core/plan.h"

#include "planning.h"
#include "unit.h"

#include <string.h>

#define ENDPOINT(service) SLICE(service "-1", service, READY("172.16.1.1"))
#define SERVED(options) "10.1.1.1 TCP 80 shop/web " options ": 172.16.1.1:8080\n"

static void expect_annotated(const char *config, const char *service, const char *expected)
{
        char objects[1024];

        (void)snprintf(objects, sizeof(objects), "%s%s", service, ENDPOINT("web"));
        expect_servers(config, objects, expected);
}

/* ---- which services ---- */

#define SPEC(name, spec)                                                               \
        "---\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: " name \
        "}, spec: {" spec PORT80 "}}\n"

static void only_load_balancers_of_our_class_count(void **state)
{
        (void)state;
        expect_addresses(SITE,
                         SPEC("a", "type: LoadBalancer")
                             SPEC("b", "type: LoadBalancer, loadBalancerClass: other")
                                 SPEC("c", "type: NodePort, loadBalancerClass: coracle.lb/ecmp")
                                     SPEC("d", "loadBalancerClass: coracle.lb/ecmp")
                                         SPEC("e", "type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp"),
                         "10.1.1.1 shop/e\n");
}

static void class_of_the_configuration_is_the_one_that_counts(void **state)
{
        (void)state;
        expect_addresses("loadBalancerClass: other\n" SITE,
                         PLAIN("a") SPEC("b", "type: LoadBalancer, loadBalancerClass: other"),
                         "10.1.1.1 shop/b\n");
}

static void model_without_services_gives_an_empty_plan(void **state)
{
        (void)state;
        expect_addresses(SITE, "", "");
        expect_servers(SITE, ENDPOINT("web"), "");
}

/* ---- options ---- */

static void annotations_choose_forwarding_scheduler_and_check(void **state)
{
        (void)state;
        expect_annotated(SITE,
                         ANNOTATED("web", "coracle.lb/scheduler: wlc, coracle.lb/health-check: \"http:/up\""),
                         SERVED("wlc nat /up"));
        expect_annotated(SITE, ANNOTATED("web", "coracle.lb/health-check: none"), SERVED("rr nat unchecked"));
}

static void configuration_gives_what_annotations_do_not(void **state)
{
        static const char config[] = SITE "defaults: {scheduler: lc, healthCheck: {type: \"http:/d\"}}\n";

        (void)state;
        expect_annotated(config, PLAIN("web"), SERVED("lc nat /d"));
        expect_annotated(config, ANNOTATED("web", "coracle.lb/scheduler: sh, coracle.lb/health-check: tcp"),
                         SERVED("sh nat tcp"));
}

#define TUNNELLED(spec) SERVICE("web", ANNOTATIONS("coracle.lb/forwarding: tunnel"), spec, "")

static void tunnel_schedules_by_mh_unless_told_otherwise(void **state)
{
        (void)state;
        expect_servers(SITE "defaults: {scheduler: lc}\n",
                       TUNNELLED(", ports: [{port: 8080}]") ENDPOINT("web"),
                       "10.1.1.1 TCP 8080 shop/web mh tunnel tcp: 172.16.1.1:8080\n");
        expect_servers(SITE "defaults: {forwarding: tunnel}\n",
                       SERVICE("web", ANNOTATIONS("coracle.lb/scheduler: rr"), ", ports: [{port: 8080}]", "")
                           ENDPOINT("web"),
                       "10.1.1.1 TCP 8080 shop/web rr tunnel tcp: 172.16.1.1:8080\n");
        expect_annotated(SITE "defaults: {forwarding: tunnel}\n",
                         ANNOTATED("web", "coracle.lb/forwarding: nat"), SERVED("rr nat tcp"));
}

static void tunnel_to_another_port_becomes_nat_for_that_port_only(void **state)
{
        (void)state;
        expect_servers(
            SITE,
            TUNNELLED(", ports: [{name: a, port: 80}, {name: b, port: 81}]") SLICE_OF(
                "IPv4", "web-1", "web", "{name: a, port: 8080}, {name: b, port: 81}", READY("172.16.1.1")),
            "10.1.1.1 TCP 80 shop/web mh nat tcp: 172.16.1.1:8080\n"
            "10.1.1.1 TCP 81 shop/web mh tunnel tcp: 172.16.1.1:81\n"
            "! shop/web TunnelImpossible: port 80 differs from the target port 8080, which a tunnel cannot "
            "translate; using nat for it\n");
}

static void bad_annotation_gives_the_default_and_one_problem_each(void **state)
{
        (void)state;
        expect_annotated(
            SITE,
            ANNOTATED("web", "coracle.lb/forwarding: dsr, coracle.lb/scheduler: \"rr\\n}\", "
                             "coracle.lb/health-check: \"http:/a b\", coracle.lb/template: ../../etc/passwd"),
            SERVED("rr nat tcp") "! shop/web BadAnnotation: coracle.lb/forwarding must be nat or tunnel; "
                                 "using nat\n"
                                 "! shop/web BadAnnotation: coracle.lb/scheduler must be a scheduler of "
                                 "IPVS; using rr\n"
                                 "! shop/web BadAnnotation: coracle.lb/health-check must be tcp, none or "
                                 "http:/path; "
                                 "using the default\n"
                                 "! shop/web BadAnnotation: coracle.lb/template must be the name of a "
                                 "template; using "
                                 "virtual_server\n");
}

static void bad_annotation_leaves_other_services_alone(void **state)
{
        (void)state;
        expect_servers(
            SITE, ANNOTATED("web", "coracle.lb/scheduler: fair") ENDPOINT("web") PLAIN("api") ENDPOINT("api"),
            "10.1.1.1 TCP 80 shop/api rr nat tcp: 172.16.1.1:8080\n"
            "10.1.1.2 TCP 80 shop/web rr nat tcp: 172.16.1.1:8080\n"
            "! shop/web BadAnnotation: coracle.lb/scheduler must be a scheduler of IPVS; using rr\n");
}

static void template_is_named_by_an_annotation(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(
            SITE, ANNOTATED("a", "coracle.lb/template: sip_server") PLAIN("b"), PLAN_ADDRESSES_ALLOCATE);

        (void)state;
        assert_string_equal(plan->services[0].template, "sip_server");
        assert_null(plan->services[1].template);
}

static uint32_t persistence_of(const char *spec)
{
        char service[512];
        _cleanup_plan_ struct plan *plan = NULL;

        (void)snprintf(service, sizeof(service), SERVICE("web", "", PORT80 "%s", ""), spec);
        plan = plan_of(SITE, service, PLAN_ADDRESSES_ALLOCATE);
        assert_int_equal(plan->n_services, 1);
        return plan->services[0].persistence_timeout_s;
}

static void withheld_vip_stays_without_its_virtual_servers(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE,
                                                   PLAIN("a") PLAIN("b") SLICE("s", "a", READY("172.16.1.1"))
                                                       SLICE("t", "b", READY("172.16.1.1")),
                                                   PLAN_ADDRESSES_ALLOCATE);

        (void)state;
        assert_true(plan_is_whole(plan));
        plan->vips[0].unguarded = true;
        plan_compact(plan);
        assert_false(plan_is_whole(plan));
        assert_int_equal(plan->n_vips, 2);
        assert_true(plan->vips[0].unguarded);
        assert_false(plan->vips[1].unguarded);
        assert_int_equal(plan->n_virtual_servers, 1);
        assert_true(addr_equal(&plan->virtual_servers[0].vip, &plan->vips[1].addr));
}

static void session_affinity_becomes_a_persistence_timeout(void **state)
{
        (void)state;
        assert_int_equal(persistence_of(""), 0);
        assert_int_equal(persistence_of(", sessionAffinity: None"), 0);
        assert_int_equal(persistence_of(", sessionAffinity: ClientIP"), 10800);
        assert_int_equal(persistence_of(", sessionAffinity: ClientIP,"
                                        " sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}"),
                         60);
}

/* ---- determinism ---- */

static const char *const parts[] = {
    PLAIN("web"),
    ANNOTATED("api", "coracle.lb/scheduler: fair"),
    WITH_SPEC("db", ", loadBalancerIP: 10.1.1.2"),
    SERVICE("mx", ANNOTATIONS("coracle.lb/share: k, coracle.lb/address: 10.1.1.5"), PORT80, ""),
    SERVICE("mail", ANNOTATIONS("coracle.lb/share: k, coracle.lb/address: 10.1.1.5"), PORT80, ""),
    SLICE("s1", "web", READY("172.16.1.2") DRAINING("172.16.1.1")),
    SLICE("s2", "web", READY("172.16.1.1") READY("172.16.1.3")),
    SLICE("s3", "api", READY("172.16.1.4")),
    SLICE("s4", "mx", READY("172.16.1.5")),
    SLICE("s5", "mail", READY("172.16.1.6")),
};

#define N_PARTS (sizeof(parts) / sizeof(*parts))

static const char shuffled_plan[] =
    "10.1.1.1 TCP 80 shop/api rr nat tcp: 172.16.1.4:8080\n"
    "10.1.1.3 TCP 80 shop/web rr nat tcp: 172.16.1.1:8080 172.16.1.2:8080 172.16.1.3:8080\n"
    "10.1.1.5 TCP 80 shop/mail rr nat tcp: 172.16.1.6:8080\n"
    "! shop/api BadAnnotation: coracle.lb/scheduler must be a scheduler of IPVS; using rr\n"
    "! shop/mx PortInUse: TCP port 80 on the shared address 10.1.1.5 belongs to shop/mail; left out\n";

static void any_order_of_objects_gives_the_same_plan(void **state)
{
        (void)state;
        for (size_t round = 0; round < 40; round++) {
                size_t order[N_PARTS];
                char objects[8192] = "";
                size_t length = 0, seed = round * 2654435761u;

                for (size_t i = 0; i < N_PARTS; i++)
                        order[i] = i;
                for (size_t i = N_PARTS - 1; i > 0; i--) {
                        size_t other, kept = order[i];

                        seed = seed * 1103515245u + 12345u;
                        other = (seed >> 16) % (i + 1);
                        order[i] = order[other];
                        order[other] = kept;
                }
                for (size_t i = 0; i < N_PARTS; i++)
                        length += (size_t)snprintf(objects + length, sizeof(objects) - length, "%s",
                                                   parts[order[i]]);
                assert_true(length < sizeof(objects));
                expect_servers(SITE, objects, shuffled_plan);
        }
}

/* ---- helpers of plan ---- */

static struct plan *two_servers(const char *scheduler)
{
        char objects[2048];

        (void)snprintf(objects, sizeof(objects), "%s%s" ANNOTATED("web", "coracle.lb/scheduler: %s"),
                       PLAIN("api") ENDPOINT("api"), ENDPOINT("web"), scheduler);
        return plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
}

static void found_by_its_key_only(void **state)
{
        _cleanup_plan_ struct plan *plan = two_servers("rr");
        struct addr vip;

        (void)state;
        assert_int_equal(addr_parse("10.1.1.2", &vip), 0);
        assert_ptr_equal(plan_find(plan, &vip, PROTOCOL_TCP, 80), &plan->virtual_servers[1]);
        assert_null(plan_find(plan, &vip, PROTOCOL_UDP, 80));
        assert_null(plan_find(plan, &vip, PROTOCOL_TCP, 81));
}

static void held_server_is_what_it_was_before(void **state)
{
        _cleanup_plan_ struct plan *before = two_servers("wlc"), *plan = two_servers("sh");

        (void)state;
        assert_int_equal(plan_hold(plan, 1, before), 0);
        plan_compact(plan);
        assert_int_equal(plan->n_virtual_servers, 2);
        assert_string_equal(plan->virtual_servers[1].scheduler, "wlc");
        assert_ptr_not_equal(plan->virtual_servers[1].real_servers, before->virtual_servers[1].real_servers);
}

static void held_server_that_was_not_there_is_dropped(void **state)
{
        _cleanup_plan_ struct plan *plan = two_servers("sh");

        (void)state;
        assert_int_equal(plan_hold(plan, 0, NULL), 0);
        plan_compact(plan);
        assert_int_equal(plan->n_virtual_servers, 1);
        assert_int_equal(plan->virtual_servers[0].service, 1);
}

static void problems_can_be_forgotten_back_to_a_count(void **state)
{
        _cleanup_plan_ struct plan *plan = two_servers("rr");

        (void)state;
        for (unsigned int i = 0; i < 9; i++)
                assert_int_equal(plan_add_problem(plan, "shop/web", "Example", "number %u", i), 0);
        plan_forget_problems(plan, 3);
        assert_int_equal(plan->n_problems, 3);
        assert_int_equal(plan_add_problem(plan, "shop/web", "Example", "again"), 0);
        assert_string_equal(plan->problems[2].message, "number 2");
        assert_string_equal(plan->problems[3].message, "again");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(only_load_balancers_of_our_class_count),
            cmocka_unit_test(class_of_the_configuration_is_the_one_that_counts),
            cmocka_unit_test(model_without_services_gives_an_empty_plan),
            cmocka_unit_test(annotations_choose_forwarding_scheduler_and_check),
            cmocka_unit_test(configuration_gives_what_annotations_do_not),
            cmocka_unit_test(tunnel_schedules_by_mh_unless_told_otherwise),
            cmocka_unit_test(tunnel_to_another_port_becomes_nat_for_that_port_only),
            cmocka_unit_test(bad_annotation_gives_the_default_and_one_problem_each),
            cmocka_unit_test(bad_annotation_leaves_other_services_alone),
            cmocka_unit_test(template_is_named_by_an_annotation),
            cmocka_unit_test(withheld_vip_stays_without_its_virtual_servers),
            cmocka_unit_test(session_affinity_becomes_a_persistence_timeout),
            cmocka_unit_test(any_order_of_objects_gives_the_same_plan),
            cmocka_unit_test(found_by_its_key_only),
            cmocka_unit_test(held_server_is_what_it_was_before),
            cmocka_unit_test(held_server_that_was_not_there_is_dropped),
            cmocka_unit_test(problems_can_be_forgotten_back_to_a_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
