#include "io/notify_fifo.h"

#include "base/lines.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

struct notify_fifo {
        struct ev_loop *loop;
        notify_fifo_fn *notified;
        void *userdata;
        char *path;
        int fd;
        ev_io readable;
        struct lines lines;
};

static void handle_line(struct notify_fifo *fifo, const char *line, size_t length)
{
        char text[LINE_MAX_BYTES + 1];
        struct notify_line parsed;

        memcpy(text, line, length);
        text[length] = '\0';
        if (strlen(text) == length && notify_line_parse(text, &parsed) == 0)
                fifo->notified(fifo->userdata, &parsed);
        else
                log_debug("keepalived", "unknown notification", LOG_TEXT("line", text));
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct notify_fifo *fifo = container_of(watcher, struct notify_fifo, readable);
        const char *line;
        size_t length;
        char chunk[4096];
        ssize_t n = read(fifo->fd, chunk, sizeof(chunk));

        (void)loop;
        (void)revents;
        if (n <= 0)
                return; /* EAGAIN or EINTR: we hold a writing end ourselves, so that there is no end of file
                         */
        if (lines_feed(&fifo->lines, chunk, (size_t)n) < 0) {
                lines_clear(&fifo->lines); /* whoever wrote that was not keepalived */
                return;
        }
        while (lines_next(&fifo->lines, &line, &length))
                if (length <= LINE_MAX_BYTES)
                        handle_line(fifo, line, length);
}

static void notify_fifo_free_p(struct notify_fifo **fifo)
{
        notify_fifo_free(*fifo);
}

static int fail(struct error *error, const char *path, const char *action)
{
        int r = -errno;

        (void)error_set(error, path, "cannot %s the notify FIFO: %s", action, strerror(errno));
        return r;
}

int notify_fifo_new(struct ev_loop *loop, const char *path, notify_fifo_fn *notified, void *userdata,
                    struct notify_fifo **out, struct error *error)
{
        _cleanup_(notify_fifo_free_p) struct notify_fifo *fifo = calloc(1, sizeof(*fifo));

        if (!fifo)
                return error_oom(error);
        *fifo = (struct notify_fifo){
            .loop = loop, .notified = notified, .userdata = userdata, .fd = -1, .lines.max = LINE_MAX_BYTES};
        fifo->path = strdup(path);
        if (!fifo->path)
                return error_oom(error);
        /* What stands there is left over, or laid there by somebody else who may write to the directory. */
        if ((unlink(path) < 0 && errno != ENOENT) || mkfifo(path, 0600) < 0)
                return fail(error, path, "make");
        fifo->fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (fifo->fd < 0)
                return fail(error, path, "open");
        ev_io_init(&fifo->readable, on_readable, fifo->fd, EV_READ);
        ev_io_start(loop, &fifo->readable);
        *out = TAKE_PTR(fifo);
        return 0;
}

void notify_fifo_free(struct notify_fifo *fifo)
{
        if (!fifo)
                return;
        if (fifo->fd >= 0) {
                ev_io_stop(fifo->loop, &fifo->readable);
                (void)close(fifo->fd);
                (void)unlink(fifo->path);
        }
        lines_clear(&fifo->lines);
        free(fifo->path);
        free(fifo);
}
