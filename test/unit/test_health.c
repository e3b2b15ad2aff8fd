#include "core/health.h"

#include "unit.h"

static const struct health well = {
    .synced = true, .keepalived_up = true, .table_readable = true, .planned = true};

static void expect(struct health health, int ready, const char *text)
{
        _cleanup_strbuf_ struct strbuf out = {0};

        assert_int_equal(health_ready(&health, &out), ready);
        assert_string_equal(out.text, text);
}

static void pod_is_ready_when_all_is_well(void **state)
{
        (void)state;
        expect(well, 1, "[+]synced ok\n[+]keepalived ok\n[+]table ok\n[+]staying ok\nready\n");
}

static void body_says_what_is_missing(void **state)
{
        struct health health = well;

        (void)state;
        expect((struct health){.planned = true}, 0,
               "[-]synced: not everything has been listed yet\n[-]keepalived: does not run\n"
               "[-]table: the kernel's IPVS table cannot be read\n[+]staying ok\nnot ready\n");
        health.differences = 1;
        expect(health, 0,
               "[+]synced ok\n[+]keepalived ok\n[-]table: the kernel differs from the plan\n[+]staying "
               "ok\nnot ready\n");
        health.differences = 0;
        health.leaving = true;
        expect(health, 0,
               "[+]synced ok\n[+]keepalived ok\n[+]table ok\n[-]staying: the pod is leaving\nnot ready\n");
}

static void difference_that_is_on_its_way_is_no_fault(void **state)
{
        struct health health = well;

        (void)state;
        health.differences = 3;
        health.settling = true;
        expect(health, 1, "[+]synced ok\n[+]keepalived ok\n[+]table ok\n[+]staying ok\nready\n");
}

/* Without a virtual server nothing has loaded the kernel's module. */
static void cluster_without_services_needs_no_table(void **state)
{
        struct health health = well;

        (void)state;
        health.planned = false;
        health.table_readable = false;
        expect(health, 1, "[+]synced ok\n[+]keepalived ok\n[+]table ok\n[+]staying ok\nready\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(pod_is_ready_when_all_is_well),
            cmocka_unit_test(body_says_what_is_missing),
            cmocka_unit_test(difference_that_is_on_its_way_is_no_fault),
            cmocka_unit_test(cluster_without_services_needs_no_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
