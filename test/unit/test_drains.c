/* Drain times: who has been draining since when, and what a plan makes of it. */
#include "core/drains.h"

#include "planning.h"
#include "unit.h"

#include <stdio.h>

#define AT_LAST INT64_MAX

static void update(struct drains *drains, const char *objects, int64_t now_ms)
{
        _cleanup_model_ struct model model = {0};

        model_of(objects, &model);
        assert_int_equal(drains_update(drains, &model, now_ms), 0);
}

static void expect_since(const struct drains *drains, const char *service, const char *text, int64_t since_ms)
{
        struct addr addr;

        assert_int_equal(addr_parse(text, &addr), 0);
        assert_int_equal(drains_since(drains, "shop", service, &addr), since_ms);
}

static void new_version_of_a_slice_does_not_begin_the_time_anew(void **state)
{
        struct drains drains = {0};

        (void)state;
        update(&drains, SLICE("s", "web", READY("172.16.1.1") DRAINING("172.16.1.2")), 1000);
        update(&drains, SLICE("s", "web", DRAINING("172.16.1.1") DRAINING("172.16.1.2")), 2000);
        expect_since(&drains, "web", "172.16.1.1", 2000);
        expect_since(&drains, "web", "172.16.1.2", 1000);
        expect_since(&drains, "web", "172.16.1.3", AT_LAST);
        update(&drains, SLICE("another", "web", DRAINING("172.16.1.2")), 3000);
        expect_since(&drains, "web", "172.16.1.1", AT_LAST);
        expect_since(&drains, "web", "172.16.1.2", 1000);
        drains_clear(&drains);
}

static void what_was_ready_in_between_begins_anew(void **state)
{
        struct drains drains = {0};

        (void)state;
        update(&drains, SLICE("s", "web", DRAINING("172.16.1.1")), 1000);
        update(&drains, SLICE("s", "web", READY("172.16.1.1")), 2000);
        expect_since(&drains, "web", "172.16.1.1", AT_LAST);
        update(&drains, SLICE("s", "web", DRAINING("172.16.1.1")), 3000);
        expect_since(&drains, "web", "172.16.1.1", 3000);
        update(&drains, "", 4000);
        assert_int_equal(drains.count, 0);
        drains_clear(&drains);
}

static void each_service_has_its_own_time(void **state)
{
        struct drains drains = {0};

        (void)state;
        update(&drains, SLICE("s", "web", DRAINING("10.0.0.1")), 1000);
        update(&drains, SLICE("s", "web", DRAINING("10.0.0.1")) SLICE("t", "api", DRAINING("10.0.0.1")),
               2000);
        expect_since(&drains, "web", "10.0.0.1", 1000);
        expect_since(&drains, "api", "10.0.0.1", 2000);
        expect_since(&drains, "we", "10.0.0.1", AT_LAST);
        drains_clear(&drains);
}

static void address_in_two_slices_drains_since_the_first(void **state)
{
        struct drains drains = {0};

        (void)state;
        update(&drains, SLICE("s", "web", DRAINING("172.16.1.1")), 1000);
        update(&drains, SLICE("s", "web", DRAINING("172.16.1.1")) SLICE("t", "web", DRAINING("172.16.1.1")),
               2000);
        expect_since(&drains, "web", "172.16.1.1", 1000);
        drains_clear(&drains);
}

/* ---- the plan ---- */

#define LIMITED(name) ANNOTATED(name, "coracle.lb/drain-seconds: \"30\"")
#define TWO_DRAIN SLICE("s", "web", READY("172.16.1.1") DRAINING("172.16.1.2") DRAINING("172.16.1.3"))
#define WEB "10.1.1.1 TCP 80 shop/web rr nat tcp: "

/* 172.16.1.2 drains since 1 s, whatever else the objects say since 11 s. */
static void expect_at(const char *objects, int64_t now_ms, const char *expected, int64_t drained_ms)
{
        struct drains drains = {0};

        update(&drains, SLICE("s", "web", DRAINING("172.16.1.2")), 1000);
        update(&drains, objects, 11000);
        update(&drains, objects, now_ms);
        assert_int_equal(expect_servers_at(SITE, objects, &drains, expected), drained_ms);
        drains_clear(&drains);
}

static void draining_server_is_left_out_when_its_time_is_over(void **state)
{
        (void)state;
        expect_at(LIMITED("web") TWO_DRAIN, 30999,
                  WEB "172.16.1.1:8080 172.16.1.2:8080*0 172.16.1.3:8080*0\n", 31000);
        expect_at(LIMITED("web") TWO_DRAIN, 31000, WEB "172.16.1.1:8080 172.16.1.3:8080*0\n", 41000);
        expect_at(LIMITED("web") TWO_DRAIN, 41000, WEB "172.16.1.1:8080\n", AT_LAST);
}

static void without_a_limit_it_drains_until_it_is_gone(void **state)
{
        (void)state;
        expect_at(PLAIN("web") TWO_DRAIN, INT64_C(86400000) * 365,
                  WEB "172.16.1.1:8080 172.16.1.2:8080*0 172.16.1.3:8080*0\n", AT_LAST);
}

static void limit_of_0_does_not_drain(void **state)
{
        (void)state;
        expect_at(ANNOTATED("web", "coracle.lb/drain-seconds: \"0\"") TWO_DRAIN, 11000,
                  WEB "172.16.1.1:8080\n", AT_LAST);
}

static void while_nothing_is_ready_no_time_is_ever_over(void **state)
{
        (void)state;
        expect_at(LIMITED("web") SLICE("s", "web", DRAINING("172.16.1.2") DRAINING("172.16.1.3")), 100000,
                  WEB "172.16.1.2:8080 172.16.1.3:8080\n", AT_LAST);
}

static void address_that_is_ready_elsewhere_does_not_drain(void **state)
{
        (void)state;
        expect_at(LIMITED("web") SLICE("s", "web", DRAINING("172.16.1.2"))
                      SLICE("t", "web", READY("172.16.1.2")),
                  100000, WEB "172.16.1.2:8080\n", AT_LAST);
}

static void offline_no_time_is_ever_over(void **state)
{
        (void)state;
        expect_servers(SITE, ANNOTATED("web", "coracle.lb/drain-seconds: \"0\"") TWO_DRAIN,
                       WEB "172.16.1.1:8080 172.16.1.2:8080*0 172.16.1.3:8080*0\n");
}

static void what_is_no_number_of_seconds_is_told_and_has_no_limit(void **state)
{
        static const char *const bad[] = {"\\\"\\\"", "-1", "+1",    " 1",
                                          "1.5",      "1s", "86401", "18446744073709551617"};
        char objects[2048];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                (void)snprintf(objects, sizeof(objects),
                               ANNOTATED("web", "coracle.lb/drain-seconds: \"%s\"") TWO_DRAIN, bad[i]);
                expect_at(objects, 100000,
                          WEB "172.16.1.1:8080 172.16.1.2:8080*0 172.16.1.3:8080*0\n"
                              "! shop/web BadAnnotation: coracle.lb/drain-seconds must be a whole number of "
                              "seconds up to 86400; a pod drains until it is gone\n",
                          AT_LAST);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(new_version_of_a_slice_does_not_begin_the_time_anew),
            cmocka_unit_test(what_was_ready_in_between_begins_anew),
            cmocka_unit_test(each_service_has_its_own_time),
            cmocka_unit_test(address_in_two_slices_drains_since_the_first),
            cmocka_unit_test(draining_server_is_left_out_when_its_time_is_over),
            cmocka_unit_test(without_a_limit_it_drains_until_it_is_gone),
            cmocka_unit_test(limit_of_0_does_not_drain),
            cmocka_unit_test(while_nothing_is_ready_no_time_is_ever_over),
            cmocka_unit_test(address_that_is_ready_elsewhere_does_not_drain),
            cmocka_unit_test(offline_no_time_is_ever_over),
            cmocka_unit_test(what_is_no_number_of_seconds_is_told_and_has_no_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
