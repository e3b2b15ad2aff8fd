#include "io/status_server.h"

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "base/unix_socket.h"
#include "io/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_S 5.0
#define CLIENTS_MAX 8 /* a person or a probe each; who comes beyond waits in the backlog */

struct status_server {
        struct ev_loop *loop;
        status_server_fn *describe;
        void *userdata;
        char *path;
        struct acceptor acceptor;
        struct client *clients;
        unsigned int n_clients;
};

struct client {
        struct status_server *server;
        struct client *next;
        int fd;
        ev_io writable;
        ev_timer timeout;
        char *text;
        size_t length, sent;
};

static void client_free(struct client *client)
{
        struct status_server *server = client->server;
        struct client **at = &server->clients;

        while (*at != client)
                at = &(*at)->next;
        *at = client->next;
        if (server->n_clients-- == CLIENTS_MAX)
                acceptor_resume(&server->acceptor);
        ev_io_stop(server->loop, &client->writable);
        ev_timer_stop(server->loop, &client->timeout);
        (void)close(client->fd);
        free(client->text);
        free(client);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct client *client = container_of(watcher, struct client, writable);
        ssize_t n =
            send(client->fd, client->text + client->sent, client->length - client->sent, MSG_NOSIGNAL);

        (void)loop;
        (void)revents;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0)
                client->sent += (size_t)n;
        if (n < 0 || client->sent == client->length)
                client_free(client);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        client_free(container_of(watcher, struct client, timeout));
}

static void on_accepted(struct acceptor *acceptor, int fd)
{
        struct status_server *server = container_of(acceptor, struct status_server, acceptor);
        _cleanup_json_ json_t *answer = server->describe(server->userdata);
        _cleanup_free_ char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
        struct client *client = text ? calloc(1, sizeof(*client)) : NULL;

        if (!client) {
                (void)close(fd);
                return;
        }
        *client =
            (struct client){.server = server, .next = server->clients, .fd = fd, .length = strlen(text)};
        client->text = TAKE_PTR(text);
        server->clients = client;
        if (++server->n_clients == CLIENTS_MAX)
                acceptor_hold(&server->acceptor);
        ev_io_init(&client->writable, on_writable, fd, EV_WRITE);
        ev_timer_init(&client->timeout, on_timeout, ANSWER_TIMEOUT_S, 0.0);
        ev_io_start(server->loop, &client->writable);
        ev_timer_start(server->loop, &client->timeout);
}

int status_server_new(struct ev_loop *loop, const char *path, status_server_fn *describe, void *userdata,
                      struct status_server **out, struct error *error)
{
        struct status_server *server = calloc(1, sizeof(*server));
        int fd;

        if (!server)
                return error_oom(error);
        *server = (struct status_server){
            .loop = loop, .describe = describe, .userdata = userdata, .path = strdup(path)};
        fd = server->path ? unix_socket_listen(path, 0600, error) : error_oom(error);
        if (fd < 0) {
                free(server->path);
                free(server);
                return fd;
        }
        acceptor_start(&server->acceptor, loop, fd, on_accepted);
        *out = server;
        return 0;
}

void status_server_free(struct status_server *server)
{
        if (!server)
                return;
        while (server->clients)
                client_free(server->clients);
        acceptor_end(&server->acceptor);
        (void)unlink(server->path);
        free(server->path);
        free(server);
}

int status_query(const char *path, json_t **out, struct error *error)
{
        const struct timeval timeout = {.tv_sec = (time_t)ANSWER_TIMEOUT_S};
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_close_ int fd = -1;
        json_error_t json_error;
        char chunk[16384];
        ssize_t n;

        fd = unix_socket_connect(path, error);
        if (fd < 0)
                return fd;
        if (fcntl(fd, F_SETFL, 0) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
                return error_set(error, path, "%s", strerror(errno));
        while ((n = read(fd, chunk, sizeof(chunk))) > 0)
                if (strbuf_append(&text, chunk, (size_t)n) < 0)
                        return error_oom(error);
        if (n < 0 || !text.length)
                return error_set(error, path, "the daemon does not answer");
        *out = json_loadb(text.text, text.length, 0, &json_error);
        return *out ? 0 : error_set(error, path, "the answer is not understood: %s", json_error.text);
}
