/* With a stand-in of iptables-restore that notes each call, and fails when it is told to. */
#include "io/source_filter.h"

#include "base/fileio.h"
#include "base/log.h"
#include "planning.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANGES(list) ", loadBalancerSourceRanges: [" list "]"
#define CLOSED(name, range) WITH_SPEC(name, RANGES(range)) SLICE(name, name, READY("172.16.1.1"))

struct bench {
        char dir[64];
        struct source_filter *filter;
        unsigned int settled;
};

static void on_settled(void *userdata)
{
        struct bench *bench = userdata;

        bench->settled++;
        ev_break(EV_DEFAULT, EVBREAK_ALL);
}

static void path_in(const struct bench *bench, const char *name, char path[static 128])
{
        (void)snprintf(path, 128, "%s/%s", bench->dir, name);
}

static void write_program(const struct bench *bench, const char *name)
{
        char path[128];
        FILE *file;

        path_in(bench, name, path);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fprintf(file, "#!/bin/sh\ncat \"$4\" >> %s/calls\necho no >&2\n[ ! -e %s/sick ]\n",
                            bench->dir, bench->dir) > 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(path, 0700), 0);
}

static int make_bench(void **state)
{
        struct bench *bench = calloc(1, sizeof(*bench));
        const struct source_filter_listener listener = {bench, on_settled};
        struct error error;
        char path[128];

        assert_non_null(bench);
        (void)snprintf(bench->dir, sizeof(bench->dir), "/tmp/coracle-filter-XXXXXX");
        assert_non_null(mkdtemp(bench->dir));
        write_program(bench, "iptables-stub");
        write_program(bench, "ip6tables-stub");
        path_in(bench, "iptables-stub", path);
        assert_int_equal(source_filter_new(EV_DEFAULT, path, bench->dir, &listener, &bench->filter, &error),
                         0);
        *state = bench;
        return 0;
}

static int drop_bench(void **state)
{
        static const char *const names[] = {"iptables-stub", "ip6tables-stub",   "calls",
                                            "sick",          "source-ranges.v4", "source-ranges.v6"};
        struct bench *bench = *state;
        char path[128];

        source_filter_free(bench->filter);
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                path_in(bench, names[i], path);
                (void)unlink(path);
        }
        assert_int_equal(rmdir(bench->dir), 0);
        free(bench);
        return 0;
}

static void set_sick(const struct bench *bench, bool sick)
{
        char path[128];

        path_in(bench, "sick", path);
        if (sick)
                assert_int_equal(fclose(fopen(path, "we")), 0);
        else
                assert_int_equal(unlink(path), 0);
}

/* How often the chain was written, with or without rules. */
static unsigned int calls(const struct bench *bench)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        unsigned int count = 0;
        struct error error;
        char path[128];

        path_in(bench, "calls", path);
        if (file_read(path, 1u << 20, &text, &error) < 0)
                return 0;
        for (const char *at = text.text; (at = strstr(at, "COMMIT\n")); at++)
                count++;
        return count;
}

/* Wants the rules of the objects and waits for the outcome. */
static void want(struct bench *bench, uint8_t family, const char *objects)
{
        _cleanup_plan_ struct plan *plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        struct source_rules rules = {0};

        assert_int_equal(source_rules_render(plan, &(struct served_plans){0}, family, &rules), 0);
        source_filter_want(bench->filter, family, &rules);
        assert_null(rules.text.text);
        if (!source_filter_is_settled(bench->filter))
                (void)ev_run(EV_DEFAULT, 0);
        assert_true(source_filter_is_settled(bench->filter));
}

static bool guards(const struct bench *bench, const char *vip)
{
        struct addr addr;

        assert_int_equal(addr_parse(vip, &addr), 0);
        return source_filter_guards(bench->filter, &addr);
}

static void same_rules_are_restored_once(void **state)
{
        struct bench *bench = *state;
        unsigned int before;

        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8"));
        assert_true(guards(bench, "10.1.1.1"));
        assert_int_equal(bench->settled, 1);
        before = calls(bench);
        assert_true(before >= 1);
        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8"));
        assert_int_equal(calls(bench), before);
        want(bench, AF_INET, "");
        assert_true(calls(bench) > before);
}

static void ipv6_has_a_program_of_its_own(void **state)
{
        struct bench *bench = *state;
        char path[128];

        path_in(bench, "iptables-stub", path);
        assert_int_equal(unlink(path), 0);
        want(bench, AF_INET6,
             SERVICE("a", "", PORT80 ", ipFamilies: [IPv6]" RANGES("\"fd00:9::/32\""), "")
                 SLICE_OF("IPv6", "a", "a", "{port: 80}", READY("fd00:2::1")));
        assert_true(guards(bench, "fd00:1:1::1"));
        path_in(bench, "source-ranges.v6", path);
        assert_int_equal(access(path, R_OK), 0);
}

static void failure_concerns_the_vips_whose_rules_are_not_in_force(void **state)
{
        struct bench *bench = *state;

        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8"));
        set_sick(bench, true);
        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8") CLOSED("b", "10.0.0.0/8"));
        assert_true(guards(bench, "10.1.1.1"));
        assert_false(guards(bench, "10.1.1.2"));
        assert_true(guards(bench, "10.1.1.3"));
        assert_true(guards(bench, "fd00:1:1::1"));
        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8"));
        assert_true(guards(bench, "10.1.1.2"));
}

static void failure_is_tried_again_by_itself(void **state)
{
        struct bench *bench = *state;

        set_sick(bench, true);
        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8"));
        assert_false(guards(bench, "10.1.1.1"));
        set_sick(bench, false);
        bench->settled = 0;
        (void)ev_run(EV_DEFAULT, 0);
        assert_int_equal(bench->settled, 1);
        assert_true(guards(bench, "10.1.1.1"));
}

static void program_that_is_missing_is_a_failure_like_others(void **state)
{
        struct bench *bench = *state;
        char path[128];

        path_in(bench, "iptables-stub", path);
        assert_int_equal(unlink(path), 0);
        want(bench, AF_INET, CLOSED("a", "10.0.0.0/8"));
        assert_false(guards(bench, "10.1.1.1"));
        assert_true(guards(bench, "10.1.1.2"));
}

static void program_of_another_name_is_refused(void **state)
{
        struct source_filter *filter = NULL;
        const struct source_filter_listener listener = {NULL, on_settled};
        struct error error = {0};

        (void)state;
        assert_true(source_filter_new(EV_DEFAULT, "/opt/iptables/nft", "/tmp", &listener, &filter, &error) <
                    0);
        assert_null(filter);
        assert_string_equal(error.where, "--iptables");
        source_filter_free(NULL);
}

#define WITH_STAND_IN(test) cmocka_unit_test_setup_teardown(test, make_bench, drop_bench)

int main(void)
{
        const struct CMUnitTest tests[] = {
            WITH_STAND_IN(same_rules_are_restored_once),
            WITH_STAND_IN(ipv6_has_a_program_of_its_own),
            WITH_STAND_IN(failure_concerns_the_vips_whose_rules_are_not_in_force),
            WITH_STAND_IN(failure_is_tried_again_by_itself),
            WITH_STAND_IN(program_that_is_missing_is_a_failure_like_others),
            cmocka_unit_test(program_of_another_name_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
