#include "core/health.h"

#include "unit.h"

static const struct health well = {
    .synced = true,
    .keepalived_up = true,
    .table_readable = true,
    .planned = true,
    .keepalived_age_ms = 1000,
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

static void first_health_checks_are_waited_for_but_not_for_ever(void **state)
{
        struct health health = well;

        (void)state;
        health.unchecked = true;
        expect(health, 0, REST "[-]announced: the first health checks are under way\nnot ready\n");
        health.wanted = health.announced = 0; /* as long as none has passed */
        expect(health, 0, REST "[-]announced: the first health checks are under way\nnot ready\n");
        health.keepalived_age_ms = HEALTH_FIRST_CHECKS_MS;
        expect(health, 1, REST "[+]announced ok\nready\n");
}

static void vrrp_does_not_ask_for_announcements(void **state)
{
        struct health health = well;

        (void)state;
        health.local = true;
        health.sessions_up = 0;
        health.unchecked = true;
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
            cmocka_unit_test(first_health_checks_are_waited_for_but_not_for_ever),
            cmocka_unit_test(vrrp_does_not_ask_for_announcements),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
