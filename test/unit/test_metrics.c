#include "core/metrics.h"

#include "planning.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static const struct metrics_histogram no_reconcile;
static const struct routes no_routes;
static const struct ipvs_counts no_counts;

static const struct metrics empty = {.version = "0.1.0",
                                     .started_ms = 1700000000250,
                                     .reconcile = &no_reconcile,
                                     .ipvs_counts = &no_counts,
                                     .routes = &no_routes};

static void expect_line(const struct metrics *metrics, const char *line)
{
        _cleanup_strbuf_ struct strbuf text = {0}, wanted = {0};

        assert_int_equal(metrics_format(metrics, &text), 0);
        assert_int_equal(strbuf_printf(&wanted, "\n%s\n", line), 0);
        if (!strstr(text.text, wanted.text))
                fail_msg("lacks %s in\n%s", line, text.text);
}

static void expect_no(const struct metrics *metrics, const char *part)
{
        _cleanup_strbuf_ struct strbuf text = {0};

        assert_int_equal(metrics_format(metrics, &text), 0);
        assert_null(strstr(text.text, part));
}

static void daemon_that_has_just_begun_tells_what_it_knows(void **state)
{
        (void)state;
        expect_line(&empty, "coracle_build_info{version=\"0.1.0\"} 1");
        expect_line(&empty, "coracle_start_time_seconds 1700000000.250");
        expect_line(&empty, "# TYPE coracle_synced gauge\ncoracle_synced 0");
        expect_line(&empty, "coracle_plan_fingerprint 2166136261");
        expect_line(&empty, "coracle_announcer_connected 0");
        expect_no(&empty, "coracle_table_fingerprint");
        expect_no(&empty, "coracle_real_servers");
        expect_no(&empty, "coracle_sync_age");
        expect_no(&empty, "coracle_api_requests");
}

/* What the format asks for; promtool has the last word, in test/api. */
static void every_sample_follows_its_help_and_type(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        char family[128] = "", *save = NULL;
        size_t samples = 0;

        (void)state;
        assert_int_equal(metrics_format(&empty, &text), 0);
        assert_int_equal(text.text[text.length - 1], '\n');
        for (char *line = strtok_r(text.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                if (strncmp(line, "# HELP ", 7) == 0) {
                        assert_int_equal(sscanf(line, "# HELP %127s ", family), 1);
                        continue;
                }
                if (strncmp(line, "# TYPE ", 7) == 0) {
                        assert_memory_equal(line + 7, family, strlen(family));
                        if (strstr(line, " counter"))
                                assert_string_equal(family + strlen(family) - 6, "_total");
                        else
                                assert_null(strstr(family, "_total"));
                        continue;
                }
                assert_memory_equal(line, family, strlen(family));
                samples++;
        }
        assert_true(samples > 30);
}

static void durations_fall_into_cumulative_buckets(void **state)
{
        struct metrics_histogram histogram = {0};
        struct metrics metrics = empty;

        (void)state;
        metrics_observe(&histogram, 0.001);
        metrics_observe(&histogram, 0.02);
        metrics_observe(&histogram, 10);
        metrics_observe(&histogram, -1);
        metrics.reconcile = &histogram;
        expect_line(&metrics, "coracle_reconcile_duration_seconds_bucket{le=\"0.001\"} 2\n"
                              "coracle_reconcile_duration_seconds_bucket{le=\"0.005\"} 2\n"
                              "coracle_reconcile_duration_seconds_bucket{le=\"0.025\"} 3\n"
                              "coracle_reconcile_duration_seconds_bucket{le=\"0.1\"} 3\n"
                              "coracle_reconcile_duration_seconds_bucket{le=\"0.5\"} 3\n"
                              "coracle_reconcile_duration_seconds_bucket{le=\"2.5\"} 3\n"
                              "coracle_reconcile_duration_seconds_bucket{le=\"+Inf\"} 4\n"
                              "coracle_reconcile_duration_seconds_sum 10.021000\n"
                              "coracle_reconcile_duration_seconds_count 4");
}

static void api_is_told_by_resource_reason_and_code(void **state)
{
        struct metrics_watch watches[KUBE_KIND_COUNT] = {
            [KUBE_KIND_SERVICE] = {.lists = 2, .contact_age_ms = 1250, .list_age_ms = 61007},
            [KUBE_KIND_ENDPOINT_SLICE] = {.events = 9, .contact_age_ms = -1, .list_age_ms = -1}};
        uint64_t answers[METRICS_CODES] = {[0] = 3, [200] = 7, [410] = 1};
        struct metrics metrics = empty;

        (void)state;
        watches[KUBE_KIND_SERVICE].restarts[WATCH_REASON_EXPIRED] = 4;
        metrics.watches = watches;
        metrics.api_answers = answers;
        expect_line(&metrics, "coracle_lists_total{resource=\"services\"} 2");
        expect_line(&metrics, "coracle_watch_events_total{resource=\"endpointslices\"} 9");
        expect_line(&metrics, "coracle_watch_restarts_total{resource=\"services\",reason=\"expired\"} 4");
        expect_line(&metrics, "coracle_sync_age_seconds{resource=\"services\"} 1.250");
        expect_line(&metrics, "coracle_list_age_seconds{resource=\"services\"} 61.007");
        expect_line(&metrics, "coracle_api_requests_total{code=\"none\"} 3\n"
                              "coracle_api_requests_total{code=\"200\"} 7\n"
                              "coracle_api_requests_total{code=\"410\"} 1");
        expect_no(&metrics, "sync_age_seconds{resource=\"endpointslices\"}");
        expect_no(&metrics, "reason=\"progress\"");
}

#define TABLE                                           \
        "IP Virtual Server version 1.2.1 (size=4096)\n" \
        "Prot LocalAddress:Port Scheduler Flags\n"      \
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"

static void table_of(const char *text, struct ipvs_table *out)
{
        struct error error = {0};

        assert_int_equal(ipvs_table_parse(text, out, &error), 0);
}

static void real_servers_of_all_virtual_servers_of_a_service_add_up(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SITE,
                    SERVICE("web", "", ", ports: [{name: a, port: 80}, {name: b, port: 81}]", "")
                        SLICE_OF("IPv4", "web-1", "web", "{name: a, port: 80}, {name: b, port: 81}",
                                 READY("172.16.1.1") READY("172.16.1.2") DRAINING("172.16.1.3")),
                    PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct metrics metrics = empty;

        (void)state;
        table_of(TABLE "TCP  0A010101:0050 rr \n"
                       "  -> AC100101:0050      Masq    1      5          0         \n"
                       "  -> AC100103:0050      Masq    0      5          0         \n"
                       "TCP  0A010101:0051 rr \n"
                       "  -> AC100101:0051      Masq    1      5          0         \n"
                       "  -> AC100102:0051      Masq    1      5          0         \n"
                       "  -> AC100103:0051      Masq    0      5          0         \n",
                 &table);
        metrics.plan = plan;
        expect_no(&metrics, "coracle_real_servers");
        metrics.table = &table;
        expect_line(&metrics, "coracle_real_servers{namespace=\"shop\",service=\"web\",state=\"up\"} 3");
        expect_line(&metrics,
                    "coracle_real_servers{namespace=\"shop\",service=\"web\",state=\"draining\"} 2");
        expect_line(&metrics, "coracle_real_servers{namespace=\"shop\",service=\"web\",state=\"down\"} 1");
        expect_line(&metrics, "coracle_virtual_servers 2");
}

#define SHARED(name, port)                                                              \
        SERVICE(name, ANNOTATIONS("coracle.lb/share: k, coracle.lb/address: 10.1.1.5"), \
                ", ports: [{port: " port "}]", "")

static void real_servers_behind_a_shared_address_count_for_their_own_service(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SITE,
                    SHARED("a", "80") SLICE("a-1", "a", READY("172.16.1.1")) SHARED("b", "81")
                        SLICE("b-1", "b", READY("172.16.1.2")),
                    PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct metrics metrics = empty;

        (void)state;
        assert_int_equal(plan->n_vips, 1);
        table_of(TABLE "TCP  0A010105:0050 rr \n"
                       "  -> AC100101:1F90      Masq    1      5          0         \n"
                       "TCP  0A010105:0051 rr \n",
                 &table);
        metrics.plan = plan;
        metrics.table = &table;
        expect_line(&metrics, "coracle_real_servers{namespace=\"shop\",service=\"a\",state=\"up\"} 1\n"
                              "coracle_real_servers{namespace=\"shop\",service=\"b\",state=\"up\"} 0");
        expect_line(&metrics, "coracle_real_servers{namespace=\"shop\",service=\"a\",state=\"down\"} 0\n"
                              "coracle_real_servers{namespace=\"shop\",service=\"b\",state=\"down\"} 1");
}

static void what_is_asked_of_the_kernel_is_counted_by_its_outcome(void **state)
{
        const struct ipvs_counts counts = {.done = {[IPVS_OPERATION_READ] = 7, [IPVS_OPERATION_ADD] = 2},
                                           .failed = {[IPVS_OPERATION_CHANGE] = 1}};
        struct metrics metrics = empty;

        (void)state;
        metrics.ipvs_counts = &counts;
        expect_line(&metrics, "coracle_kernel_operations_total{operation=\"read\",outcome=\"done\"} 7");
        expect_line(&metrics, "coracle_kernel_operations_total{operation=\"add\",outcome=\"done\"} 2");
        expect_line(&metrics, "coracle_kernel_operations_total{operation=\"change\",outcome=\"failed\"} 1");
        expect_line(&metrics, "coracle_kernel_operations_total{operation=\"remove\",outcome=\"failed\"} 0");
}

static void tunnels_without_an_answer_are_told_if_they_are_probed(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SITE,
                    ANNOTATED("deep", "coracle.lb/forwarding: tunnel")
                        ANNOTATED("dug", "coracle.lb/forwarding: tunnel") PLAIN("web"),
                    PLAN_ADDRESSES_ALLOCATE);
        struct metrics metrics = empty;

        (void)state;
        metrics.plan = plan;
        plan->services[1].tunnel_unanswered = 3;
        expect_no(&metrics, "tunnel_unanswered");
        plan->tunnels_probed = true;
        expect_line(&metrics, "coracle_tunnel_unanswered{namespace=\"shop\",service=\"deep\"} 0\n"
                              "coracle_tunnel_unanswered{namespace=\"shop\",service=\"dug\"} 3");
        expect_no(&metrics, "tunnel_unanswered{namespace=\"shop\",service=\"web\"}");
}

static void routes_are_counted_by_what_keeps_them(void **state)
{
        struct route list[] = {{.state = ROUTE_ANNOUNCED},
                               {.state = ROUTE_NO_REAL_SERVER},
                               {.state = ROUTE_NO_REAL_SERVER},
                               {.state = ROUTE_HELD_DOWN}};
        const struct routes routes = {.routes = list, .count = sizeof(list) / sizeof(*list)};
        const struct announce_report report = {.neighbors = 2, .neighbors_up = 1};
        struct metrics metrics = empty;

        (void)state;
        metrics.routes = &routes;
        metrics.report = &report;
        expect_line(&metrics, "coracle_vips_announced 1");
        expect_line(&metrics, "coracle_vips_withheld{reason=\"no-real-server\"} 2");
        expect_line(&metrics, "coracle_vips_withheld{reason=\"held-down\"} 1");
        expect_line(&metrics, "coracle_vips_withheld{reason=\"unsynced\"} 0");
        expect_line(&metrics, "coracle_announcer_connected 1");
        expect_line(&metrics, "coracle_bgp_sessions 2");
        expect_line(&metrics, "coracle_bgp_sessions_up 1");
}

static void vip_that_is_withheld_is_named_with_its_reason(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, PLAIN("a") PLAIN("b"), PLAN_ADDRESSES_ALLOCATE);
        struct route list[] = {{.vip = plan->vips[0].addr, .state = ROUTE_ANNOUNCED},
                               {.vip = plan->vips[1].addr, .state = ROUTE_NO_REAL_SERVER}};
        const struct routes routes = {.routes = list, .count = 2};
        struct metrics metrics = empty;

        (void)state;
        metrics.plan = plan;
        metrics.routes = &routes;
        expect_line(&metrics, "coracle_vip_withheld{namespace=\"shop\",service=\"b\",vip=\"10.1.1.2\","
                              "reason=\"no-real-server\"} 1");
        expect_no(&metrics, "vip=\"10.1.1.1\"");
}

static void label_values_are_escaped(void **state)
{
        struct metrics metrics = empty;
        _cleanup_strbuf_ struct strbuf text = {0};

        (void)state;
        metrics.version = "a\\b\"c\nd";
        assert_int_equal(metrics_format(&metrics, &text), 0);
        assert_non_null(strstr(text.text, "coracle_build_info{version=\"a\\\\b\\\"c\\nd\"} 1\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(daemon_that_has_just_begun_tells_what_it_knows),
            cmocka_unit_test(every_sample_follows_its_help_and_type),
            cmocka_unit_test(durations_fall_into_cumulative_buckets),
            cmocka_unit_test(api_is_told_by_resource_reason_and_code),
            cmocka_unit_test(real_servers_of_all_virtual_servers_of_a_service_add_up),
            cmocka_unit_test(real_servers_behind_a_shared_address_count_for_their_own_service),
            cmocka_unit_test(what_is_asked_of_the_kernel_is_counted_by_its_outcome),
            cmocka_unit_test(tunnels_without_an_answer_are_told_if_they_are_probed),
            cmocka_unit_test(routes_are_counted_by_what_keeps_them),
            cmocka_unit_test(vip_that_is_withheld_is_named_with_its_reason),
            cmocka_unit_test(label_values_are_escaped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
