#include "io/http_server.h"

#include "base/cleanup.h"
#include "core/addr.h"
#include "core/http_head.h"
#include "io/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

struct client {
        struct http_server *server;
        struct client *next; /* an older one */
        int fd;
        ev_io io;
        ev_timer timeout;
        char head[HTTP_HEAD_MAX];
        size_t received;
        struct strbuf answer;
        size_t sent;
};

struct http_server {
        struct ev_loop *loop;
        http_server_fn *answer;
        void *userdata;
        struct acceptor acceptor;
        struct client *clients; /* the newest first */
        unsigned int n_clients;
};

static void client_free(struct client *client)
{
        struct http_server *server = client->server;
        struct client **at = &server->clients;

        while (*at != client)
                at = &(*at)->next;
        *at = client->next;
        server->n_clients--;
        ev_io_stop(server->loop, &client->io);
        ev_timer_stop(server->loop, &client->timeout);
        (void)close(client->fd);
        strbuf_clear(&client->answer);
        free(client);
}

static const char *reason_phrase(int status)
{
        switch (status) {
        case 200:
                return "OK";
        case 400:
                return "Bad Request";
        case 404:
                return "Not Found";
        case 405:
                return "Method Not Allowed";
        case 431:
                return "Request Header Fields Too Large";
        case 503:
                return "Service Unavailable";
        case 505:
                return "HTTP Version Not Supported";
        default:
                return "Internal Server Error";
        }
}

static int ask(struct http_server *server, const struct http_head *head, struct http_answer *answer)
{
        _cleanup_free_ char *path = NULL;

        if (head->status != 200) {
                answer->status = head->status;
        } else {
                path = strndup(head->path, head->path_length);
                if (!path)
                        return -ENOMEM;
                server->answer(server->userdata, path, answer);
        }
        if (answer->body.length)
                return 0;
        return strbuf_printf(&answer->body, "%s\n", reason_phrase(answer->status));
}

/* Puts the whole answer into client->answer. */
static int make_answer(struct client *client, const struct http_head *head)
{
        struct http_answer answer = {.status = 404, .content_type = "text/plain; charset=utf-8"};
        int r = ask(client->server, head, &answer);

        if (r == 0)
                r = strbuf_printf(&client->answer,
                                  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                                  "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                                  answer.status, reason_phrase(answer.status), answer.content_type,
                                  answer.body.length, answer.status == 405 ? "Allow: GET\r\n" : "");
        if (r == 0)
                r = strbuf_append(&client->answer, answer.body.text, answer.body.length);
        strbuf_clear(&answer.body);
        return r;
}

static void send_some(struct client *client)
{
        ssize_t n = send(client->fd, client->answer.text + client->sent, client->answer.length - client->sent,
                         MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0)
                client->sent += (size_t)n;
        if (n < 0 || client->sent == client->answer.length)
                client_free(client);
}

/* Reads what there is; answers when the head is complete. */
static void receive_some(struct client *client)
{
        struct http_head head;
        ssize_t n =
            recv(client->fd, client->head + client->received, sizeof(client->head) - client->received, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                client_free(client);
                return;
        }
        client->received += (size_t)n;
        if (!http_head_parse(client->head, client->received, &head))
                return;
        if (make_answer(client, &head) < 0) {
                client_free(client);
                return;
        }
        ev_io_stop(client->server->loop, &client->io);
        ev_io_set(&client->io, client->fd, EV_WRITE);
        ev_io_start(client->server->loop, &client->io);
        send_some(client);
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct client *client = container_of(watcher, struct client, io);

        (void)loop;
        (void)revents;
        if (client->answer.length)
                send_some(client);
        else
                receive_some(client);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        client_free(container_of(watcher, struct client, timeout));
}

static void drop_oldest(struct http_server *server)
{
        struct client *oldest = server->clients;

        while (oldest->next)
                oldest = oldest->next;
        client_free(oldest);
}

static void on_accepted(struct acceptor *acceptor, int fd)
{
        struct http_server *server = container_of(acceptor, struct http_server, acceptor);
        struct client *client = calloc(1, sizeof(*client));

        if (!client) {
                (void)close(fd);
                return;
        }
        if (server->n_clients >= HTTP_SERVER_CLIENTS)
                drop_oldest(server);
        client->server = server;
        client->fd = fd;
        client->next = server->clients;
        server->clients = client;
        server->n_clients++;
        ev_io_init(&client->io, on_io, fd, EV_READ);
        ev_timer_init(&client->timeout, on_timeout, HTTP_SERVER_TIMEOUT_MS / 1000.0, 0.0);
        ev_io_start(server->loop, &client->io);
        ev_timer_start(server->loop, &client->timeout);
        receive_some(client); /* the request comes with the connection, as a rule */
}

/* ---- the address ---- */

union socket_address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
};

static int parse_address(const char *text, union socket_address *out, socklen_t *length)
{
        struct addr addr;
        uint16_t port;

        if (addr_parse_port(text, &addr, &port) < 0)
                return -EINVAL;
        port = htons(port);
        *out = (union socket_address){0};
        if (addr.family == AF_INET) {
                out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
                memcpy(&out->v4.sin_addr, addr.bytes, sizeof(out->v4.sin_addr));
                *length = sizeof(out->v4);
        } else {
                out->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
                memcpy(&out->v6.sin6_addr, addr.bytes, sizeof(out->v6.sin6_addr));
                *length = sizeof(out->v6);
        }
        return 0;
}

static int listen_on(const char *text, struct error *error)
{
        _cleanup_close_ int fd = -1;
        union socket_address address;
        socklen_t length;
        int one = 1, saved;

        if (parse_address(text, &address, &length) < 0)
                return error_set(error, text, "the HTTP server's address must be IP:PORT");
        fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(fd, &address.any, length) < 0 || listen(fd, BACKLOG) < 0) {
                saved = errno;
                (void)error_set(error, text, "cannot listen: %s", strerror(saved));
                return saved == EINVAL ? -EIO : -saved;
        }
        return TAKE_FD(fd);
}

int http_server_new(struct ev_loop *loop, const char *address, http_server_fn *answer, void *userdata,
                    struct http_server **out, struct error *error)
{
        int fd = listen_on(address, error);
        struct http_server *server;

        if (fd < 0)
                return fd;
        server = calloc(1, sizeof(*server));
        if (!server) {
                (void)close(fd);
                return error_oom(error);
        }
        *server = (struct http_server){.loop = loop, .answer = answer, .userdata = userdata};
        acceptor_start(&server->acceptor, loop, fd, on_accepted);
        *out = server;
        return 0;
}

unsigned int http_server_port(const struct http_server *server)
{
        union socket_address address = {0};
        socklen_t length = sizeof(address);

        if (getsockname(server->acceptor.fd, &address.any, &length) < 0)
                return 0;
        return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

void http_server_free(struct http_server *server)
{
        if (!server)
                return;
        while (server->clients)
                client_free(server->clients);
        acceptor_end(&server->acceptor);
        free(server);
}
