#include "io/tcp_probe.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tcp_probe {
        struct ev_loop *loop;
        ev_io connected;
        ev_timer timeout;
        int fd;
        tcp_probe_fn *done;
        void *userdata;
};

static void end(struct tcp_probe *probe, bool answers)
{
        tcp_probe_fn *done = probe->done;
        void *userdata = probe->userdata;

        tcp_probe_cancel(probe);
        done(userdata, answers);
}

static void on_connected(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct tcp_probe *probe = container_of(watcher, struct tcp_probe, connected);
        int error = 0;
        socklen_t length = sizeof(error);

        (void)loop;
        (void)revents;
        end(probe, getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        end(container_of(watcher, struct tcp_probe, timeout), false);
}

static int begin_connect(const struct addr *addr, uint16_t port)
{
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        const bool is_v6 = addr->family == AF_INET6;
        _cleanup_close_ int fd = socket(addr->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int r;

        if (fd < 0)
                return -errno;
        memcpy(&v4.sin_addr, addr->bytes, sizeof(v4.sin_addr));
        memcpy(&v6.sin6_addr, addr->bytes, sizeof(v6.sin6_addr));
        r = is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
                  : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
        if (r < 0 && errno != EINPROGRESS)
                return -errno;
        r = fd;
        fd = -1;
        return r;
}

struct tcp_probe *tcp_probe_start(struct ev_loop *loop, const struct addr *addr, uint16_t port,
                                  double timeout_s, tcp_probe_fn *done, void *userdata)
{
        struct tcp_probe *probe = malloc(sizeof(*probe));
        int fd = probe ? begin_connect(addr, port) : -1;

        if (fd < 0) {
                free(probe);
                return NULL;
        }
        *probe = (struct tcp_probe){.loop = loop, .fd = fd, .done = done, .userdata = userdata};
        ev_io_init(&probe->connected, on_connected, fd, EV_WRITE);
        ev_timer_init(&probe->timeout, on_timeout, timeout_s, 0.0);
        ev_io_start(loop, &probe->connected);
        ev_timer_start(loop, &probe->timeout);
        return probe;
}

void tcp_probe_cancel(struct tcp_probe *probe)
{
        if (!probe)
                return;
        ev_io_stop(probe->loop, &probe->connected);
        ev_timer_stop(probe->loop, &probe->timeout);
        (void)close(probe->fd);
        free(probe);
}
