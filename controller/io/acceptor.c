#include "io/acceptor.h"

#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_S 0.1
#define LOG_PERIOD_MS 10000

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct acceptor *acceptor = container_of(watcher, struct acceptor, acceptable);
        int fd = accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        (void)revents;
        if (fd >= 0) {
                acceptor->accepted(acceptor, fd);
                return;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
                return;
        if (log_rate_allow(&acceptor->log_rate, clock_monotonic_ms(), LOG_PERIOD_MS))
                log_warning("acceptor", "cannot accept a connection", LOG_TEXT("error", strerror(errno)));
        ev_io_stop(loop, watcher);
        ev_timer_again(loop, &acceptor->pause);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        acceptor_resume(container_of(watcher, struct acceptor, pause));
}

void acceptor_start(struct acceptor *acceptor, struct ev_loop *loop, int fd, acceptor_fn *accepted)
{
        *acceptor = (struct acceptor){.loop = loop, .accepted = accepted, .fd = fd};
        ev_io_init(&acceptor->acceptable, on_acceptable, fd, EV_READ);
        ev_timer_init(&acceptor->pause, on_pause_over, 0.0, PAUSE_S);
        acceptor_resume(acceptor);
}

void acceptor_hold(struct acceptor *acceptor)
{
        ev_io_stop(acceptor->loop, &acceptor->acceptable);
        ev_timer_stop(acceptor->loop, &acceptor->pause);
}

void acceptor_resume(struct acceptor *acceptor)
{
        ev_timer_stop(acceptor->loop, &acceptor->pause);
        ev_io_start(acceptor->loop, &acceptor->acceptable);
}

void acceptor_end(struct acceptor *acceptor)
{
        acceptor_hold(acceptor);
        (void)close(acceptor->fd);
}
