#include "core/health.h"

#include "unit.h"

static const struct health well = {
    .synced = true,
    .keepalived_up = true,
    .table_readable = true,
    .planned = true,
    .wanted = 2,
    .announced = 2,
    .announcer_connected = true,
    .sessions_up = 1,
};

/* All but the last line before the verdict. */
#define REST "[+]synced ok\n[+]keepalived ok\n[+]table ok\n[+]staying ok\n"

static void expect(struct health health, int ready, const char *text)
{
        _cleanup_strbuf_ struct strbuf out = {0};

        assert_int_equal(health_ready(&health, &out), ready);
        assert_string_equal(out.text, text);
}

static void pod_is_ready_when_all_is_well(void **state)
{
        (void)state;
        expect(well, 1, REST "[+]announced ok\nready\n");
}

static void body_says_what_is_missing(void **state)
{
        struct health health = well;

        (void)state;
        expect(
            (struct health){.planned = true}, 0,
            "[-]synced: not everything has been listed yet\n[-]keepalived: does not run\n"
            "[-]table: the kernel's IPVS table cannot be read\n[+]staying ok\n[+]announced ok\nnot ready\n");
        health.differences = 1;
        expect(health, 0,
               "[+]synced ok\n[+]keepalived ok\n[-]table: the kernel differs from the plan\n[+]staying "
               "ok\n[+]announced ok\nnot ready\n");
        health.differences = 0;
        health.leaving = true;
        expect(health, 0,
               "[+]synced ok\n[+]keepalived ok\n[+]table ok\n[-]staying: the pod is leaving\n"
               "[+]announced ok\nnot ready\n");
}

static void difference_that_is_on_its_way_is_no_fault(void **state)
{
        struct health health = well;

        (void)state;
        health.differences = 3;
        health.settling = true;
        expect(health, 1, REST "[+]announced ok\nready\n");
}

/* Without a virtual server nothing has loaded the kernel's module. */
static void cluster_without_services_needs_no_table(void **state)
{
        struct health health = well;

        (void)state;
        health.planned = false;
        health.table_readable = false;
        expect(health, 1, REST "[+]announced ok\nready\n");
}

static void pod_that_is_to_announce_is_ready_when_a_session_can_carry_it(void **state)
{
        struct health health = well;

        (void)state;
        health.announced = 0;
        expect(health, 0, REST "[-]announced: exabgp has not taken the routes\nnot ready\n");
        health.sessions_up = 0;
        expect(health, 0, REST "[-]announced: no BGP session is up\nnot ready\n");
        health.announcer_connected = false;
        expect(health, 0, REST "[-]announced: coracle-announcer is not connected\nnot ready\n");
}

static void pod_with_nothing_to_announce_needs_no_session(void **state)
{
        struct health health = well;

        (void)state;
        health.wanted = health.announced = health.sessions_up = 0;
        health.announcer_connected = false;
        expect(health, 1, REST "[+]announced ok\nready\n");
}

static void first_health_checks_are_waited_for(void **state)
{
        struct health health = well;

        (void)state;
        health.checking = true;
        expect(health, 0, REST "[-]announced: the first health checks are under way\nnot ready\n");
        health.wanted = health.announced = 0; /* as long as none has passed */
        expect(health, 0, REST "[-]announced: the first health checks are under way\nnot ready\n");
}

static void checks_are_over_when_no_vip_waits_for_one_and_do_not_take_for_ever(void **state)
{
        struct ipvs_vip_state vips[2] = {{.matches = true, .up = 1, .down = 3}, {.matches = true}};
        struct route route[2] = {{.state = ROUTE_ANNOUNCED}, {.state = ROUTE_NO_REAL_SERVER}};
        const struct routes routes = {.routes = route, .count = 2};
        const struct plan plan = {.n_vips = 2};

        (void)state;
        assert_false(health_is_checking(NULL, NULL, &(struct routes){0}, false, 0));
        assert_true(health_is_checking(&plan, vips, &routes, true, 100));
        assert_false(health_is_checking(&plan, vips, &routes, false, 100));
        vips[1].down = 1;
        assert_true(health_is_checking(&plan, vips, &routes, false, 100));
        assert_true(health_is_checking(&plan, vips, &routes, false, HEALTH_FIRST_CHECKS_MS - 1));
        assert_false(health_is_checking(&plan, vips, &routes, false, HEALTH_FIRST_CHECKS_MS));
        vips[1].up = 1;
        route[1].state = ROUTE_HELD_DOWN;
        assert_true(health_is_checking(&plan, vips, &routes, false, 100));
        route[1].state = ROUTE_ANNOUNCED;
        assert_false(health_is_checking(&plan, vips, &routes, false, 100));
}

static void vrrp_does_not_ask_for_announcements(void **state)
{
        struct health health = well;

        (void)state;
        health.local = true;
        health.sessions_up = 0;
        health.checking = true;
        expect(health, 1, REST "ready\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(pod_is_ready_when_all_is_well),
            cmocka_unit_test(body_says_what_is_missing),
            cmocka_unit_test(difference_that_is_on_its_way_is_no_fault),
            cmocka_unit_test(cluster_without_services_needs_no_table),
            cmocka_unit_test(pod_that_is_to_announce_is_ready_when_a_session_can_carry_it),
            cmocka_unit_test(pod_with_nothing_to_announce_needs_no_session),
            cmocka_unit_test(first_health_checks_are_waited_for),
            cmocka_unit_test(checks_are_over_when_no_vip_waits_for_one_and_do_not_take_for_ever),
            cmocka_unit_test(vrrp_does_not_ask_for_announcements),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
