#include "io/announce_server.h"

#include "base/clock.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "io/acceptor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MODULE "announce_server"

enum {
        MAX_CLIENTS = 4,
};

struct client {
        struct announce_server *server;
        int fd;
        ev_io readable, writable;
        struct lines in;
        struct strbuf out; /* what the socket has not taken of the last message */
        bool behind;       /* there is a newer message than that */
        int64_t stuck_since_ms;
        bool reported;
        struct announce_report report;
};

struct announce_server {
        struct ev_loop *loop;
        char *path;
        struct acceptor acceptor;
        ev_timer heartbeat;
        struct strbuf message;               /* empty until the first set */
        struct client *clients[MAX_CLIENTS]; /* oldest first */
        size_t n_clients;
};

static void client_free(struct client *client)
{
        ev_io_stop(client->server->loop, &client->readable);
        ev_io_stop(client->server->loop, &client->writable);
        (void)close(client->fd);
        lines_clear(&client->in);
        strbuf_clear(&client->out);
        announce_report_clear(&client->report);
        free(client);
}

static void client_drop(struct client *client)
{
        struct announce_server *server = client->server;
        size_t i = 0;

        while (server->clients[i] != client)
                i++;
        server->n_clients--;
        memmove(&server->clients[i], &server->clients[i + 1], (server->n_clients - i) * sizeof(client));
        client_free(client);
}

/* Writes what the socket takes. Returns 0, or a negative errno if the client is of no use any more. */
static int client_flush(struct client *client)
{
        struct announce_server *server = client->server;

        while (client->out.length) {
                ssize_t n =
                    send(client->fd, client->out.text, client->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        ev_io_start(server->loop, &client->writable);
                        return 0;
                }
                if (n < 0)
                        return -errno;
                client->stuck_since_ms = clock_monotonic_ms();
                strbuf_consume(&client->out, (size_t)n);
                if (client->out.length || !client->behind)
                        continue;
                client->behind = false;
                if (strbuf_append(&client->out, server->message.text, server->message.length) < 0)
                        return -ENOMEM;
        }
        ev_io_stop(server->loop, &client->writable);
        return 0;
}

/* The current message to one client; or later, if it is still busy with the last one. May drop it. */
static void client_send(struct client *client)
{
        struct announce_server *server = client->server;

        if (!server->message.length)
                return;
        if (client->out.length) {
                client->behind = true;
                return;
        }
        client->stuck_since_ms = clock_monotonic_ms();
        if (strbuf_append(&client->out, server->message.text, server->message.length) < 0 ||
            client_flush(client) < 0)
                client_drop(client);
}

static void send_to_all(struct announce_server *server)
{
        for (size_t i = server->n_clients; i > 0; i--) /* backwards: it may drop this one */
                client_send(server->clients[i - 1]);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
        struct client *client = container_of(watcher, struct client, writable);

        (void)loop;
        (void)events;
        if (client_flush(client) < 0)
                client_drop(client);
}

/* Returns 0 or a negative errno with *error set. */
static int client_take_reports(struct client *client, struct error *error)
{
        const char *line;
        size_t length;
        int r;

        while (lines_next(&client->in, &line, &length)) {
                r = announce_report_decode(line, length, &client->report, error);
                if (r < 0)
                        return r;
                client->reported = true;
        }
        return 0;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
        struct client *client = container_of(watcher, struct client, readable);
        struct error error = {0};
        char chunk[16384];
        ssize_t n;
        int r;

        (void)loop;
        (void)events;
        n = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                log_info(MODULE, "announcer has gone", LOG_INT("fd", client->fd));
                client_drop(client);
                return;
        }
        r = lines_feed(&client->in, chunk, (size_t)n);
        if (r < 0)
                (void)error_set(&error, NULL, "%s", strerror(-r));
        else
                r = client_take_reports(client, &error);
        if (r < 0) {
                log_warning(MODULE, "announcer dropped: bad report", LOG_ERROR_FIELDS(&error));
                client_drop(client);
        }
}

static void on_accepted(struct acceptor *acceptor, int fd)
{
        struct announce_server *server = container_of(acceptor, struct announce_server, acceptor);
        struct client *client;

        if (server->n_clients == MAX_CLIENTS) {
                log_warning(MODULE, "too many announcers: the oldest is dropped");
                client_drop(server->clients[0]);
        }
        client = calloc(1, sizeof(*client));
        if (!client) {
                (void)close(fd);
                return;
        }
        client->server = server;
        client->fd = fd;
        client->in.max = ANNOUNCE_MESSAGE_MAX;
        ev_io_init(&client->readable, on_readable, fd, EV_READ);
        ev_io_init(&client->writable, on_writable, fd, EV_WRITE);
        ev_io_start(server->loop, &client->readable);
        server->clients[server->n_clients++] = client;
        log_info(MODULE, "announcer has connected", LOG_INT("fd", fd));
        client_send(client);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *watcher, int events)
{
        struct announce_server *server = container_of(watcher, struct announce_server, heartbeat);

        (void)loop;
        (void)events;
        for (size_t i = server->n_clients; i > 0; i--) {
                struct client *client = server->clients[i - 1];

                /* Perhaps it was we who had no time: what it takes now shows that it reads. */
                if (client_flush(client) < 0) {
                        client_drop(client);
                } else if (client->out.length &&
                           clock_monotonic_ms() - client->stuck_since_ms > ANNOUNCE_SILENCE_MS) {
                        log_warning(MODULE, "announcer dropped: it does not read", LOG_INT("fd", client->fd));
                        client_drop(client);
                }
        }
        send_to_all(server);
}

int announce_server_new(struct ev_loop *loop, const char *path, struct announce_server **out,
                        struct error *error)
{
        struct announce_server *server = calloc(1, sizeof(*server));
        int fd;

        if (!server)
                return error_oom(error);
        server->loop = loop;
        ev_timer_init(&server->heartbeat, on_heartbeat, ANNOUNCE_HEARTBEAT_MS / 1e3,
                      ANNOUNCE_HEARTBEAT_MS / 1e3);
        server->path = strdup(path);
        /* The announcer's container may run as another user; the directory is the pod's own. */
        fd = server->path ? unix_socket_listen(path, 0666, error) : error_oom(error);
        if (fd < 0) {
                free(server->path);
                free(server);
                return fd;
        }
        acceptor_start(&server->acceptor, loop, fd, on_accepted);
        ev_timer_start(loop, &server->heartbeat);
        *out = server;
        return 0;
}

int announce_server_set(struct announce_server *server, const struct announce_set *set)
{
        struct strbuf message = {0};

        if (announce_set_encode(set, &message) < 0)
                return -ENOMEM;
        if (message.length == server->message.length &&
            memcmp(message.text, server->message.text, message.length) == 0) {
                strbuf_clear(&message);
                return 0;
        }
        strbuf_clear(&server->message);
        server->message = message;
        ev_now_update(server->loop); /* what led here may have taken long, which is not the readers' fault */
        ev_timer_again(server->loop, &server->heartbeat);
        send_to_all(server);
        return 0;
}

const struct announce_report *announce_server_report(const struct announce_server *server)
{
        for (size_t i = server->n_clients; i > 0; i--)
                if (server->clients[i - 1]->reported)
                        return &server->clients[i - 1]->report;
        return NULL;
}

void announce_server_free(struct announce_server *server)
{
        if (!server)
                return;
        ev_timer_stop(server->loop, &server->heartbeat);
        for (size_t i = 0; i < server->n_clients; i++)
                client_free(server->clients[i]);
        acceptor_end(&server->acceptor);
        (void)unlink(server->path);
        free(server->path);
        strbuf_clear(&server->message);
        free(server);
}
