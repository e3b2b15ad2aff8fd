#include "core/fingerprint.h"

#include "planning.h"
#include "unit.h"

#include <stdio.h>

#define WEB PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1") READY("172.16.1.2"))
#define TABLE_HEAD                                      \
        "IP Virtual Server version 1.2.1 (size=4096)\n" \
        "Prot LocalAddress:Port Scheduler Flags\n"      \
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"

static uint32_t of_plan(const char *objects)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);

        return plan_fingerprint(plan);
}

static uint32_t of_table(const char *lines)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error;

        assert_int_equal(ipvs_table_parse(lines, &table, &error), 0);
        return ipvs_table_fingerprint(&table);
}

static void same_plan_has_the_same_fingerprint_in_any_order_of_objects(void **state)
{
        (void)state;
        assert_int_equal(of_plan(WEB), of_plan(SLICE("web-1", "web", READY("172.16.1.2") READY("172.16.1.1"))
                                                   PLAIN("web")));
}

static void every_part_of_a_plan_counts(void **state)
{
        const uint32_t web = of_plan(WEB);

        (void)state;
        assert_int_not_equal(web, of_plan(PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1"))));
        assert_int_not_equal(
            web, of_plan(PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1") READY("172.16.1.3"))));
        assert_int_not_equal(
            web, of_plan(PLAIN("web") SLICE("web-1", "web", READY("172.16.1.1") DRAINING("172.16.1.2"))));
        assert_int_not_equal(web, of_plan(ANNOTATED("web", "coracle.lb/scheduler: lc") SLICE(
                                      "web-1", "web", READY("172.16.1.1") READY("172.16.1.2"))));
        assert_int_not_equal(web, of_plan(""));
}

static void kernel_that_holds_the_plan_has_its_fingerprint(void **state)
{
        (void)state;
        assert_int_equal(of_plan(WEB),
                         of_table(TABLE_HEAD "TCP  0A010101:0050 rr \n"
                                             "  -> AC100102:1F90      Masq    1      7          1\n"
                                             "  -> AC100101:1F90      Masq    1      0          0\n"));
        assert_int_not_equal(of_plan(WEB),
                             of_table(TABLE_HEAD "TCP  0A010101:0050 rr \n"
                                                 "  -> AC100101:1F90      Masq    1      0      0\n"));
        assert_int_equal(of_plan(""), of_table(TABLE_HEAD));
        assert_int_equal(plan_fingerprint(NULL), ipvs_table_fingerprint(NULL));
}

static void order_counts_where_the_scheduler_is_mh(void **state)
{
        const uint32_t plan = of_plan(ANNOTATED("web", "coracle.lb/scheduler: mh")
                                          SLICE("web-1", "web", READY("172.16.1.1") READY("172.16.1.2")));
        static const char first[] = "  -> AC100101:1F90      Masq    1      0          0\n";
        static const char second[] = "  -> AC100102:1F90      Masq    1      0          0\n";
        char text[1024];

        (void)state;
        (void)snprintf(text, sizeof(text), TABLE_HEAD "TCP  0A010101:0050 mh \n%s%s", second, first);
        assert_int_equal(plan, of_table(text));
        (void)snprintf(text, sizeof(text), TABLE_HEAD "TCP  0A010101:0050 mh \n%s%s", first, second);
        assert_int_not_equal(plan, of_table(text));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(same_plan_has_the_same_fingerprint_in_any_order_of_objects),
            cmocka_unit_test(every_part_of_a_plan_counts),
            cmocka_unit_test(kernel_that_holds_the_plan_has_its_fingerprint),
            cmocka_unit_test(order_counts_where_the_scheduler_is_mh),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
