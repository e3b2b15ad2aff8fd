#include "app/gate.h"

#include "app/guard.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

struct gate {
        struct ev_loop *loop;
        const struct config *config;
        struct applier *applier;
        struct guard *guard;
        struct gate_listener listener;
        struct fuse fuse;
        ev_timer expiry; /* of the hold */
};

static void on_expiry(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct gate *gate = container_of(watcher, struct gate, expiry);

        (void)loop;
        (void)revents;
        gate->listener.again(gate->listener.userdata);
}

static void on_guarded(void *userdata, struct plan *plan)
{
        struct gate *gate = userdata;

        applier_want(gate->applier, plan);
}

static void on_guard_changed(void *userdata)
{
        struct gate *gate = userdata;

        gate->listener.again(gate->listener.userdata);
}

int gate_new(struct ev_loop *loop, const struct options *options, const struct config *config,
             struct applier *applier, const struct gate_listener *listener, struct gate **out,
             struct error *error)
{
        struct gate *gate = calloc(1, sizeof(*gate));
        const struct guard_listener guard_listener = {gate, on_guarded, on_guard_changed};
        int r;

        if (!gate)
                return error_oom(error);
        *gate = (struct gate){.loop = loop, .config = config, .applier = applier, .listener = *listener};
        ev_timer_init(&gate->expiry, on_expiry, 0.0, 0.0);
        r = guard_new(loop, options->iptables, options->run_dir, &guard_listener, &gate->guard, error);
        if (r < 0) {
                free(gate);
                return r;
        }
        *out = gate;
        return 0;
}

static void wait_for_expiry(struct gate *gate, int64_t now_ms)
{
        int64_t left_ms = gate->fuse.blown_ms + gate->config->max_removal_hold_ms - now_ms;

        ev_timer_stop(gate->loop, &gate->expiry);
        if (!gate->fuse.blown)
                return;
        ev_timer_set(&gate->expiry, (double)(left_ms > 0 ? left_ms : 0) / 1000 + 0.001, 0.0);
        ev_timer_start(gate->loop, &gate->expiry);
}

static void log_verdict(const struct gate *gate, enum fuse_verdict verdict, const struct fuse_count *count)
{
        if (verdict == FUSE_BLOWS)
                log_error("fuse", "too many real servers would go at once; what is served stays",
                          LOG_INT("removed", count->removed), LOG_INT("of", count->total),
                          LOG_INT("max_percent", gate->config->max_removal_percent),
                          LOG_INT("hold_ms", gate->config->max_removal_hold_ms));
        else if (verdict == FUSE_MENDED)
                log_info("fuse", "mended: the plan is followed again", LOG_INT("removed", count->removed),
                         LOG_INT("of", count->total));
        else if (verdict == FUSE_EXPIRED)
                log_warning("fuse", "it has lasted, so it is true: the plan is followed again",
                            LOG_INT("removed", count->removed), LOG_INT("of", count->total));
}

/* What has passed last. */
static const struct plan *newest(const struct gate *gate, const struct served_plans *served)
{
        if (guard_plan(gate->guard))
                return guard_plan(gate->guard);
        if (served->waiting)
                return served->waiting;
        return served->candidate ? served->candidate : served->running;
}

void gate_want(struct gate *gate, struct plan *plan)
{
        const struct served_plans served = applier_served(gate->applier);
        const struct fuse_input input = {
            .held = newest(gate, &served),
            .wanted = plan,
            .max_percent = gate->config->max_removal_percent,
            .hold_ms = gate->config->max_removal_hold_ms,
            .now_ms = clock_monotonic_ms(),
        };
        struct fuse_count count;
        enum fuse_verdict verdict = fuse_judge(&gate->fuse, &input, &count);

        log_verdict(gate, verdict, &count);
        wait_for_expiry(gate, input.now_ms);
        if (gate->fuse.blown) {
                plan_free(plan);
                return;
        }
        if (guard_want(gate->guard, plan, &served) < 0) {
                log_error("gate", "out of memory; who may connect stays as it is");
                gate->listener.again(gate->listener.userdata);
        }
}

void gate_applied(struct gate *gate)
{
        if (gate->fuse.blown || guard_is_closing(gate->guard))
                gate->listener.again(gate->listener.userdata);
}

const struct fuse *gate_fuse(const struct gate *gate)
{
        return &gate->fuse;
}

void gate_free(struct gate *gate)
{
        if (!gate)
                return;
        ev_timer_stop(gate->loop, &gate->expiry);
        guard_free(gate->guard);
        free(gate);
}
