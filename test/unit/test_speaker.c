#include "core/speaker.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct speaker *speaker_new_here(int64_t now_ms)
{
        struct speaker_config config = {0};
        struct speaker *speaker = NULL;
        struct addr reflector;

        assert_int_equal(addr_parse("10.0.0.106", &config.next_hop4), 0);
        assert_int_equal(addr_parse("10.0.0.109", &reflector), 0);
        config.neighbors = &reflector;
        config.n_neighbors = 1;
        assert_int_equal(speaker_new(&config, now_ms, &speaker), 0);
        assert_int_equal(speaker_tick(speaker, now_ms), 0);
        return speaker;
}

/* exabgp reads all that was written: the text must be this. */
static void expect(struct speaker *speaker, const char *text)
{
        struct strbuf *output = speaker_output(speaker);

        assert_string_equal(output->length ? output->text : "", text);
        strbuf_reset(output);
}

static void answer(struct speaker *speaker, const char *line, int64_t now_ms)
{
        struct exabgp_reply reply;

        exabgp_reply_parse(line, strlen(line), &reply);
        assert_int_equal(speaker_answer(speaker, &reply, now_ms), 0);
}

static void hear(struct speaker *speaker, const char *routes, bool graceful_shutdown, int64_t now_ms)
{
        _cleanup_strbuf_ struct strbuf line = {0};
        struct announce_set set = {0};
        struct error error;

        assert_int_equal(strbuf_printf(&line, "{\"routes\":[%s],\"pools\":[],\"graceful_shutdown\":%s}",
                                       routes, graceful_shutdown ? "true" : "false"),
                         0);
        assert_int_equal(announce_set_decode(line.text, line.length, &set, &error), 0);
        assert_int_equal(speaker_hear(speaker, &set, now_ms), 0);
}

#define SYNC "show neighbor summary\nshow adj-rib out\n"
#define ANNOUNCE(address) "announce route " address "/32 next-hop 10.0.0.106\n"
#define WITHDRAW(address) "withdraw route " address "/32 next-hop 10.0.0.106\n"

/* Started at 0, synced, nothing held. */
static struct speaker *synced(void)
{
        struct speaker *speaker = speaker_new_here(0);

        expect(speaker, SYNC);
        answer(speaker, "done", 1);
        answer(speaker, "done", 1);
        return speaker;
}

static void a_set_is_announced_and_reported_once_answered(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\",\"fd00::1/128\"", false, 10);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        assert_int_equal(speaker_report(speaker)->announced.count, 0);
        answer(speaker, "done", 11);
        assert_int_equal(speaker_report(speaker)->announced.count, 1);
        hear(speaker, "\"10.1.1.2/32\"", false, 12);
        expect(speaker, WITHDRAW("10.1.1.1") ANNOUNCE("10.1.1.2"));
        hear(speaker, "\"10.1.1.2/32\"", false, 13);
        expect(speaker, "");
}

static void routes_of_an_earlier_announcer_are_adopted(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = speaker_new_here(0);

        (void)state;
        expect(speaker, SYNC);
        hear(speaker, "\"10.1.1.1/32\"", false, 1);
        expect(speaker, "");
        answer(speaker, "10.0.0.109      65021     0:00:03 established           7          0", 2);
        answer(speaker, "done", 2);
        answer(speaker, "neighbor 10.0.0.109 ipv4 unicast 10.1.1.1/32 next-hop 10.0.0.106", 2);
        answer(speaker, "neighbor 10.0.0.109 ipv4 unicast 10.1.1.9/32 next-hop 10.0.0.106", 2);
        answer(speaker, "done", 2);
        expect(speaker, WITHDRAW("10.1.1.9") ANNOUNCE("10.1.1.1"));
        assert_int_equal(speaker_report(speaker)->neighbors_up, 1);
}

static void silence_withdraws_and_a_message_brings_back(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 100);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        answer(speaker, "done", 101);
        assert_int_equal(speaker_deadline(speaker), 100 + ANNOUNCE_SILENCE_MS);
        assert_int_equal(speaker_tick(speaker, 99 + ANNOUNCE_SILENCE_MS), 0);
        expect(speaker, "");
        assert_int_equal(speaker_tick(speaker, 100 + ANNOUNCE_SILENCE_MS), 0);
        expect(speaker, WITHDRAW("10.1.1.1"));
        assert_true(speaker_silent(speaker));
        answer(speaker, "done", 2101);
        hear(speaker, "\"10.1.1.1/32\"", false, 5000); /* perhaps what it knew before it froze */
        expect(speaker, "");
        hear(speaker, "\"10.1.1.2/32\"", false, 5500);
        assert_int_equal(speaker_deadline(speaker), 6000);
        assert_int_equal(speaker_tick(speaker, 5999), 0);
        expect(speaker, "");
        assert_int_equal(speaker_tick(speaker, 6000), 0);
        expect(speaker, ANNOUNCE("10.1.1.2"));
}

static void silence_that_withdrew_nothing_delays_nothing(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        assert_int_equal(speaker_tick(speaker, ANNOUNCE_SILENCE_MS), 0);
        assert_true(speaker_silent(speaker));
        hear(speaker, "\"10.1.1.1/32\"", false, 60000);
        expect(speaker, ANNOUNCE("10.1.1.1"));
}

static void a_second_silence_does_not_shorten_the_return(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 0);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        answer(speaker, "done", 1);
        assert_int_equal(speaker_tick(speaker, 2000), 0);
        expect(speaker, WITHDRAW("10.1.1.1"));
        answer(speaker, "done", 2001);
        hear(speaker, "\"10.1.1.1/32\"", false, 3000);
        assert_int_equal(speaker_tick(speaker, 5000), 0); /* not a tick before: the announcer stood still */
        hear(speaker, "\"10.1.1.1/32\"", false, 5001);
        expect(speaker, "");
        assert_int_equal(speaker_tick(speaker, 6001), 0);
        expect(speaker, ANNOUNCE("10.1.1.1"));
}

static void a_dead_coracle_is_silent_at_once(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 100);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        answer(speaker, "done", 101);
        assert_int_equal(speaker_lose(speaker, 200), 0);
        expect(speaker, WITHDRAW("10.1.1.1"));
        assert_true(speaker_silent(speaker));
}

static void controller_that_never_speaks_costs_the_adopted_routes(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = speaker_new_here(0);

        (void)state;
        expect(speaker, SYNC);
        answer(speaker, "done", 2);
        answer(speaker, "neighbor 10.0.0.109 ipv4 unicast 10.1.1.9/32 next-hop 10.0.0.106", 2);
        answer(speaker, "done", 2);
        expect(speaker, "");
        assert_int_equal(speaker_tick(speaker, ANNOUNCE_SILENCE_MS), 0);
        expect(speaker, WITHDRAW("10.1.1.9"));
}

static void graceful_shutdown_is_a_new_announcement(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 10);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        hear(speaker, "\"10.1.1.1/32\"", true, 11);
        expect(speaker, "announce route 10.1.1.1/32 next-hop 10.0.0.106 community [ 65535:0 ]\n");
        answer(speaker, "done", 11);
        assert_false(speaker_report(speaker)->graceful_shutdown);
        answer(speaker, "done", 11);
        assert_true(speaker_report(speaker)->graceful_shutdown);
        hear(speaker, "", true, 12);
        expect(speaker, WITHDRAW("10.1.1.1"));
        answer(speaker, "done", 12);
        assert_false(speaker_report(speaker)->graceful_shutdown);
        assert_int_equal(speaker_report(speaker)->announced.count, 0);
}

static void exabgp_that_does_not_read_costs_no_memory(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();
        size_t length;

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 10);
        length = speaker_output(speaker)->length;
        for (int i = 0; i < 100; i++)
                hear(speaker, i % 2 ? "\"10.1.1.2/32\"" : "\"10.1.1.3/32\"", false, 11 + i);
        assert_int_equal(speaker_output(speaker)->length, length);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        assert_int_equal(speaker_tick(speaker, 200), 0);
        expect(speaker, WITHDRAW("10.1.1.1") ANNOUNCE("10.1.1.2"));
}

static void exabgp_that_is_slow_is_told_the_latest_only(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();
        _cleanup_strbuf_ struct strbuf many = {0};

        (void)state;
        for (int i = 0; i < 100; i++)
                assert_int_equal(strbuf_printf(&many, "%s\"10.1.2.%d/32\"", i ? "," : "", i), 0);
        hear(speaker, many.text, false, 10);
        strbuf_reset(speaker_output(speaker));
        hear(speaker, "\"10.1.1.1/32\"", false, 11);
        hear(speaker, many.text, false, 12);
        expect(speaker, "");
        hear(speaker, "\"10.1.2.0/32\"", false, 12);
        for (int i = 0; i < 35; i++)
                answer(speaker, "done", 13);
        expect(speaker, "");
        answer(speaker, "done", 13);
        assert_non_null(strstr(speaker_output(speaker)->text, WITHDRAW("10.1.2.99")));
}

/* Its answers, or that it reads again, bring us on: until then a retry that is due must not keep the alarm
 * ringing.
 */
static void a_retry_that_cannot_be_made_yet_is_no_deadline(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();
        _cleanup_strbuf_ struct strbuf many = {0};

        (void)state;
        for (int i = 0; i < 100; i++)
                assert_int_equal(strbuf_printf(&many, "%s\"10.1.2.%d/32\"", i ? "," : "", i), 0);
        hear(speaker, many.text, false, 10);
        strbuf_reset(speaker_output(speaker));
        answer(speaker, "error", 11);
        hear(speaker, many.text, false, 1500);
        assert_int_equal(speaker_tick(speaker, 1500), 0);
        expect(speaker, "");
        assert_true(speaker_deadline(speaker) > 1500);
        for (int i = 0; i < 35; i++)
                answer(speaker, "done", 1501);
        expect(speaker, SYNC);
}

static void exabgp_that_does_not_read_keeps_no_alarm_ringing(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 10);
        for (int64_t now = 500; now < 20000; now += 500) {
                hear(speaker, "\"10.1.1.1/32\"", false, now);
                assert_true(speaker_deadline(speaker) > now);
        }
        expect(speaker, ANNOUNCE("10.1.1.1"));
        assert_int_equal(speaker_tick(speaker, 20000), 0); /* it has read again */
        expect(speaker, SYNC);
}

static void an_error_makes_it_ask_again_in_a_while(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 10);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        answer(speaker, "error", 11);
        assert_int_equal(speaker_failures(speaker), 1);
        expect(speaker, "");
        assert_int_equal(speaker_deadline(speaker), 11 + 1000);
        assert_int_equal(speaker_tick(speaker, 1011), 0);
        expect(speaker, SYNC);
        answer(speaker, "done", 1012);
        answer(speaker, "done", 1012);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        answer(speaker, "error", 1013); /* again: twice as patient */
        assert_int_equal(speaker_tick(speaker, 1013), 0);
        hear(speaker, "\"10.1.1.1/32\"", false, 3000);
        assert_int_equal(speaker_deadline(speaker), 1013 + 2000);
}

static void exabgp_without_acks_is_served_all_the_same(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = speaker_new_here(0);

        (void)state;
        expect(speaker, SYNC);
        hear(speaker, "\"10.1.1.1/32\"", false, 900);
        expect(speaker, "");
        assert_int_equal(speaker_tick(speaker, 1000), 0);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        assert_int_equal(speaker_tick(speaker, 1001), 0);
        assert_int_equal(speaker_report(speaker)->announced.count, 1);
        hear(speaker, "\"10.1.1.1/32\"", false, 7000);
        assert_int_equal(speaker_tick(speaker, 7001), 0);
        expect(speaker, "");
}

static void nothing_is_announced_while_not_permitted(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        assert_int_equal(speaker_permit(speaker, false, 5), 0);
        hear(speaker, "\"10.1.1.1/32\"", false, 10);
        expect(speaker, "");
        assert_int_equal(speaker_permit(speaker, true, 11), 0);
        expect(speaker, ANNOUNCE("10.1.1.1"));
}

static void leaving_withdraws_for_good(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        hear(speaker, "\"10.1.1.1/32\"", false, 10);
        expect(speaker, ANNOUNCE("10.1.1.1"));
        assert_int_equal(speaker_leave(speaker, 11), 0);
        assert_false(speaker_left(speaker));
        expect(speaker, WITHDRAW("10.1.1.1"));
        assert_true(speaker_left(speaker));
        hear(speaker, "\"10.1.1.1/32\"", false, 12);
        expect(speaker, "");
}

static void neighbors_are_counted_by_their_state(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        assert_int_equal(speaker_report(speaker)->neighbors, 1);
        answer(speaker, "neighbor 10.0.0.109 connected", 1);
        assert_int_equal(speaker_report(speaker)->neighbors_up, 0);
        answer(speaker, "neighbor 10.0.0.109 up", 2);
        answer(speaker, "neighbor 10.0.0.119 connected", 2);
        assert_int_equal(speaker_report(speaker)->neighbors_up, 1);
        assert_int_equal(speaker_report(speaker)->neighbors, 2);
        answer(speaker, "neighbor 10.0.0.109 down - closed", 3);
        assert_int_equal(speaker_report(speaker)->neighbors_up, 0);
}

static void end_sessions(struct speaker *speaker, const char *neighbor, int times, int64_t now_ms)
{
        char line[64];

        for (int i = 0; i < times; i++) {
                (void)snprintf(line, sizeof(line), "neighbor %s connected", neighbor);
                answer(speaker, line, now_ms);
                (void)snprintf(line, sizeof(line), "neighbor %s down - closed", neighbor);
                answer(speaker, line, now_ms);
        }
}

static void keep_alive(struct speaker *speaker, int64_t now_ms)
{
        hear(speaker, "", false, now_ms);
}

static void sessions_that_ended_often_are_restarted_when_none_is_up(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        answer(speaker, "neighbor 10.0.0.119 up", 20000);
        end_sessions(speaker, "10.0.0.109", 9, 20000);
        keep_alive(speaker, 20001);
        expect(speaker, "");
        answer(speaker, "neighbor 10.0.0.119 down - closed", 20002);
        expect(speaker, "restart\n");
        assert_true(speaker_is_restarting(speaker));
        hear(speaker, "\"10.1.1.1/32\"", false, 20003); /* for the one that comes after us */
        expect(speaker, "");
}

static void few_ends_of_sessions_are_left_to_exabgp(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        end_sessions(speaker, "10.0.0.109", 2, 20000);
        keep_alive(speaker, 90000);
        expect(speaker, "");
}

static void exabgp_is_not_asked_to_restart_too_often(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        end_sessions(speaker, "10.0.0.109", 3, 100);
        keep_alive(speaker, 14999);
        expect(speaker, "");
        keep_alive(speaker, 15000);
        expect(speaker, "restart\n");
}

static void restart_that_does_not_come_is_given_up(void **state)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = synced();

        (void)state;
        end_sessions(speaker, "10.0.0.109", 3, 20000);
        expect(speaker, "restart\n");
        keep_alive(speaker, 24999);
        assert_true(speaker_is_restarting(speaker));
        assert_int_equal(speaker_deadline(speaker), 25000);
        assert_int_equal(speaker_tick(speaker, 25000), 0);
        assert_false(speaker_is_restarting(speaker));
        keep_alive(speaker, 26000);
        expect(speaker, SYNC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_set_is_announced_and_reported_once_answered),
            cmocka_unit_test(routes_of_an_earlier_announcer_are_adopted),
            cmocka_unit_test(silence_withdraws_and_a_message_brings_back),
            cmocka_unit_test(a_dead_coracle_is_silent_at_once),
            cmocka_unit_test(controller_that_never_speaks_costs_the_adopted_routes),
            cmocka_unit_test(graceful_shutdown_is_a_new_announcement),
            cmocka_unit_test(exabgp_that_does_not_read_costs_no_memory),
            cmocka_unit_test(exabgp_that_is_slow_is_told_the_latest_only),
            cmocka_unit_test(a_retry_that_cannot_be_made_yet_is_no_deadline),
            cmocka_unit_test(exabgp_that_does_not_read_keeps_no_alarm_ringing),
            cmocka_unit_test(an_error_makes_it_ask_again_in_a_while),
            cmocka_unit_test(exabgp_without_acks_is_served_all_the_same),
            cmocka_unit_test(nothing_is_announced_while_not_permitted),
            cmocka_unit_test(leaving_withdraws_for_good),
            cmocka_unit_test(neighbors_are_counted_by_their_state),
            cmocka_unit_test(silence_that_withdrew_nothing_delays_nothing),
            cmocka_unit_test(a_second_silence_does_not_shorten_the_return),
            cmocka_unit_test(sessions_that_ended_often_are_restarted_when_none_is_up),
            cmocka_unit_test(few_ends_of_sessions_are_left_to_exabgp),
            cmocka_unit_test(exabgp_is_not_asked_to_restart_too_often),
            cmocka_unit_test(restart_that_does_not_come_is_given_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
