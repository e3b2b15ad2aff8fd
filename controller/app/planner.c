#include "app/planner.h"

#include "base/clock.h"

#include <stdlib.h>

#define QUIET_MS 20 /* without an input: then act */
#define LONGEST_WAIT_MS 200

struct planner {
        struct ev_loop *loop;
        const struct config *config;
        void (*due)(void *userdata);
        void *userdata;
        struct drains drains;
        int64_t dirty_since_ms; /* 0: clean */
        ev_timer soon;
        ev_timer drained; /* a drain time is over */
        bool built;
        struct metrics_histogram durations;
};

static void start(struct planner *planner, ev_timer *timer, int64_t after_ms)
{
        ev_timer_stop(planner->loop, timer);
        ev_timer_set(timer, after_ms > 0 ? (double)after_ms / 1000 : 0, 0.0);
        ev_timer_start(planner->loop, timer);
}

void planner_mark(struct planner *planner)
{
        int64_t now_ms = clock_monotonic_ms(), quiet_ms = QUIET_MS;

        if (!planner->dirty_since_ms)
                planner->dirty_since_ms = now_ms;
        if (now_ms + quiet_ms > planner->dirty_since_ms + LONGEST_WAIT_MS)
                quiet_ms = planner->dirty_since_ms + LONGEST_WAIT_MS - now_ms;
        start(planner, &planner->soon, quiet_ms);
}

static void on_soon(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct planner *planner = container_of(watcher, struct planner, soon);
        int64_t began_us = clock_monotonic_us();

        (void)loop;
        (void)revents;
        planner->dirty_since_ms = 0;
        planner->built = false;
        planner->due(planner->userdata);
        if (planner->built)
                metrics_observe(&planner->durations, (double)(clock_monotonic_us() - began_us) / 1e6);
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
        int64_t now_ms = clock_monotonic_ms();
        int r = drains_update(&planner->drains, model, now_ms);

        if (r == 0)
                r = plan_build(planner->config, model, &planner->drains, addresses, out);
        if (r < 0)
                return r;
        planner->built = true;
        ev_timer_stop(planner->loop, &planner->drained);
        if ((*out)->drained_ms != INT64_MAX)
                start(planner, &planner->drained, (*out)->drained_ms - now_ms);
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
