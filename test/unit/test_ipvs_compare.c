/* Whether the kernel holds what was planned: ipvs_table_compare. */
#include "core/ipvs_compare.h"

#include "planning.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define HEADER                                          \
        "IP Virtual Server version 1.2.1 (size=4096)\n" \
        "Prot LocalAddress:Port Scheduler Flags\n"      \
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
#define WEB "TCP  0A010101:0050 rr \n"
#define REAL1 "  -> AC100101:1F90      Masq    1      5          0         \n"
#define REAL2 "  -> AC100102:1F90      Masq    1      2          0         \n"
#define REAL3 "  -> AC100103:1F90      Masq    0      1          0         \n"

/* 10.1.1.1: two servers and one that drains, checked. 10.1.1.2: one, unchecked. */
static const char objects[] =
    PLAIN("a") SLICE("s", "a", READY("172.16.1.1") READY("172.16.1.2") DRAINING("172.16.1.3"))
        ANNOTATED("b", "coracle.lb/health-check: none") SLICE("t", "b", READY("172.16.1.4"));

#define UNCHECKED "TCP  0A010102:0050 rr \n"
#define REAL4 "  -> AC100104:1F90      Masq    1      0          0         \n"
#define ALL_OF_B UNCHECKED REAL4
#define ALL HEADER WEB REAL1 REAL2 REAL3 ALL_OF_B

static struct ipvs_vip_state states[2];

static void compare(const char *text, size_t differences, const char *where, const char *what)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error = {0}, difference = {0};

        assert_int_equal(plan->n_vips, 2);
        assert_int_equal(ipvs_table_parse(text, &table, &error), 0);
        assert_int_equal(ipvs_table_compare(&table, plan, states, &difference), differences);
        assert_string_equal(difference.where, where);
        assert_string_equal(difference.what, what);
        assert_int_equal(ipvs_table_compare(&table, plan, states, NULL), differences);
}

static void expect_state(size_t i, bool matches, uint32_t up, uint32_t draining, uint32_t down)
{
        assert_int_equal(states[i].matches, matches);
        assert_int_equal(states[i].up, up);
        assert_int_equal(states[i].draining, draining);
        assert_int_equal(states[i].down, down);
}

static void table_as_planned_has_no_difference(void **state)
{
        (void)state;
        compare(ALL, 0, "", "");
        expect_state(0, true, 2, 1, 0);
        expect_state(1, true, 1, 0, 0);
        assert_int_equal(states[0].active, 8);
}

static void server_taken_out_by_its_check_is_no_difference(void **state)
{
        (void)state;
        compare(HEADER WEB REAL2 REAL3 ALL_OF_B, 0, "", "");
        expect_state(0, true, 1, 1, 1);
        compare(HEADER WEB REAL3 ALL_OF_B, 0, "", "");
        expect_state(0, true, 0, 1, 2);
}

/* inhibit_on_failure, which is for mh only. */
static void server_without_weight_is_down_where_the_scheduler_is_mh(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(SITE,
                    ANNOTATED("a", "coracle.lb/scheduler: mh")
                        SLICE("s", "a", READY("172.16.1.1") READY("172.16.1.2") DRAINING("172.16.1.3")),
                    PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error = {0};

        (void)state;
        assert_int_equal(ipvs_table_parse(HEADER
                                          "TCP  0A010101:0050 mh \n" REAL1
                                          "  -> AC100102:1F90      Masq    0      2          0\n" REAL3,
                                          &table, &error),
                         0);
        assert_int_equal(ipvs_table_compare(&table, plan, states, NULL), 0);
        expect_state(0, true, 1, 1, 1);
        assert_int_equal(states[0].active, 8);
        compare(HEADER WEB REAL1 "  -> AC100102:1F90      Masq    0      2          0\n" REAL3 ALL_OF_B, 1,
                "TCP [10.1.1.1]:80", "a real server has another weight");
}

/* The text of a table with one virtual server, and how many of its real servers stand wrong. */
static void expect_misplaced(const char *text, size_t misplaced)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        struct error error = {0};

        assert_int_equal(ipvs_table_parse(text, &table, &error), 0);
        assert_int_equal(table.n_virtuals, 1);
        assert_int_equal(ipvs_virtual_misplaced(&table.virtuals[0]), misplaced);
}

static void last_address_comes_first_where_the_scheduler_is_mh(void **state)
{
        const char *const mh = HEADER "TCP  0A010101:0050 mh (mh-fallback,mh-port)\n";
        const struct {
                const char *reals;
                size_t misplaced;
        } cases[] = {
            {"", 0},
            {REAL1, 0},
            {REAL3 REAL2 REAL1, 0},
            {REAL2 REAL3 REAL1, 1}, /* 2 came after 3: 3 has to go to the head again */
            {REAL3 REAL1 REAL2, 2},
            {REAL1 REAL3 REAL2, 2},
            {REAL1 REAL2 REAL3, 2},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char text[2048];

                (void)snprintf(text, sizeof(text), "%s%s", mh, cases[i].reals);
                expect_misplaced(text, cases[i].misplaced);
        }
        expect_misplaced(HEADER WEB REAL1 REAL2 REAL3, 0); /* of no matter to rr */
}

static void draining_server_that_is_missing_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER WEB REAL1 REAL2 ALL_OF_B, 1, "TCP [10.1.1.1]:80", "a real server is missing");
        expect_state(0, false, 2, 0, 0);
        expect_state(1, true, 1, 0, 0);
}

static void unchecked_server_that_is_missing_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER WEB REAL1 REAL2 REAL3 UNCHECKED, 1, "TCP [10.1.1.2]:80", "a real server is missing");
        expect_state(0, true, 2, 1, 0);
        expect_state(1, false, 0, 0, 0);
}

static void missing_virtual_server_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER ALL_OF_B, 1, "TCP [10.1.1.1]:80", "is missing");
        expect_state(0, false, 0, 0, 0);
        compare(HEADER, 2, "TCP [10.1.1.1]:80", "is missing");
        expect_state(1, false, 0, 0, 0);
}

static void virtual_server_nobody_planned_is_a_difference(void **state)
{
        (void)state;
        compare(ALL "TCP  0A010103:0050 rr \n", 1, "TCP [10.1.1.3]:80", "is not in the plan");
        expect_state(0, true, 2, 1, 0);
        expect_state(1, true, 1, 0, 0);
}

static void unplanned_port_on_a_vip_of_ours_is_that_vips_difference(void **state)
{
        (void)state;
        compare(ALL "UDP  0A010101:0050 rr \n" REAL1, 1, "UDP [10.1.1.1]:80", "is not in the plan");
        expect_state(0, false, 2, 1, 0);
        expect_state(1, true, 1, 0, 0);
}

static void other_scheduler_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER "TCP  0A010101:0050 wlc \n" REAL1 REAL2 REAL3 ALL_OF_B, 1, "TCP [10.1.1.1]:80",
                "has another scheduler");
}

static void other_weight_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER WEB REAL1 REAL2 "  -> AC100103:1F90 Masq 1 0 0\n" ALL_OF_B, 1, "TCP [10.1.1.1]:80",
                "a real server has another weight");
        compare(HEADER WEB REAL1 "  -> AC100102:1F90 Masq 0 0 0\n" REAL3 ALL_OF_B, 1, "TCP [10.1.1.1]:80",
                "a real server has another weight");
        expect_state(0, false, 1, 2, 0);
}

static void other_forwarding_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER WEB REAL1 "  -> AC100102:1F90 Tunnel 1 0 0\n" REAL3 ALL_OF_B, 1, "TCP [10.1.1.1]:80",
                "a real server has another forwarding method");
        compare(HEADER WEB REAL1 "  -> AC100102:1F90 Route 1 0 0\n" REAL3 ALL_OF_B, 1, "TCP [10.1.1.1]:80",
                "a real server has another forwarding method");
}

static void server_nobody_planned_is_a_difference(void **state)
{
        (void)state;
        compare(HEADER WEB "  -> AC100100:1F90 Masq 1 0 0\n" REAL1 REAL2 REAL3 ALL_OF_B, 1,
                "TCP [10.1.1.1]:80", "a real server is not in the plan");
        compare(HEADER WEB REAL1 REAL2 REAL3 "  -> AC100103:1F91 Masq 1 0 0\n" ALL_OF_B, 1,
                "TCP [10.1.1.1]:80", "a real server is not in the plan");
}

static void differences_are_counted_per_virtual_server(void **state)
{
        (void)state;
        compare(HEADER "TCP  0A010101:0050 wlc \n" REAL1 "TCP  C0000201:0050 rr \n", 3, "TCP [10.1.1.1]:80",
                "has another scheduler");
}

static void services_by_firewall_mark_are_no_difference(void **state)
{
        (void)state;
        compare(ALL "FWM  00000001 rr \n  -> AC100101:0000      Route   1      0          0         \n", 0,
                "", "");
}

static void empty_plan_matches_an_empty_table_only(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, "", PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table empty = {0}, left_over = {0};
        struct error error;

        (void)state;
        assert_int_equal(ipvs_table_parse(HEADER, &empty, &error), 0);
        assert_int_equal(ipvs_table_compare(&empty, plan, states, NULL), 0);
        assert_int_equal(ipvs_table_parse(ALL, &left_over, &error), 0);
        assert_int_equal(ipvs_table_compare(&left_over, plan, states, NULL), 2);
}

static void virtual_server_that_was_there_and_is_planned_is_lacking(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        _cleanup_ipvs_table_ struct ipvs_table all = {0}, none = {0}, first = {0}, foreign = {0};
        struct error error = {0};

        (void)state;
        assert_int_equal(ipvs_table_parse(ALL, &all, &error), 0);
        assert_int_equal(ipvs_table_parse(HEADER, &none, &error), 0);
        assert_int_equal(ipvs_table_parse(HEADER WEB REAL1, &first, &error), 0);
        assert_int_equal(ipvs_table_parse(ALL "TCP  0A0A0A0A:0050 rr \n", &foreign, &error), 0);
        assert_true(ipvs_table_lacks(&first, &all, plan));
        assert_true(ipvs_table_lacks(&none, &all, plan));
        assert_false(ipvs_table_lacks(&all, &all, plan));
        assert_false(ipvs_table_lacks(&all, &first, plan));
        assert_false(ipvs_table_lacks(&first, &none, plan));
        assert_false(ipvs_table_lacks(&all, &foreign, plan)); /* it is not planned */
}

static void idle_real_server_that_was_not_there_is_new_where_the_scheduler_is_mh(void **state)
{
        static const char mh[] = HEADER "TCP  0A010101:0050 mh \n" REAL1, rr[] = HEADER WEB REAL1,
                          mh_idle[] = HEADER "TCP  0A010101:0050 mh \n" REAL1 REAL3,
                          rr_idle[] = HEADER WEB REAL1 REAL3;
        _cleanup_ipvs_table_ struct ipvs_table before = {0}, after = {0}, other = {0}, other_after = {0};
        struct error error = {0};

        (void)state;
        assert_int_equal(ipvs_table_parse(mh, &before, &error), 0);
        assert_int_equal(ipvs_table_parse(mh_idle, &after, &error), 0);
        assert_int_equal(ipvs_table_parse(rr, &other, &error), 0);
        assert_int_equal(ipvs_table_parse(rr_idle, &other_after, &error), 0);
        assert_true(ipvs_table_has_new_idle(&after, &before));
        assert_true(ipvs_table_has_new_idle(&after, &(struct ipvs_table){0}));
        assert_false(ipvs_table_has_new_idle(&after, &after));
        assert_false(ipvs_table_has_new_idle(&before, &after));
        assert_false(ipvs_table_has_new_idle(&other_after, &other));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(virtual_server_that_was_there_and_is_planned_is_lacking),
            cmocka_unit_test(idle_real_server_that_was_not_there_is_new_where_the_scheduler_is_mh),
            cmocka_unit_test(table_as_planned_has_no_difference),
            cmocka_unit_test(server_taken_out_by_its_check_is_no_difference),
            cmocka_unit_test(server_without_weight_is_down_where_the_scheduler_is_mh),
            cmocka_unit_test(last_address_comes_first_where_the_scheduler_is_mh),
            cmocka_unit_test(draining_server_that_is_missing_is_a_difference),
            cmocka_unit_test(unchecked_server_that_is_missing_is_a_difference),
            cmocka_unit_test(missing_virtual_server_is_a_difference),
            cmocka_unit_test(virtual_server_nobody_planned_is_a_difference),
            cmocka_unit_test(unplanned_port_on_a_vip_of_ours_is_that_vips_difference),
            cmocka_unit_test(other_scheduler_is_a_difference),
            cmocka_unit_test(other_weight_is_a_difference),
            cmocka_unit_test(other_forwarding_is_a_difference),
            cmocka_unit_test(server_nobody_planned_is_a_difference),
            cmocka_unit_test(differences_are_counted_per_virtual_server),
            cmocka_unit_test(services_by_firewall_mark_are_no_difference),
            cmocka_unit_test(empty_plan_matches_an_empty_table_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
