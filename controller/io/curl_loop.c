#include "io/curl_loop.h"

#include "base/cleanup.h"
#include "io/libcurl.h"

#include <errno.h>
#include <stddef.h>

struct curl_loop {
        struct ev_loop *loop;
        CURLM *multi;
        curl_loop_done_fn *done;
        ev_timer timer;
};

struct socket_watch {
        struct curl_loop *curl;
        ev_io io;
};

static void report_finished(struct curl_loop *curl)
{
        const CURLMsg *message;
        int left;

        while ((message = libcurl.multi_info_read(curl->multi, &left)))
                if (message->msg == CURLMSG_DONE)
                        curl->done(message->easy_handle, message->data.result);
}

static void on_socket(struct ev_loop *loop, ev_io *io, int revents)
{
        struct curl_loop *curl = container_of(io, struct socket_watch, io)->curl;
        int actions = (revents & EV_READ ? CURL_CSELECT_IN : 0) | (revents & EV_WRITE ? CURL_CSELECT_OUT : 0);
        int running;

        (void)loop;
        /* This may free the socket_watch. */
        (void)libcurl.multi_socket_action(curl->multi, io->fd, actions, &running);
        report_finished(curl);
}

static void set_timer(struct curl_loop *curl, long timeout_ms)
{
        ev_timer_stop(curl->loop, &curl->timer);
        if (timeout_ms < 0)
                return;
        /* libev counts from when the loop last woke up, which may be a while ago. */
        ev_now_update(curl->loop);
        ev_timer_set(&curl->timer, (double)timeout_ms / 1000, 0);
        ev_timer_start(curl->loop, &curl->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
        struct curl_loop *curl = container_of(timer, struct curl_loop, timer);
        long timeout_ms = -1;
        int running;

        (void)loop;
        (void)revents;
        (void)libcurl.multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        report_finished(curl);
        /* Fired a moment too early, libcurl would wait for the same time still and not say so again. */
        if (!ev_is_active(&curl->timer) && libcurl.multi_timeout(curl->multi, &timeout_ms) == CURLM_OK &&
            timeout_ms >= 0)
                set_timer(curl, timeout_ms > 0 ? timeout_ms : 1);
}

static int want_timer(CURLM *multi, long timeout_ms, void *userdata)
{
        (void)multi;
        set_timer(userdata, timeout_ms);
        return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
        struct curl_loop *curl = userdata;
        struct socket_watch *watch = socket_data;
        int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                if (watch) {
                        ev_io_stop(curl->loop, &watch->io);
                        (void)libcurl.multi_assign(curl->multi, fd, NULL);
                        free(watch);
                }
                return 0;
        }
        if (!watch) {
                watch = calloc(1, sizeof(*watch));
                if (!watch)
                        return -1;
                watch->curl = curl;
                ev_init(&watch->io, on_socket);
                (void)libcurl.multi_assign(curl->multi, fd, watch);
        }
        ev_io_stop(curl->loop, &watch->io);
        ev_io_set(&watch->io, fd, events);
        if (events)
                ev_io_start(curl->loop, &watch->io);
        return 0;
}

int curl_loop_new(struct ev_loop *loop, curl_loop_done_fn *done, struct curl_loop **out, struct error *error)
{
        struct curl_loop *curl = calloc(1, sizeof(*curl));

        if (!curl)
                return error_oom(error);
        curl->loop = loop;
        curl->done = done;
        ev_init(&curl->timer, on_timer);
        curl->multi = libcurl.multi_init();
        if (!curl->multi) {
                free(curl);
                return error_oom(error);
        }
        (void)libcurl.multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
        (void)libcurl.multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
        (void)libcurl.multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, want_timer);
        (void)libcurl.multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
        *out = curl;
        return 0;
}

void curl_loop_free(struct curl_loop *curl)
{
        if (!curl)
                return;
        (void)libcurl.multi_cleanup(curl->multi);
        ev_timer_stop(curl->loop, &curl->timer);
        free(curl);
}

int curl_loop_add(struct curl_loop *curl, CURL *easy)
{
        return libcurl.multi_add_handle(curl->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void curl_loop_remove(struct curl_loop *curl, CURL *easy)
{
        (void)libcurl.multi_remove_handle(curl->multi, easy);
}
