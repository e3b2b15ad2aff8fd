#include "app/publisher.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/health.h"

#include <stdlib.h>

#define RETRY_MS 1000

struct publisher {
        struct ev_loop *loop;
        const struct config *config;
        struct announce_server *announce_server;
        struct publisher_listener listener;
        struct prefix_list pools;
        struct routes routes;
        struct announce_set set; /* as the announcer was told */
        bool gone;               /* likewise */
        bool told;               /* of the routes as they are */
        ev_timer again;
};

static void on_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        const struct publisher *publisher = watcher->data;

        (void)loop;
        (void)revents;
        publisher->listener.again(publisher->listener.userdata);
}

static void log_routes(const struct routes *routes)
{
        for (size_t i = 0; i < routes->count; i++) {
                char text[ADDR_TEXT_SIZE];

                log_debug("routes", "state", LOG_TEXT("vip", addr_format(&routes->routes[i].vip, text)),
                          LOG_TEXT("route", route_state_name(routes->routes[i].state)));
        }
}

/* 0 or -ENOMEM; the announcer then keeps what it has. */
static int publish(struct publisher *publisher, const struct publisher_input *input, bool starting)
{
        _cleanup_announce_set_ struct announce_set set = {0};
        int r = input->gone ? 0 : prefix_list_copy(&set.pools, &publisher->pools);

        if (r == 0)
                r = routes_collect(&publisher->routes, &publisher->config->bgp, &set);
        if (r < 0)
                return r;
        set.graceful_shutdown = input->graceful_shutdown;
        set.starting = starting;
        r = announce_server_set(publisher->announce_server, &set);
        if (r < 0)
                return r;
        if (!prefix_list_equal(&publisher->set.routes, &set.routes))
                log_info("routes", "announcing", LOG_INT("routes", set.routes.count),
                         LOG_INT("before", publisher->set.routes.count),
                         LOG_INT("vips", publisher->routes.count));
        if (input->gone && !publisher->gone)
                log_info("routes", "the node is told to send nothing here any more");
        log_routes(&publisher->routes);
        announce_set_clear(&publisher->set);
        publisher->set = set;
        publisher->gone = input->gone;
        set = (struct announce_set){0};
        return 0;
}

static void wait_until(struct publisher *publisher, int64_t due_ms, int64_t now_ms)
{
        ev_timer_stop(publisher->loop, &publisher->again);
        if (due_ms < 0)
                return;
        ev_timer_set(&publisher->again, (double)(due_ms - now_ms) / 1000, 0.0);
        ev_timer_start(publisher->loop, &publisher->again);
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
        return a_ms < 0 || a_ms > b_ms ? b_ms : a_ms;
}

void publisher_update(struct publisher *publisher, const struct publisher_input *input)
{
        struct routes_input now = input->routes;
        int64_t next_ms;
        bool starting;
        int r;

        now.now_ms = clock_monotonic_ms();
        r = routes_update(&publisher->routes, &now, &next_ms);
        starting = health_is_checking(now.plan, now.kernel, &publisher->routes, now.settling,
                                      now.now_ms - input->keepalived_since_ms);
        if (r > 0 || starting != publisher->set.starting ||
            input->graceful_shutdown != publisher->set.graceful_shutdown || input->gone != publisher->gone)
                publisher->told = false;
        if (r >= 0 && !publisher->told)
                r = publish(publisher, input, starting);
        publisher->told = r >= 0;
        if (starting)
                next_ms = earlier(next_ms, input->keepalived_since_ms + HEALTH_FIRST_CHECKS_MS);
        if (r < 0) {
                log_error("routes", "out of memory; what is announced stays as it is for now");
                next_ms = earlier(next_ms, now.now_ms + RETRY_MS);
        }
        wait_until(publisher, next_ms, now.now_ms);
}

const struct routes *publisher_routes(const struct publisher *publisher)
{
        return &publisher->routes;
}

const struct announce_set *publisher_set(const struct publisher *publisher)
{
        return &publisher->set;
}

int publisher_new(struct ev_loop *loop, const struct config *config, struct announce_server *announce_server,
                  const struct publisher_listener *listener, struct publisher **out, struct error *error)
{
        struct publisher *publisher = calloc(1, sizeof(*publisher));

        if (!publisher)
                return error_oom(error);
        *publisher = (struct publisher){.loop = loop,
                                        .config = config,
                                        .announce_server = announce_server,
                                        .listener = *listener,
                                        .told = true};
        ev_timer_init(&publisher->again, on_again, 0.0, 0.0);
        publisher->again.data = publisher;
        if (routes_collect_pools(config, &publisher->pools) < 0) {
                publisher_free(publisher);
                return error_oom(error);
        }
        *out = publisher;
        return 0;
}

void publisher_free(struct publisher *publisher)
{
        if (!publisher)
                return;
        ev_timer_stop(publisher->loop, &publisher->again);
        prefix_list_clear(&publisher->pools);
        routes_clear(&publisher->routes);
        announce_set_clear(&publisher->set);
        free(publisher);
}
