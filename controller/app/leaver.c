#include "app/leaver.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

#define STEP_S 0.1
#define PARTING_S 0.2 /* for the announcer to take the pod out of the node's route */
#define LONGEST_S 86400.0

struct leaver {
        struct ev_loop *loop;
        struct leaver_listener listener;
        struct table *table;
        const struct announce_server *announce_server;
        struct leave leave;
        int64_t settle_ms, drain_ms;
        ev_timer step;
};

static struct leave_input look(const struct leaver *leaver)
{
        return (struct leave_input){
            .report = announce_server_report(leaver->announce_server),
            .flows = table_flows(leaver->table),
            .now_ms = clock_monotonic_ms(),
        };
}

static void log_phase(const struct leaver *leaver, const struct leave_input *input)
{
        static const char *const messages[] = {
            [LEAVE_ASKING] = "leaving: routers are asked to prefer other pods",
            [LEAVE_DRAINING] = "leaving: routes are withdrawn, flows may end",
            [LEAVE_OVER] = "leaving: stopping keepalived",
        };

        log_info(
            "leave", messages[leaver->leave.phase], LOG_TEXT("phase", leave_phase_name(leaver->leave.phase)),
            LOG_INT("flows_left", input->flows), LOG_INT("passed_ms", input->now_ms - leaver->leave.began_ms),
            LOG_INT("deadline_ms", leaver->drain_ms),
            LOG_TEXT("announcer", input->report ? "connected" : "absent"));
}

static void moved_on(struct leaver *leaver, const struct leave_input *input)
{
        log_phase(leaver, input);
        if (leaver->leave.phase == LEAVE_OVER) {
                ev_timer_stop(leaver->loop, &leaver->step);
                ev_now_update(leaver->loop);
                ev_timer_set(&leaver->step, PARTING_S, 0.0);
                ev_timer_start(leaver->loop, &leaver->step);
        }
        leaver->listener.moved_on(leaver->listener.userdata);
}

static void update(struct leaver *leaver)
{
        struct leave_input input = look(leaver);

        if (leave_update(&leaver->leave, &input))
                moved_on(leaver, &input);
}

static void on_step(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct leaver *leaver = container_of(watcher, struct leaver, step);

        (void)loop;
        (void)revents;
        if (leaver->leave.phase == LEAVE_OVER) {
                leaver->listener.ended(leaver->listener.userdata);
                return;
        }
        table_look(leaver->table); /* leaver_looked goes on, but for a table that cannot be looked at */
        update(leaver);
}

/* Flows may begin until the pod is out of the node's route: the less time passes after this look the better.
 */
void leaver_looked(struct leaver *leaver)
{
        if (leaver->leave.phase == LEAVE_ASKING || leaver->leave.phase == LEAVE_DRAINING)
                update(leaver);
}

/* A number of seconds, fractions allowed, into milliseconds. */
static int read_seconds(const char *flag, const char *text, int64_t *out_ms, struct error *error)
{
        char *end;
        double value = strtod(text, &end);

        if (end == text || *end || !(value >= 0 && value <= LONGEST_S))
                return error_set(error, flag, "\"%s\" is not a number of seconds between 0 and %.0f", text,
                                 LONGEST_S);
        *out_ms = (int64_t)(value * 1000);
        return 0;
}

int leaver_new(struct ev_loop *loop, const struct options *options, const struct leaver_listener *listener,
               struct leaver **out, struct error *error)
{
        struct leaver *leaver = calloc(1, sizeof(*leaver));
        int r;

        if (!leaver)
                return error_oom(error);
        *leaver = (struct leaver){.loop = loop, .listener = *listener};
        ev_timer_init(&leaver->step, on_step, STEP_S, STEP_S);
        r = read_seconds("--settle-seconds", options->settle_seconds, &leaver->settle_ms, error);
        if (r == 0)
                r = read_seconds("--drain-seconds", options->drain_seconds, &leaver->drain_ms, error);
        if (r < 0) {
                leaver_free(leaver);
                return r;
        }
        *out = leaver;
        return 0;
}

void leaver_leave(struct leaver *leaver, struct table *table, const struct announce_server *announce_server)
{
        struct leave_input input;

        leaver->table = table;
        leaver->announce_server = announce_server;
        input = look(leaver);
        if (leaver->leave.phase == LEAVE_STAYING) {
                leave_begin(&leaver->leave, leaver->settle_ms, leaver->drain_ms, &input);
                ev_timer_start(leaver->loop, &leaver->step);
        } else if (!leave_hurry(&leaver->leave, input.now_ms)) {
                return;
        }
        moved_on(leaver, &input);
}

enum leave_phase leaver_phase(const struct leaver *leaver)
{
        return leaver->leave.phase;
}

void leaver_free(struct leaver *leaver)
{
        if (!leaver)
                return;
        ev_timer_stop(leaver->loop, &leaver->step);
        free(leaver);
}
