#include "resilient/mirror_plan.h"

#include "base/strbuf.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

/* A router: what its kernel holds, and what is planned from that. */
struct router {
        struct fib fib;
        struct park park;
        struct mirror_config config;
        int64_t next_ms;
        char said[4096]; /* the last plan as text, a line per operation */
};

static struct prefix prefix(const char *text)
{
        struct prefix out;

        assert_int_equal(prefix_parse(text, &out), 0);
        return out;
}

static struct next_hop hop(int last)
{
        char text[ADDR_TEXT_SIZE];
        struct next_hop out = {.interface = 2};

        (void)snprintf(text, sizeof(text), "10.0.0.%d", last);
        assert_int_equal(addr_parse(text, &out.gateway), 0);
        return out;
}

static int make_router(void **state)
{
        struct router *router = calloc(1, sizeof(*router));
        struct prefix pool = prefix("10.1.1.0/24");

        assert_non_null(router);
        router->config =
            (struct mirror_config){.buckets = 1024, .idle_timer_s = 120, .unbalanced_timer_s = 600};
        assert_int_equal(prefix_list_append(&router->config.pools, &pool), 0);
        *state = router;
        return 0;
}

static int free_router(void **state)
{
        struct router *router = *state;

        fib_clear(&router->fib);
        park_clear(&router->park);
        prefix_list_clear(&router->config.pools);
        free(router);
        return 0;
}

/* `hops` ends with 0; without any the route is plain. */
static void add_route(struct router *router, const char *text, uint32_t metric, const int *hops)
{
        struct main_route route = {
            .prefix = prefix(text), .metric = metric, .plain = !*hops, .first = router->fib.path_count};

        for (; *hops; hops++, route.count++)
                assert_int_equal(
                    FIB_ADD(&router->fib, path, paths, (&(struct path){.hop = hop(*hops), .weight = 1})), 0);
        assert_int_equal(FIB_ADD(&router->fib, route, routes, &route), 0);
}
#define ROUTE(text, ...) add_route(router, text, 0, (const int[]){__VA_ARGS__ __VA_OPT__(, ) 0})

static const struct next_hop *hop_of(const struct router *router, uint32_t id)
{
        for (size_t i = 0; i < router->fib.hop_count; i++)
                if (router->fib.hops[i].id == id)
                        return &router->fib.hops[i].hop;
        return NULL;
}

/* What the kernel does: the next plan starts from the mirror that this one leads to. */
static void apply(struct router *router, const struct operation *operation, const struct member *members)
{
        struct fib *fib = &router->fib;
        struct our_group group = {.id = operation->id,
                                  .buckets = router->config.buckets,
                                  .idle_timer_s = router->config.idle_timer_s,
                                  .unbalanced_timer_s = router->config.unbalanced_timer_s,
                                  .first = fib->member_count,
                                  .count = operation->count};

        switch (operation->kind) {
        case ADD_HOP:
                assert_null(hop_of(router, operation->id));
                assert_int_equal(FIB_ADD(fib, hop, hops, (&(struct our_hop){operation->id, operation->hop})),
                                 0);
                break;
        case CHANGE_GROUP:
        case DELETE_GROUP:
                for (size_t i = 0; i < fib->group_count; i++)
                        if (fib->groups[i].id == operation->id)
                                fib->groups[i--] = fib->groups[--fib->group_count];
                if (operation->kind == DELETE_GROUP)
                        break;
                /* fall through */
        case ADD_GROUP:
                assert_null(fib_find_group(fib, operation->id));
                for (size_t i = 0; i < operation->count; i++)
                        assert_int_equal(FIB_ADD(fib, member, members, &members[operation->first + i]), 0);
                assert_int_equal(FIB_ADD(fib, group, groups, &group), 0);
                break;
        case DELETE_HOP:
                for (size_t i = 0; i < fib->hop_count; i++)
                        if (fib->hops[i].id == operation->id)
                                fib->hops[i--] = fib->hops[--fib->hop_count];
                break;
        case SET_ROUTE:
        case SET_THROW:
        case DELETE_ROUTE:
                for (size_t i = 0; i < fib->our_count; i++)
                        if (prefix_compare(&fib->ours[i].prefix, &operation->prefix) == 0)
                                fib->ours[i--] = fib->ours[--fib->our_count];
                if (operation->kind != DELETE_ROUTE)
                        assert_int_equal(
                            FIB_ADD(fib, our, ours, (&(struct our_route){operation->prefix, operation->id})),
                            0);
                break;
        case ADD_RULE:
                assert_int_equal(prefix_list_append(&fib->rules, &operation->prefix), 0);
                break;
        case DELETE_RULE:
                fib->rules.count = 0;
                break;
        }
        fib_sort(fib);
}

static void say(struct router *router, const struct operation *operation)
{
        static const char *const verbs[] = {"+hop",   "+group", "=group", "=route", "=throw",
                                            "-route", "-group", "-hop",   "+rule",  "-rule"};
        size_t length = strlen(router->said);
        char text[PREFIX_TEXT_SIZE] = "";

        if (operation->prefix.addr.family)
                (void)prefix_format(&operation->prefix, text);
        else if (operation->hop.gateway.family)
                (void)addr_format(&operation->hop.gateway, text);
        (void)snprintf(router->said + length, sizeof(router->said) - length, "%s %u %s %zu\n",
                       verbs[operation->kind], operation->id ? operation->id - PLAN_FIRST_ID : 0, text,
                       operation->count);
}

/* One round at now_ms, then the main table is forgotten. */
static void expect_at(struct router *router, int64_t now_ms, const char *said)
{
        _cleanup_plan_ struct mirror_plan plan = {0};

        router->said[0] = '\0';
        fib_sort(&router->fib);
        assert_int_equal(park_update(&router->park, &router->fib, now_ms, &router->next_ms), 0);
        assert_int_equal(mirror_plan_build(&router->config, &router->fib, &router->park, &plan), 0);
        router->fib.route_count = router->fib.path_count = 0;
        for (size_t i = 0; i < plan.operation_count; i++) {
                say(router, &plan.operations[i]);
                apply(router, &plan.operations[i], plan.members);
        }
        assert_string_equal(router->said, said);
}

#define TWO_PATHS                                                                                    \
        "+hop 0 10.0.0.106 0\n+hop 1 10.0.0.107 0\n+group 2 10.1.1.1/32 2\n=route 2 10.1.1.1/32 0\n" \
        "+rule 0 10.1.1.0/24 0\n"

static void route_becomes_hops_group_route_and_rule_once(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 107, 106);
        expect_at(router, 0, TWO_PATHS);
        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 10, "");
        assert_int_equal(router->next_ms, -1);
}

static void change_keeps_the_group(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 0, TWO_PATHS);
        ROUTE("10.1.1.1/32", 106, 108);
        expect_at(router, 10, "+hop 3 10.0.0.108 0\n=group 2 10.1.1.1/32 2\n-hop 1  0\n");
}

static void ids_of_others_are_avoided(void **state)
{
        struct router *router = *state;
        uint32_t taken = PLAN_FIRST_ID + 1;

        assert_int_equal(FIB_ADD(&router->fib, foreign, foreign_ids, &taken), 0);
        ROUTE("10.1.1.1/32", 106);
        expect_at(
            router, 0,
            "+hop 0 10.0.0.106 0\n+group 2 10.1.1.1/32 1\n=route 2 10.1.1.1/32 0\n+rule 0 10.1.1.0/24 0\n");
}

static void same_next_hop_twice_weighs_double(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106, 107, 106);
        fib_sort(&router->fib);
        assert_int_equal(router->fib.routes[0].count, 2);
        assert_int_equal(router->fib.paths[0].weight, 2);
        assert_int_equal(router->fib.paths[1].weight, 1);
}

static void lowest_metric_is_the_route(void **state)
{
        struct router *router = *state;

        add_route(router, "10.1.1.1/32", 20, (const int[]){106, 0});
        add_route(router, "10.1.1.1/32", 10, (const int[]){107, 0});
        fib_sort(&router->fib);
        assert_int_equal(router->fib.route_count, 1);
        assert_int_equal(router->fib.routes[0].metric, 10);
}

static void plain_route_is_thrown_back_to_the_main_table(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.5/32");
        expect_at(router, 0, "=throw 0 10.1.1.5/32 0\n+rule 0 10.1.1.0/24 0\n");
        ROUTE("10.1.1.5/32", 106);
        expect_at(router, 10, "+hop 0 10.0.0.106 0\n+group 1 10.1.1.5/32 1\n=route 1 10.1.1.5/32 0\n");
        ROUTE("10.1.1.5/32");
        expect_at(router, 20, "=throw 0 10.1.1.5/32 0\n-group 1  0\n-hop 0  0\n");
}

static void refused_hop_is_left_out_and_without_any_the_route_is_plain(void **state)
{
        struct router *router = *state;
        struct next_hop refused = hop(107);

        ROUTE("10.1.1.1/32", 106, 107);
        ROUTE("10.1.1.2/32", 107);
        fib_sort(&router->fib);
        fib_drop_hop(&router->fib, &refused);
        expect_at(
            router, 0,
            "+hop 0 10.0.0.106 0\n+group 1 10.1.1.1/32 1\n=route 1 10.1.1.1/32 0\n=throw 0 10.1.1.2/32 0\n"
            "+rule 0 10.1.1.0/24 0\n");
}

static void route_that_returns_finds_its_group_and_may_be_incomplete_for_a_second(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 0, TWO_PATHS);
        expect_at(router, 1000, "-route 0 10.1.1.1/32 0\n");
        assert_int_equal(router->next_ms, 1000 + PARK_KEEP_MS);
        ROUTE("10.1.1.1/32", 106);
        expect_at(router, 5000, "=route 2 10.1.1.1/32 0\n");
        assert_int_equal(router->next_ms, 5000 + PARK_SETTLE_MS);
        ROUTE("10.1.1.1/32", 106);
        expect_at(router, 5000 + PARK_SETTLE_MS, "=group 2 10.1.1.1/32 1\n-hop 1  0\n");
}

static void route_that_returns_with_other_paths_is_followed_at_once(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 0, TWO_PATHS);
        expect_at(router, 1000, "-route 0 10.1.1.1/32 0\n");
        ROUTE("10.1.1.1/32", 106, 108);
        expect_at(router, 5000,
                  "+hop 3 10.0.0.108 0\n=group 2 10.1.1.1/32 2\n=route 2 10.1.1.1/32 0\n-hop 1  0\n");
}

static void route_that_stays_away_is_forgotten(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 0, TWO_PATHS);
        expect_at(router, 1000, "-route 0 10.1.1.1/32 0\n");
        expect_at(router, 1000 + PARK_KEEP_MS, "-group 2  0\n-hop 0  0\n-hop 1  0\n");
        assert_int_equal(router->next_ms, -1);
}

static void other_number_of_buckets_needs_another_group(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 0, TWO_PATHS);
        router->config.buckets = 2048;
        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 10, "+group 3 10.1.1.1/32 2\n=route 3 10.1.1.1/32 0\n-group 2  0\n");
        router->config.idle_timer_s = 60;
        ROUTE("10.1.1.1/32", 106, 107);
        expect_at(router, 20, "=group 3 10.1.1.1/32 2\n");
}

static void without_pools_everything_goes_and_the_rules_first(void **state)
{
        struct router *router = *state;

        ROUTE("10.1.1.1/32", 106);
        expect_at(
            router, 0,
            "+hop 0 10.0.0.106 0\n+group 1 10.1.1.1/32 1\n=route 1 10.1.1.1/32 0\n+rule 0 10.1.1.0/24 0\n");
        router->config.pools.count = 0;
        router->park.count = 0;
        {
                struct park none = {0};
                _cleanup_plan_ struct mirror_plan plan = {0};

                assert_int_equal(mirror_plan_build(&router->config, &router->fib, &none, &plan), 0);
                router->said[0] = '\0';
                for (size_t i = 0; i < plan.operation_count; i++)
                        say(router, &plan.operations[i]);
                assert_string_equal(
                    router->said, "-rule 0 10.1.1.0/24 0\n-route 0 10.1.1.1/32 0\n-group 1  0\n-hop 0  0\n");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_router, free_router)
            TEST(route_becomes_hops_group_route_and_rule_once),
            TEST(change_keeps_the_group),
            TEST(ids_of_others_are_avoided),
            TEST(same_next_hop_twice_weighs_double),
            TEST(lowest_metric_is_the_route),
            TEST(plain_route_is_thrown_back_to_the_main_table),
            TEST(refused_hop_is_left_out_and_without_any_the_route_is_plain),
            TEST(route_that_returns_finds_its_group_and_may_be_incomplete_for_a_second),
            TEST(route_that_returns_with_other_paths_is_followed_at_once),
            TEST(route_that_stays_away_is_forgotten),
            TEST(other_number_of_buckets_needs_another_group),
            TEST(without_pools_everything_goes_and_the_rules_first),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
