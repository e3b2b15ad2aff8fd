#include "core/fuse.h"

#include "planning.h"
#include "unit.h"

#define A PLAIN("a") SLICE("a-1", "a", READY("172.16.1.1") READY("172.16.1.2"))
#define B PLAIN("b") SLICE("b-1", "b", READY("172.16.2.1") READY("172.16.2.2"))
#define HOLD_MS 300000

struct pod {
        struct plan *applied;
        struct fuse fuse;
        struct fuse_count count;
        uint32_t max_percent;
};

static struct plan *plan(const char *objects)
{
        return plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
}

static int make_pod(void **state)
{
        struct pod *pod = calloc(1, sizeof(*pod));

        assert_non_null(pod);
        pod->applied = plan(A B);
        pod->max_percent = 50;
        *state = pod;
        return 0;
}

static int free_pod(void **state)
{
        struct pod *pod = *state;

        plan_free(pod->applied);
        free(pod);
        return 0;
}

static void expect(struct pod *pod, int64_t now_ms, const char *objects, enum fuse_verdict verdict,
                   size_t removed)
{
        _cleanup_plan_ struct plan *wanted = plan(objects);
        const struct fuse_input input = {pod->applied, wanted, pod->max_percent, HOLD_MS, now_ms};

        assert_int_equal(fuse_judge(&pod->fuse, &input, &pod->count), verdict);
        assert_int_equal(pod->count.removed, removed);
        assert_int_equal(pod->fuse.blown, verdict == FUSE_BLOWS || verdict == FUSE_HOLDS);
}

static void share_up_to_the_limit_may_go(void **state)
{
        struct pod *pod = *state;

        expect(pod, 0, A, FUSE_PASS, 2);
        assert_int_equal(pod->count.total, 4);
        expect(pod, 0, A B, FUSE_PASS, 0);
        expect(pod, 0, A PLAIN("b"), FUSE_PASS, 2);
}

static void more_than_the_limit_blows_the_fuse_once(void **state)
{
        struct pod *pod = *state;

        expect(pod, 1000, PLAIN("a") PLAIN("b"), FUSE_BLOWS, 4);
        expect(pod, 2000, "", FUSE_HOLDS, 4);
        expect(pod, 3000, PLAIN("a") SLICE("a-1", "a", READY("172.16.1.1")), FUSE_HOLDS, 3);
        assert_int_equal(pod->fuse.trips, 1);
}

static void servers_that_drain_or_move_are_taken_away(void **state)
{
        struct pod *pod = *state;

        expect(pod, 0,
               PLAIN("a") SLICE("a-1", "a", DRAINING("172.16.1.1") READY("172.16.1.3")) PLAIN("b")
                   SLICE("b-1", "b", READY("172.16.2.1") READY("172.16.2.3")),
               FUSE_BLOWS, 3);
}

static void objects_that_come_back_mend_it(void **state)
{
        struct pod *pod = *state;

        expect(pod, 0, "", FUSE_BLOWS, 4);
        expect(pod, 10, A B, FUSE_MENDED, 0);
        expect(pod, 20, A B, FUSE_PASS, 0);
        expect(pod, 30, "", FUSE_BLOWS, 4);
        assert_int_equal(pod->fuse.trips, 2);
}

static void what_lasts_is_believed(void **state)
{
        struct pod *pod = *state;

        expect(pod, 5000, "", FUSE_BLOWS, 4);
        expect(pod, 5000 + HOLD_MS - 1, "", FUSE_HOLDS, 4);
        expect(pod, 5000 + HOLD_MS, "", FUSE_EXPIRED, 4);
}

static void servers_that_drained_before_do_not_count(void **state)
{
        struct pod *pod = *state;

        plan_free(pod->applied);
        pod->applied = plan(PLAIN("a") SLICE("a-1", "a", DRAINING("172.16.1.1") READY("172.16.1.2")));
        expect(pod, 0, PLAIN("a") SLICE("a-1", "a", READY("172.16.1.2")), FUSE_PASS, 0);
        assert_int_equal(pod->count.total, 1);
}

static void first_plan_and_no_limit_always_pass(void **state)
{
        struct pod *pod = *state;

        pod->max_percent = 0;
        expect(pod, 0, "", FUSE_PASS, 4);
        plan_free(pod->applied);
        pod->applied = NULL;
        pod->max_percent = 1;
        expect(pod, 0, A, FUSE_PASS, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_pod, free_pod)
        const struct CMUnitTest tests[] = {
            TEST(share_up_to_the_limit_may_go),
            TEST(more_than_the_limit_blows_the_fuse_once),
            TEST(servers_that_drain_or_move_are_taken_away),
            TEST(objects_that_come_back_mend_it),
            TEST(what_lasts_is_believed),
            TEST(servers_that_drained_before_do_not_count),
            TEST(first_plan_and_no_limit_always_pass),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
