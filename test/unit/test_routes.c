#include "core/routes.h"

#include "planning.h"
#include "unit.h"

#include <string.h>

static const struct ipvs_vip_state good = {.matches = true, .up = 1};
static const struct ipvs_vip_state differs = {.matches = false, .up = 1};
static const struct ipvs_vip_state differs_and_empty = {.matches = false};
static const struct ipvs_vip_state without_servers = {.matches = true, .draining = 1};

/* A pod with the VIPs 10.1.1.1 and 10.1.1.2, where everything is as it should be at first. */
struct pod {
        struct plan *plan;
        struct routes routes;
        struct ipvs_vip_state kernel[2];
        struct routes_input input;
        int64_t next_ms;
};

static int make_pod(void **state)
{
        struct pod *pod = calloc(1, sizeof(*pod));

        assert_non_null(pod);
        pod->plan = plan_of(SITE, PLAIN("a") PLAIN("b"), PLAN_ADDRESSES_ALLOCATE);
        pod->kernel[0] = pod->kernel[1] = good;
        pod->input = (struct routes_input){
            .plan = pod->plan, .kernel = pod->kernel, .synced = true, .keepalived_up = true, .now_ms = 5000};
        *state = pod;
        return 0;
}

static int free_pod(void **state)
{
        struct pod *pod = *state;

        plan_free(pod->plan);
        routes_clear(&pod->routes);
        free(pod);
        return 0;
}

/* Moves on to `now_ms`; 10.1.1.1 and 10.1.1.2 are then in these states, and it wants to be asked at next_ms.
 */
static void expect_at(struct pod *pod, int64_t now_ms, enum route_state first, enum route_state second,
                      int64_t next_ms)
{
        pod->input.now_ms = now_ms;
        assert_true(routes_update(&pod->routes, &pod->input, &pod->next_ms) >= 0);
        assert_int_equal(pod->routes.count, 2);
        assert_string_equal(route_state_name(pod->routes.routes[0].state), route_state_name(first));
        assert_string_equal(route_state_name(pod->routes.routes[1].state), route_state_name(second));
        assert_int_equal(pod->next_ms, next_ms);
}

static void expect_both(struct pod *pod, enum route_state both)
{
        expect_at(pod, pod->input.now_ms, both, both, -1);
}

static void before_the_first_plan_there_is_no_route(void **state)
{
        struct pod *pod = *state;

        pod->input.plan = NULL;
        pod->input.kernel = NULL;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 0);
        assert_int_equal(pod->routes.count, 0);
        assert_int_equal(pod->next_ms, -1);
}

static void first_announcement_waits_for_nothing(void **state)
{
        expect_both(*state, ROUTE_ANNOUNCED);
}

static void nothing_is_announced_before_the_first_sync(void **state)
{
        struct pod *pod = *state;

        pod->input.synced = false;
        expect_both(pod, ROUTE_UNSYNCED);
        pod->input.synced = true;
        expect_both(pod, ROUTE_ANNOUNCED);
}

static void without_keepalived_nothing_is_announced(void **state)
{
        struct pod *pod = *state;

        pod->input.keepalived_up = false;
        expect_both(pod, ROUTE_KEEPALIVED_DOWN);
}

static void table_that_cannot_be_read_is_one_that_differs(void **state)
{
        struct pod *pod = *state;

        pod->input.kernel = NULL;
        expect_both(pod, ROUTE_TABLE_DIFFERS);
}

static void only_the_vip_that_differs_is_not_announced(void **state)
{
        struct pod *pod = *state;

        pod->kernel[1] = differs;
        expect_at(pod, 0, ROUTE_ANNOUNCED, ROUTE_TABLE_DIFFERS, -1);
}

static void vip_whose_source_ranges_are_not_in_force_is_not_announced(void **state)
{
        struct pod *pod = *state;

        pod->plan->vips[0].unguarded = true;
        plan_compact(pod->plan);
        expect_at(pod, 0, ROUTE_UNGUARDED, ROUTE_ANNOUNCED, -1);
        assert_string_equal(route_state_name(ROUTE_UNGUARDED), "source-ranges-not-applied");
}

static void vip_without_a_server_of_weight_is_not_announced(void **state)
{
        struct pod *pod = *state;

        pod->kernel[0] = without_servers;
        expect_at(pod, 0, ROUTE_NO_REAL_SERVER, ROUTE_ANNOUNCED, -1);
}

static void leaving_pod_announces_nothing_whatever_holds(void **state)
{
        struct pod *pod = *state;

        expect_both(pod, ROUTE_ANNOUNCED);
        pod->input.draining = true;
        expect_both(pod, ROUTE_DRAINING);
}

static void withdrawn_at_once_and_held_down_for_a_second(void **state)
{
        struct pod *pod = *state;

        expect_at(pod, 1000, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = without_servers;
        expect_at(pod, 1001, ROUTE_NO_REAL_SERVER, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = good;
        expect_at(pod, 1500, ROUTE_HELD_DOWN, ROUTE_ANNOUNCED, 2500);
        expect_at(pod, 2499, ROUTE_HELD_DOWN, ROUTE_ANNOUNCED, 2500);
        expect_at(pod, 2500, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
}

static void trouble_while_held_down_starts_the_second_anew(void **state)
{
        struct pod *pod = *state;

        expect_at(pod, 1000, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = differs;
        expect_at(pod, 1100, ROUTE_TABLE_DIFFERS, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = good;
        expect_at(pod, 1200, ROUTE_HELD_DOWN, ROUTE_ANNOUNCED, 2200);
        pod->kernel[0] = differs;
        expect_at(pod, 2100, ROUTE_TABLE_DIFFERS, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = good;
        expect_at(pod, 2300, ROUTE_HELD_DOWN, ROUTE_ANNOUNCED, 3300);
        expect_at(pod, 3300, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
}

static void earliest_hold_is_the_next_time_to_ask(void **state)
{
        struct pod *pod = *state;

        expect_at(pod, 1000, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = pod->kernel[1] = differs;
        expect_at(pod, 1100, ROUTE_TABLE_DIFFERS, ROUTE_TABLE_DIFFERS, -1);
        pod->kernel[1] = good;
        expect_at(pod, 1200, ROUTE_TABLE_DIFFERS, ROUTE_HELD_DOWN, 2200);
        pod->kernel[0] = good;
        expect_at(pod, 1300, ROUTE_HELD_DOWN, ROUTE_HELD_DOWN, 2200);
        expect_at(pod, 2200, ROUTE_HELD_DOWN, ROUTE_ANNOUNCED, 2300);
}

static void first_checks_have_their_time(void **state)
{
        struct pod *pod = *state;

        pod->plan->vips[1].first_checks_ms = 3500;
        expect_at(pod, 1000, ROUTE_ANNOUNCED, ROUTE_HELD_DOWN, 4500);
        pod->kernel[1] = without_servers;
        expect_at(pod, 2000, ROUTE_ANNOUNCED, ROUTE_NO_REAL_SERVER, -1);
        pod->kernel[1] = good;
        expect_at(pod, 3000, ROUTE_ANNOUNCED, ROUTE_HELD_DOWN, 6500);
        expect_at(pod, 6500, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = pod->kernel[1] = differs;
        expect_at(pod, 7000, ROUTE_TABLE_DIFFERS, ROUTE_TABLE_DIFFERS, -1);
        pod->kernel[0] = pod->kernel[1] = good;
        expect_at(pod, 7100, ROUTE_HELD_DOWN, ROUTE_HELD_DOWN, 8100);
        expect_at(pod, 8100, ROUTE_ANNOUNCED, ROUTE_HELD_DOWN, 10600);
}

static void vip_that_was_never_announced_is_not_held_down(void **state)
{
        struct pod *pod = *state;

        pod->kernel[0] = without_servers;
        expect_at(pod, 1000, ROUTE_NO_REAL_SERVER, ROUTE_ANNOUNCED, -1);
        pod->kernel[0] = good;
        expect_at(pod, 1001, ROUTE_ANNOUNCED, ROUTE_ANNOUNCED, -1);
}

static void settling_keeps_an_announced_vip_that_has_a_server(void **state)
{
        struct pod *pod = *state;

        expect_both(pod, ROUTE_ANNOUNCED);
        pod->input.settling = true;
        pod->kernel[0] = differs;
        pod->kernel[1] = differs_and_empty;
        expect_at(pod, 6000, ROUTE_ANNOUNCED, ROUTE_NO_REAL_SERVER, -1);
        pod->input.settling = false;
        expect_at(pod, 6001, ROUTE_TABLE_DIFFERS, ROUTE_TABLE_DIFFERS, -1);
}

static void settling_announces_nothing_new(void **state)
{
        struct pod *pod = *state;

        pod->input.settling = true;
        pod->kernel[0] = differs;
        expect_at(pod, 0, ROUTE_TABLE_DIFFERS, ROUTE_ANNOUNCED, -1);
}

static void update_tells_whether_anything_changed(void **state)
{
        struct pod *pod = *state;

        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 0);
        pod->kernel[1] = without_servers;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        pod->input.plan = NULL;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        assert_int_equal(pod->routes.count, 0);
}

static void past_of_a_vip_survives_the_coming_and_going_of_others(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *other =
            plan_of(SITE, PLAIN("a") WITH_SPEC("b", ", loadBalancerIP: 10.1.1.3"), PLAN_ADDRESSES_ALLOCATE);

        expect_both(pod, ROUTE_ANNOUNCED);
        pod->kernel[0] = without_servers;
        pod->input.plan = other;
        expect_at(pod, 5100, ROUTE_NO_REAL_SERVER, ROUTE_ANNOUNCED, 5100 + ROUTES_CLOSING_MS);
        pod->kernel[0] = good;
        expect_at(pod, 5200, ROUTE_HELD_DOWN, ROUTE_ANNOUNCED, 6200);
}

static void append_list(struct strbuf *out, const struct prefix_list *list)
{
        char text[PREFIX_TEXT_SIZE];

        for (size_t i = 0; i < list->count; i++)
                assert_int_equal(strbuf_printf(out, " %s", prefix_format(&list->prefixes[i], text)), 0);
}

/* `wanted` is what is announced, and behind a "/" what is withheld. */
static void expect_collected(struct pod *pod, const char *announce, const char *wanted)
{
        _cleanup_announce_set_ struct announce_set set = {0};
        _cleanup_config_ struct config *config = NULL;
        _cleanup_strbuf_ struct strbuf found = {0};
        char text[512];

        (void)snprintf(text, sizeof(text),
                       POOLS("10.1.1.0/29, \"fd00:1:1::/125\"") "bgp: {localAS: 1, reflectors: [{address: "
                                                                "10.0.0.1, as: 1}], announce: {%s}}\n",
                       announce);
        config = config_of(text);
        assert_int_equal(routes_collect(&pod->routes, &config->bgp, &set), 0);
        append_list(&found, &set.routes);
        assert_int_equal(strbuf_puts(&found, " /"), 0);
        append_list(&found, &set.withheld);
        assert_string_equal(found.text, wanted);
}

static void host_routes_of_the_announced_vips_are_collected(void **state)
{
        struct pod *pod = *state;

        expect_collected(pod, "ipv4Length: 32", " /");
        pod->kernel[0] = without_servers;
        expect_at(pod, 0, ROUTE_NO_REAL_SERVER, ROUTE_ANNOUNCED, -1);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.2/32 / 10.1.1.1/32");
        pod->kernel[0] = good;
        expect_both(pod, ROUTE_ANNOUNCED);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.1/32 10.1.1.2/32 /");
}

/* Only 10.1.1.1 is planned from now on, and 10.1.1.2 was announced until now. */
static struct plan *begin_to_close(struct pod *pod)
{
        struct plan *fewer = plan_of(SITE, PLAIN("a"), PLAN_ADDRESSES_ALLOCATE);

        expect_both(pod, ROUTE_ANNOUNCED);
        pod->input.plan = fewer;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        assert_int_equal(pod->routes.count, 1);
        return fewer;
}

static void route_of_a_vip_that_is_gone_stays_until_its_flows_have_been_reset(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *fewer = begin_to_close(pod);

        assert_int_equal(pod->next_ms, 5000 + ROUTES_CLOSING_MS);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.1/32 10.1.1.2/32 /");
        pod->input.now_ms = pod->next_ms - 1;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 0);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.1/32 10.1.1.2/32 /");
        pod->input.now_ms = pod->next_ms;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        assert_int_equal(pod->next_ms, -1);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.1/32 /");
}

static void vip_that_was_not_announced_does_not_close(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *fewer = plan_of(SITE, PLAIN("a"), PLAN_ADDRESSES_ALLOCATE);

        pod->kernel[1] = without_servers;
        expect_at(pod, 5000, ROUTE_ANNOUNCED, ROUTE_NO_REAL_SERVER, -1);
        pod->input.plan = fewer;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        assert_int_equal(pod->next_ms, -1);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.1/32 /");
}

static void vip_that_comes_back_while_it_closes_is_one_like_others(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *fewer = begin_to_close(pod);

        pod->input.plan = pod->plan;
        pod->kernel[1] = without_servers;
        expect_at(pod, 5100, ROUTE_ANNOUNCED, ROUTE_NO_REAL_SERVER, -1);
        expect_collected(pod, "ipv4Length: 32", " 10.1.1.1/32 / 10.1.1.2/32");
}

static void pod_that_leaves_or_has_no_keepalived_closes_nothing(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *fewer = begin_to_close(pod);

        pod->input.keepalived_up = false;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        expect_collected(pod, "ipv4Length: 32", " / 10.1.1.1/32");
        pod->input.keepalived_up = true;
        pod->input.draining = true;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        expect_collected(pod, "ipv4Length: 32", " / 10.1.1.1/32");
}

static void leaving_ends_what_closes(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *fewer = begin_to_close(pod);

        pod->input.draining = true;
        assert_int_equal(routes_update(&pod->routes, &pod->input, &pod->next_ms), 1);
        assert_int_equal(pod->next_ms, -1);
        expect_collected(pod, "ipv4Length: 32", " / 10.1.1.1/32");
}

static void pool_is_one_route_while_any_of_its_vips_is_announced(void **state)
{
        struct pod *pod = *state;

        expect_both(pod, ROUTE_ANNOUNCED);
        expect_collected(pod, "ipv4Length: 29", " 10.1.1.0/29 /");
        pod->kernel[1] = without_servers;
        expect_at(pod, 6000, ROUTE_ANNOUNCED, ROUTE_NO_REAL_SERVER, -1);
        expect_collected(pod, "ipv4Length: 29", " 10.1.1.0/29 /");
        pod->input.keepalived_up = false;
        expect_both(pod, ROUTE_KEEPALIVED_DOWN);
        expect_collected(pod, "ipv4Length: 29", " / 10.1.1.0/29");
}

static void families_have_lengths_of_their_own(void **state)
{
        struct pod *pod = *state;
        _cleanup_plan_ struct plan *dual =
            plan_of(SITE, WITH_SPEC("a", ", ipFamilies: [IPv4, IPv6]"), PLAN_ADDRESSES_ALLOCATE);

        pod->input.plan = dual;
        expect_both(pod, ROUTE_ANNOUNCED);
        expect_collected(pod, "ipv4Length: 32, ipv6Length: 125", " 10.1.1.1/32 fd00:1:1::/125 /");
}

int main(void)
{
#define ON_A_POD(test) cmocka_unit_test_setup_teardown(test, make_pod, free_pod)
        const struct CMUnitTest tests[] = {
            ON_A_POD(before_the_first_plan_there_is_no_route),
            ON_A_POD(first_announcement_waits_for_nothing),
            ON_A_POD(nothing_is_announced_before_the_first_sync),
            ON_A_POD(without_keepalived_nothing_is_announced),
            ON_A_POD(table_that_cannot_be_read_is_one_that_differs),
            ON_A_POD(only_the_vip_that_differs_is_not_announced),
            ON_A_POD(vip_whose_source_ranges_are_not_in_force_is_not_announced),
            ON_A_POD(vip_without_a_server_of_weight_is_not_announced),
            ON_A_POD(leaving_pod_announces_nothing_whatever_holds),
            ON_A_POD(withdrawn_at_once_and_held_down_for_a_second),
            ON_A_POD(trouble_while_held_down_starts_the_second_anew),
            ON_A_POD(earliest_hold_is_the_next_time_to_ask),
            ON_A_POD(first_checks_have_their_time),
            ON_A_POD(vip_that_was_never_announced_is_not_held_down),
            ON_A_POD(settling_keeps_an_announced_vip_that_has_a_server),
            ON_A_POD(settling_announces_nothing_new),
            ON_A_POD(update_tells_whether_anything_changed),
            ON_A_POD(past_of_a_vip_survives_the_coming_and_going_of_others),
            ON_A_POD(host_routes_of_the_announced_vips_are_collected),
            ON_A_POD(route_of_a_vip_that_is_gone_stays_until_its_flows_have_been_reset),
            ON_A_POD(vip_that_was_not_announced_does_not_close),
            ON_A_POD(vip_that_comes_back_while_it_closes_is_one_like_others),
            ON_A_POD(pod_that_leaves_or_has_no_keepalived_closes_nothing),
            ON_A_POD(leaving_ends_what_closes),
            ON_A_POD(pool_is_one_route_while_any_of_its_vips_is_announced),
            ON_A_POD(families_have_lengths_of_their_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
