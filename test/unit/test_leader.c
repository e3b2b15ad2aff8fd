#include "core/leader.h"

#include "unit.h"

#include <string.h>

static struct lease lease_of(const char *holder, const char *version)
{
        return (struct lease){
            .holder = (char *)holder, .resource_version = (char *)version, .duration_ms = 15000};
}

static void lease_that_is_absent_or_free_is_taken(void **state)
{
        struct leader leader = {.identity = "me"};
        struct lease nobodys = lease_of("", "7");

        (void)state;
        assert_int_equal(leader_saw(&leader, NULL, 0), LEADER_WRITE);
        assert_int_equal(leader_saw(&leader, &nobodys, 0), LEADER_WRITE);
        assert_false(leader_is_leading(&leader, 0));
        leader_clear(&leader);
}

static void anothers_lease_is_taken_only_after_it_stood_still_for_its_duration(void **state)
{
        struct leader leader = {.identity = "me"};
        struct lease first = lease_of("other", "7"), renewed = lease_of("other", "8");

        (void)state;
        assert_int_equal(leader_saw(&leader, &first, 1000), LEADER_WAIT);
        assert_int_equal(leader_saw(&leader, &first, 15999), LEADER_WAIT);
        assert_int_equal(leader_saw(&leader, &renewed, 15999), LEADER_WAIT);
        assert_int_equal(leader_saw(&leader, &renewed, 30998), LEADER_WAIT);
        assert_int_equal(leader_saw(&leader, &renewed, 30999), LEADER_WRITE);
        leader_clear(&leader);
}

static void leader_that_cannot_renew_ends_before_another_may_begin(void **state)
{
        struct leader leader = {.identity = "me"};

        (void)state;
        leader_wrote(&leader, 1000);
        assert_true(leader_is_leading(&leader, 1000 + LEADER_RENEW_DEADLINE_MS - 1));
        assert_false(leader_is_leading(&leader, 1000 + LEADER_RENEW_DEADLINE_MS));
        assert_true(LEADER_RENEW_DEADLINE_MS + LEADER_RETRY_MS < LEADER_LEASE_MS);
        leader_clear(&leader);
}

static void seeing_another_holder_ends_leading_at_once(void **state)
{
        struct leader leader = {.identity = "me"};
        struct lease others = lease_of("other", "9");

        (void)state;
        leader_wrote(&leader, 1000);
        assert_int_equal(leader_saw(&leader, &others, 1500), LEADER_WAIT);
        assert_false(leader_is_leading(&leader, 1500));
        leader_clear(&leader);
}

static void written_lease_reads_back(void **state)
{
        _cleanup_lease_ struct lease others = {0}, first = {0}, second = {0};
        _cleanup_json_ json_t *read = json_pack("{s:{s:s}, s:{s:s, s:i}}", "metadata", "resourceVersion", "9",
                                                "spec", "holderIdentity", "other", "leaseTransitions", 3);
        _cleanup_json_ json_t *taken = NULL, *renewed = NULL, *left = NULL;
        struct error error;

        (void)state;
        assert_int_equal(lease_decode(read, &others, &error), 0);
        taken = lease_encode("coracle", "lb", "me", &others, "2026-11-23T00:00:00.000000Z");
        assert_int_equal(lease_decode(taken, &first, &error), 0);
        assert_string_equal(first.holder, "me");
        assert_string_equal(first.resource_version, "9");
        assert_int_equal(first.transitions, 4);
        renewed = lease_encode("coracle", "lb", "me", &first, "2026-11-23T00:00:02.000000Z");
        assert_int_equal(lease_decode(renewed, &second, &error), 0);
        assert_int_equal(second.transitions, 4);
        assert_string_equal(second.acquire_time, "2026-11-23T00:00:00.000000Z");
        left = lease_encode("coracle", "lb", NULL, &second, "2026-11-23T00:00:03.000000Z");
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(left, "spec"), "holderIdentity")), "");
}

/* client-go's leaders keep it too: it may be GitOps' label, or an owner. */
static void what_others_wrote_on_the_lease_stays(void **state)
{
        static const char *const metadata =
            "{\"name\": \"coracle\", \"namespace\": \"lb\", \"resourceVersion\": \"9\", \"uid\": \"5\","
            " \"labels\": {\"app\": \"lb\"}, \"annotations\": {\"note\": \"hands off\"}}";
        _cleanup_json_ json_t *read = json_pack("{s:o, s:{s:s}}", "metadata", json_loads(metadata, 0, NULL),
                                                "spec", "holderIdentity", "other");
        _cleanup_json_ json_t *written = NULL;
        _cleanup_lease_ struct lease lease = {0};
        struct error error;

        (void)state;
        assert_int_equal(lease_decode(read, &lease, &error), 0);
        written = lease_encode("coracle", "lb", "me", &lease, "2026-11-23T00:00:00.000000Z");
        assert_true(json_equal(json_object_get(read, "metadata"), json_object_get(written, "metadata")));
}

static void lease_of_the_wrong_type_is_refused(void **state)
{
        _cleanup_json_ json_t *json = json_pack("{s:{s:i}}", "spec", "holderIdentity", 7);
        struct lease lease = {0};
        struct error error = {0};

        (void)state;
        assert_true(lease_decode(json, &lease, &error) < 0);
        assert_string_equal(error.where, "Lease");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(lease_that_is_absent_or_free_is_taken),
            cmocka_unit_test(anothers_lease_is_taken_only_after_it_stood_still_for_its_duration),
            cmocka_unit_test(leader_that_cannot_renew_ends_before_another_may_begin),
            cmocka_unit_test(seeing_another_holder_ends_leading_at_once),
            cmocka_unit_test(written_lease_reads_back),
            cmocka_unit_test(what_others_wrote_on_the_lease_stays),
            cmocka_unit_test(lease_of_the_wrong_type_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
