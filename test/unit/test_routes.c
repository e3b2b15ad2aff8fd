#include "core/routes.h"

#include "site.h"
#include "unit.h"

#include <string.h>

/* A pod with two VIPs, and what it is told at a time. */
struct pod {
        struct config *config;
        struct plan *plan;
        struct routes routes;
        struct ipvs_vip_state kernel[2];
        struct routes_input input;
};

static void start(struct pod *pod)
{
        *pod = (struct pod){0};
        pod->config = site_config();
        pod->plan = site_plan(
            pod->config, SERVICE("a", "", ", ports: [{port: 80}]") SERVICE("b", "", ", ports: [{port: 80}]"),
            PLAN_ADDRESSES_ALLOCATE);
        assert_int_equal(pod->plan->n_vips, 2);
        for (size_t i = 0; i < 2; i++)
                pod->kernel[i] = (struct ipvs_vip_state){.matches = true, .up = 1};
        pod->input = (struct routes_input){
            .plan = pod->plan, .kernel = pod->kernel, .synced = true, .keepalived_up = true};
}

static void stop(struct pod *pod)
{
        routes_clear(&pod->routes);
        plan_free(pod->plan);
        config_free(pod->config);
}

/* Asserts the states of both VIPs, and when the next look is due. */
static void assert_states(struct pod *pod, int64_t now_ms, const char *a, const char *b, int64_t next_ms)
{
        int64_t next = 0;

        pod->input.now_ms = now_ms;
        assert_true(routes_update(&pod->routes, &pod->input, &next) >= 0);
        assert_int_equal(pod->routes.count, 2);
        assert_string_equal(route_state_name(pod->routes.routes[0].state), a);
        assert_string_equal(route_state_name(pod->routes.routes[1].state), b);
        assert_int_equal(next, next_ms);
}

static void good_vip_is_announced_at_once_the_first_time(void **state)
{
        struct pod pod;

        (void)state;
        start(&pod);
        assert_states(&pod, 1000, "announced", "announced", -1);
        stop(&pod);
}

static void each_missing_condition_is_told(void **state)
{
        struct pod pod;

        (void)state;
        start(&pod);
        pod.input.synced = false;
        assert_states(&pod, 0, "unsynced", "unsynced", -1);
        pod.input.synced = true;
        pod.input.keepalived_up = false;
        assert_states(&pod, 0, "keepalived-down", "keepalived-down", -1);
        pod.input.keepalived_up = true;
        pod.input.kernel = NULL;
        assert_states(&pod, 0, "table-differs", "table-differs", -1);
        pod.input.kernel = pod.kernel;
        pod.kernel[0].matches = false;
        pod.kernel[1].up = 0;
        assert_states(&pod, 0, "table-differs", "no-real-server", -1);
        pod.input.draining = true;
        assert_states(&pod, 0, "draining", "draining", -1);
        stop(&pod);
}

static void withdrawn_at_once_and_announced_after_a_second_of_good(void **state)
{
        struct pod pod;

        (void)state;
        start(&pod);
        assert_states(&pod, 0, "announced", "announced", -1);
        pod.kernel[0].up = 0;
        assert_states(&pod, 10, "no-real-server", "announced", -1);
        pod.kernel[0].up = 1;
        assert_states(&pod, 100, "held-down", "announced", 100 + ROUTES_HOLD_MS);
        assert_states(&pod, 99 + ROUTES_HOLD_MS, "held-down", "announced", 100 + ROUTES_HOLD_MS);
        assert_states(&pod, 100 + ROUTES_HOLD_MS, "announced", "announced", -1);
        stop(&pod);
}

static void vip_that_flaps_begins_its_second_anew(void **state)
{
        struct pod pod;

        (void)state;
        start(&pod);
        assert_states(&pod, 0, "announced", "announced", -1);
        for (int64_t now_ms = 100; now_ms < 5000; now_ms += 500) {
                pod.kernel[1].matches = false;
                assert_states(&pod, now_ms, "announced", "table-differs", -1);
                pod.kernel[1].matches = true;
                assert_states(&pod, now_ms + 100, "announced", "held-down", now_ms + 100 + ROUTES_HOLD_MS);
        }
        stop(&pod);
}

static void change_under_way_keeps_an_announced_vip(void **state)
{
        struct pod pod;

        (void)state;
        start(&pod);
        pod.kernel[1].up = 0;
        assert_states(&pod, 0, "announced", "no-real-server", -1);
        pod.kernel[0].matches = pod.kernel[1].matches = false;
        pod.kernel[1].up = 1;
        pod.input.settling = true;
        assert_states(&pod, 10, "announced", "table-differs", -1);
        pod.kernel[0].up = 0;
        assert_states(&pod, 20, "no-real-server", "table-differs", -1);
        stop(&pod);
}

static void update_tells_whether_anything_changed(void **state)
{
        struct pod pod;
        int64_t next;

        (void)state;
        start(&pod);
        assert_int_equal(routes_update(&pod.routes, &pod.input, &next), 1);
        assert_int_equal(routes_update(&pod.routes, &pod.input, &next), 0);
        pod.input.plan = NULL;
        assert_int_equal(routes_update(&pod.routes, &pod.input, &next), 1);
        assert_int_equal(pod.routes.count, 0);
        stop(&pod);
}

static void only_announced_vips_become_prefixes(void **state)
{
        struct prefix_list list = {0};
        char text[PREFIX_TEXT_SIZE];
        struct pod pod;

        (void)state;
        start(&pod);
        pod.kernel[0].up = 0;
        assert_states(&pod, 0, "no-real-server", "announced", -1);
        assert_int_equal(routes_collect(&pod.routes, &pod.config->bgp, &list), 0);
        assert_int_equal(list.count, 1);
        assert_string_equal(prefix_format(&list.prefixes[0], text), "10.1.1.2/32");
        prefix_list_clear(&list);
        /* As the paper announces: the pool, once for all its addresses. */
        pod.config->bgp.announce_length4 = 29;
        pod.kernel[0].up = 1;
        assert_states(&pod, 0, "announced", "announced", -1);
        assert_int_equal(routes_collect(&pod.routes, &pod.config->bgp, &list), 0);
        assert_int_equal(list.count, 1);
        assert_string_equal(prefix_format(&list.prefixes[0], text), "10.1.1.0/29");
        prefix_list_clear(&list);
        stop(&pod);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(good_vip_is_announced_at_once_the_first_time),
            cmocka_unit_test(each_missing_condition_is_told),
            cmocka_unit_test(withdrawn_at_once_and_announced_after_a_second_of_good),
            cmocka_unit_test(vip_that_flaps_begins_its_second_anew),
            cmocka_unit_test(change_under_way_keeps_an_announced_vip),
            cmocka_unit_test(update_tells_whether_anything_changed),
            cmocka_unit_test(only_announced_vips_become_prefixes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
