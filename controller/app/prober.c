#include "app/prober.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/tunnel_socket.h"

#include <stdlib.h>

struct prober {
        struct ev_loop *loop;
        void (*changed)(void *userdata);
        void *userdata;
        struct tunnel_probes probes;
        struct tunnel_socket *socket; /* NULL: no targets, or it cannot be opened */
        bool failed;
        ev_timer tick;
};

static void schedule(struct prober *prober, int64_t after_ms)
{
        ev_timer_stop(prober->loop, &prober->tick);
        ev_timer_set(&prober->tick, (double)after_ms / 1000, 0.0);
        ev_timer_start(prober->loop, &prober->tick);
}

static void tell_if_changed(struct prober *prober, size_t unanswered_before)
{
        if (prober->probes.unanswered != unanswered_before)
                prober->changed(prober->userdata);
}

static void on_answered(void *userdata, const struct addr *vip, const struct addr *real_server)
{
        struct prober *prober = userdata;
        size_t before = prober->probes.unanswered;

        tunnel_probes_answered(&prober->probes, vip, real_server, clock_monotonic_ms(), arc4random());
        tell_if_changed(prober, before);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct prober *prober = container_of(watcher, struct prober, tick);
        struct tunnel_target due[TUNNEL_BURST];
        size_t before = prober->probes.unanswered;
        int64_t now = clock_monotonic_ms(), next;
        size_t count = tunnel_probes_tick(&prober->probes, now, arc4random(), due, &next);

        (void)loop;
        (void)revents;
        for (size_t i = 0; i < count; i++)
                tunnel_socket_ask(prober->socket, &due[i].vip, &due[i].real_server);
        if (next >= 0)
                schedule(prober, next - now);
        tell_if_changed(prober, before);
}

/* Not before it is needed: the kernel shows every packet to the filter of a packet socket. */
static void open_socket(struct prober *prober)
{
        struct error error = {0};

        if (prober->socket || prober->failed)
                return;
        if (tunnel_socket_new(prober->loop, on_answered, prober, &prober->socket, &error) == 0) {
                schedule(prober, TUNNEL_TICK_MS);
        } else {
                prober->failed = true;
                log_warning("tunnel", "real servers behind tunnels are not probed (CAP_NET_RAW?)",
                            LOG_ERROR_FIELDS(&error));
        }
}

static void close_socket(struct prober *prober)
{
        ev_timer_stop(prober->loop, &prober->tick);
        tunnel_socket_free(prober->socket);
        prober->socket = NULL;
}

void prober_follow(struct prober *prober, const struct plan *plan, const struct ipvs_table *table)
{
        size_t before = prober->probes.unanswered;

        if (prober->failed)
                return;
        if (tunnel_probes_follow(&prober->probes, plan, table, clock_monotonic_ms()) < 0)
                log_error("tunnel", "out of memory; who is probed stays as it is");
        if (prober->probes.count)
                open_socket(prober);
        else
                close_socket(prober);
        /* A tick finds out when the next one is due. */
        if (prober->socket && ev_timer_remaining(prober->loop, &prober->tick) > TUNNEL_TICK_MS / 1000.0)
                schedule(prober, TUNNEL_TICK_MS);
        tell_if_changed(prober, before);
}

void prober_tell(const struct prober *prober, struct plan *plan)
{
        if (!prober->failed && tunnel_probes_tell(&prober->probes, plan) < 0)
                log_error("tunnel", "out of memory; not everything is told");
}

struct prober *prober_new(struct ev_loop *loop, void (*changed)(void *userdata), void *userdata)
{
        struct prober *prober = calloc(1, sizeof(*prober));

        if (!prober)
                return NULL;
        *prober = (struct prober){.loop = loop, .changed = changed, .userdata = userdata};
        ev_timer_init(&prober->tick, on_tick, 0.0, 0.0);
        return prober;
}

void prober_free(struct prober *prober)
{
        if (!prober)
                return;
        close_socket(prober);
        tunnel_probes_clear(&prober->probes);
        free(prober);
}
