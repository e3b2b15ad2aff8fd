#include "announcer/link.h"

#include "base/clock.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MODULE "link"

enum {
        LOG_PERIOD_MS = 10000,
};

struct link {
        struct ev_loop *loop;
        const char *path;
        struct link_listener listener;
        int fd; /* -1: not connected */
        ev_io readable, writable;
        ev_timer retry;
        struct lines in;
        struct strbuf last;              /* the line that was decoded last, */
        struct announce_set told;        /* and what it says */
        struct announce_report reported; /* the last one, */
        struct strbuf report;            /* encoded */
        struct strbuf out;               /* what the socket has not taken of the one before */
        bool behind;                     /* `report` has not been put into `out` yet */
        bool in_doubt; /* the connection has ended, and it is not known yet whether coracle has */
        struct log_rate log_rate;
};

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events);
static void on_writable(struct ev_loop *loop, ev_io *watcher, int events);

static void disconnect(struct link *link, const char *reason)
{
        bool was_connected = link->fd >= 0;

        if (log_rate_allow(&link->log_rate, clock_monotonic_ms(), LOG_PERIOD_MS))
                log_warning(MODULE, "no connection to coracle", LOG_TEXT("socket", link->path),
                            LOG_TEXT("error", reason));
        if (was_connected) {
                ev_io_stop(link->loop, &link->readable);
                ev_io_stop(link->loop, &link->writable);
                (void)close(link->fd);
                link->fd = -1;
        }
        lines_clear(&link->in);
        strbuf_reset(&link->out);
        link->behind = link->report.length > 0;
        link->in_doubt |= was_connected;
        if (was_connected)
                ev_feed_event(link->loop, &link->retry,
                              EV_TIMER); /* at once: the answer tells whether it lives */
        ev_timer_again(link->loop, &link->retry);
}

/* Sends what the socket takes; disconnects on failure. */
static void flush(struct link *link)
{
        while (link->fd >= 0 && (link->out.length || link->behind)) {
                ssize_t n;

                if (!link->out.length) {
                        if (strbuf_append(&link->out, link->report.text, link->report.length) < 0) {
                                disconnect(link, "out of memory");
                                return;
                        }
                        link->behind = false;
                }
                n = send(link->fd, link->out.text, link->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        ev_io_start(link->loop, &link->writable);
                        return;
                }
                if (n < 0) {
                        disconnect(link, strerror(errno));
                        return;
                }
                strbuf_consume(&link->out, (size_t)n);
        }
        if (link->fd >= 0)
                ev_io_stop(link->loop, &link->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
        (void)loop;
        (void)events;
        flush(container_of(watcher, struct link, writable));
}

/* A heartbeat repeats the line before, which may hold thousands of routes: it is not decoded again.
 * Returns 0 or a negative errno with *error set. */
static int decode(struct link *link, const char *line, size_t length, struct error *error)
{
        int r;

        if (link->last.length == length && length && memcmp(link->last.text, line, length) == 0)
                return 0;
        strbuf_reset(&link->last);
        r = announce_set_decode(line, length, &link->told, error);
        if (r < 0)
                return r;
        /* Without memory for it, the next line is decoded. */
        (void)strbuf_append(&link->last, line, length);
        return 0;
}

/* Returns 0 or a negative errno with *error set. */
static int take_sets(struct link *link, const char *data, size_t length, struct error *error)
{
        const char *line;
        int r;

        r = lines_feed(&link->in, data, length);
        if (r < 0) {
                (void)error_set(error, NULL, "%s", strerror(-r));
                return r;
        }
        while (lines_next(&link->in, &line, &length)) {
                _cleanup_announce_set_ struct announce_set set = {0};

                r = decode(link, line, length, error);
                if (r < 0)
                        return r;
                if (announce_set_copy(&set, &link->told) < 0)
                        return error_oom(error);
                link->listener.set(link->listener.userdata, &set);
        }
        return 0;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
        struct link *link = container_of(watcher, struct link, readable);
        struct error error = {0};
        char chunk[65536];
        ssize_t n;

        (void)loop;
        (void)events;
        n = recv(link->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0)
                disconnect(link, strerror(errno));
        else if (n == 0)
                disconnect(link, "closed by coracle");
        else if (take_sets(link, chunk, (size_t)n, &error) < 0)
                disconnect(link, error.what);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
        struct link *link = container_of(watcher, struct link, retry);
        struct error error = {0};
        _cleanup_close_ int fd = -1;

        (void)events;
        fd = unix_socket_connect(link->path, &error);
        if (fd < 0) {
                disconnect(link, error.what);
                if (link->in_doubt)
                        link->listener.lost(link->listener.userdata);
                link->in_doubt = false;
                return;
        }
        link->in_doubt = false;
        ev_timer_stop(loop, watcher);
        link->fd = TAKE_FD(fd);
        log_info(MODULE, "connected to coracle", LOG_TEXT("socket", link->path));
        ev_io_set(&link->readable, link->fd, EV_READ);
        ev_io_set(&link->writable, link->fd, EV_WRITE);
        ev_io_start(loop, &link->readable);
        flush(link);
}

int link_new(struct ev_loop *loop, const char *path, const struct link_listener *listener, struct link **out)
{
        struct link *link = calloc(1, sizeof(*link));

        if (!link)
                return -ENOMEM;
        link->loop = loop;
        link->path = path;
        link->listener = *listener;
        link->fd = -1;
        link->in_doubt = true; /* what an announcer before this one has announced may have nobody behind it */
        link->in.max = ANNOUNCE_MESSAGE_MAX;
        ev_io_init(&link->readable, on_readable, -1, EV_READ);
        /* Before any timer: what has been waiting while this process was late tells that coracle is not
         * silent. */
        ev_set_priority(&link->readable, EV_MAXPRI);
        ev_io_init(&link->writable, on_writable, -1, EV_WRITE);
        ev_timer_init(&link->retry, on_retry, 0., LINK_RETRY_MS / 1e3);
        ev_timer_start(loop, &link->retry);
        *out = link;
        return 0;
}

static bool report_equal(const struct announce_report *a, const struct announce_report *b)
{
        return prefix_list_equal(&a->announced, &b->announced) &&
               a->graceful_shutdown == b->graceful_shutdown && a->neighbors_up == b->neighbors_up &&
               a->neighbors == b->neighbors;
}

int link_report(struct link *link, const struct announce_report *report)
{
        _cleanup_announce_report_ struct announce_report copy = {0};
        struct strbuf text = {0};

        if (link->report.length && report_equal(&link->reported, report))
                return 0;
        copy.graceful_shutdown = report->graceful_shutdown;
        copy.neighbors_up = report->neighbors_up;
        copy.neighbors = report->neighbors;
        if (prefix_list_copy(&copy.announced, &report->announced) < 0 ||
            announce_report_encode(report, &text) < 0)
                return -ENOMEM;
        announce_report_clear(&link->reported);
        link->reported = copy;
        copy = (struct announce_report){0};
        strbuf_clear(&link->report);
        link->report = text;
        link->behind = true;
        flush(link);
        return 0;
}

void link_free(struct link *link)
{
        if (!link)
                return;
        ev_io_stop(link->loop, &link->readable);
        ev_io_stop(link->loop, &link->writable);
        ev_timer_stop(link->loop, &link->retry);
        if (link->fd >= 0)
                (void)close(link->fd);
        lines_clear(&link->in);
        announce_report_clear(&link->reported);
        strbuf_clear(&link->report);
        strbuf_clear(&link->out);
        strbuf_clear(&link->last);
        announce_set_clear(&link->told);
        free(link);
}
