#include "app/planner.h"

#include <stdlib.h>
#include <time.h>

#define QUIET_S 0.02 /* without an input: then act */
#define LONGEST_WAIT_S 0.2

struct planner {
        struct ev_loop *loop;
        const struct config *config;
        void (*due)(void *userdata);
        void *userdata;
        struct drains drains;
        ev_tstamp dirty_since; /* 0: clean */
        ev_timer soon;
        ev_timer drained; /* a drain time is over */
        bool built;
        struct metrics_histogram durations;
};

static double now_s(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void start(struct planner *planner, ev_timer *timer, ev_tstamp after)
{
        ev_timer_stop(planner->loop, timer);
        ev_timer_set(timer, after > 0 ? after : 0, 0.0);
        ev_timer_start(planner->loop, timer);
}

void planner_mark(struct planner *planner)
{
        ev_tstamp now = ev_now(planner->loop), quiet = QUIET_S;

        if (!planner->dirty_since)
                planner->dirty_since = now;
        if (now + quiet > planner->dirty_since + LONGEST_WAIT_S)
                quiet = planner->dirty_since + LONGEST_WAIT_S - now;
        start(planner, &planner->soon, quiet);
}

static void on_soon(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct planner *planner = container_of(watcher, struct planner, soon);
        double began = now_s();

        (void)loop;
        (void)revents;
        planner->dirty_since = 0;
        planner->built = false;
        planner->due(planner->userdata);
        if (planner->built)
                metrics_observe(&planner->durations, now_s() - began);
}

static void on_drained(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        planner_mark(container_of(watcher, struct planner, drained));
}

int planner_build(struct planner *planner, const struct model *model, enum plan_addresses addresses,
                  struct plan **out)
{
        int64_t now_ms = (int64_t)(now_s() * 1000);
        int r = drains_update(&planner->drains, model, now_ms);

        if (r == 0)
                r = plan_build(planner->config, model, &planner->drains, addresses, out);
        if (r < 0)
                return r;
        planner->built = true;
        ev_timer_stop(planner->loop, &planner->drained);
        if ((*out)->drained_ms != INT64_MAX)
                start(planner, &planner->drained, (double)((*out)->drained_ms - now_ms) / 1000);
        return 0;
}

const struct metrics_histogram *planner_durations(const struct planner *planner)
{
        return &planner->durations;
}

struct planner *planner_new(struct ev_loop *loop, const struct config *config, void (*due)(void *userdata),
                            void *userdata)
{
        struct planner *planner = calloc(1, sizeof(*planner));

        if (!planner)
                return NULL;
        *planner = (struct planner){.loop = loop, .config = config, .due = due, .userdata = userdata};
        ev_timer_init(&planner->soon, on_soon, 0.0, 0.0);
        ev_timer_init(&planner->drained, on_drained, 0.0, 0.0);
        return planner;
}

void planner_free(struct planner *planner)
{
        if (!planner)
                return;
        ev_timer_stop(planner->loop, &planner->soon);
        ev_timer_stop(planner->loop, &planner->drained);
        drains_clear(&planner->drains);
        free(planner);
}
