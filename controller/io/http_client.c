#include "io/http_client.h"

#include "base/strbuf.h"
#include "io/bearer_token.h"
#include "io/curl_loop.h"
#include "io/libcurl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define ERROR_BODY_MAX 16384 /* bytes; a Status is a few hundred */
#define CONNECT_DEFAULT_S 10
#define IDLE_DEFAULT_S 30

struct http_client {
        struct ev_loop *loop;
        struct curl_loop *curl;
        struct bearer_token token;
        char *ca_file, *certificate_file, *key_file;
        bool fresh_connection; /* the last one may be dead without saying so */
        struct http_transfer *transfers;
        uint64_t answers[HTTP_CODES];
};

struct http_transfer {
        struct http_client *client;
        struct http_transfer *previous, *next;
        CURL *easy;
        struct curl_slist *headers;
        char curl_error[CURL_ERROR_SIZE];
        ev_timer idle;
        unsigned int idle_s;
        struct strbuf body; /* of the request, and what of it has been sent */
        size_t sent;
        size_t max_length, length; /* bytes of the answer */
        struct strbuf error_body;
        bool error_body_cut;
        bool too_long;
        http_data_fn *data;
        http_done_fn *done;
        void *userdata;
};

/* ---- the transfer's life ---- */

static void transfer_free(struct http_transfer *transfer)
{
        struct http_client *client = transfer->client;

        if (transfer->previous)
                transfer->previous->next = transfer->next;
        else if (client->transfers == transfer)
                client->transfers = transfer->next;
        if (transfer->next)
                transfer->next->previous = transfer->previous;
        ev_timer_stop(client->loop, &transfer->idle);
        libcurl.easy_cleanup(transfer->easy);
        libcurl.slist_free_all(transfer->headers);
        strbuf_clear(&transfer->body);
        strbuf_clear(&transfer->error_body);
        free(transfer);
}

static int status_of(const struct http_transfer *transfer)
{
        long status = 0;

        (void)libcurl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        return (int)status;
}

static bool is_success(int status)
{
        return status >= 200 && status <= 299;
}

static int64_t retry_after_of(const struct http_transfer *transfer)
{
        curl_off_t seconds = 0;

        (void)libcurl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds);
        if (seconds <= 0)
                return -1;
        return seconds < INT64_MAX / 1000 ? seconds * 1000 : INT64_MAX;
}

/* Ends the transfer and says so. `what` is NULL when the answer is complete. */
static void finish(struct http_transfer *transfer, const char *what, bool timed_out)
{
        struct http_result result = {
            .status = status_of(transfer),
            .complete = !what,
            .timed_out = timed_out,
            .retry_after_ms = retry_after_of(transfer),
            .body = transfer->error_body.text ? transfer->error_body.text : "",
        };

        if (what)
                (void)error_set(&result.error, NULL, "%s", what);
        transfer->client->answers[result.status > 0 && result.status < HTTP_CODES ? result.status : 0]++;
        curl_loop_remove(transfer->client->curl, transfer->easy);
        ev_timer_stop(transfer->client->loop, &transfer->idle);
        transfer->done(transfer->userdata, &result);
        transfer_free(transfer);
}

/* Silence may be the first sign of a dead connection, and another request on it would be met with silence as
 * well. */
static void give_up(struct http_transfer *transfer, const char *what)
{
        transfer->client->fresh_connection = true;
        finish(transfer, what, true);
}

static void on_done(CURL *easy, CURLcode code)
{
        struct http_transfer *transfer = NULL;
        char *private = NULL;

        (void)libcurl.easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        transfer = (struct http_transfer *)(void *)private;
        if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer->error_body_cut))
                finish(transfer, NULL, false);
        else if (code == CURLE_OPERATION_TIMEDOUT)
                give_up(transfer, "timed out");
        else if (transfer->too_long)
                finish(transfer, "the answer is too long", false);
        else
                finish(transfer, transfer->curl_error[0] ? transfer->curl_error : libcurl.easy_strerror(code),
                       false);
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)loop;
        (void)revents;
        give_up(container_of(timer, struct http_transfer, idle), "silent for too long");
}

/* The server has spoken, so connecting is over. */
static void note_progress(struct http_transfer *transfer)
{
        transfer->idle.repeat = transfer->idle_s;
        ev_timer_again(transfer->client->loop, &transfer->idle);
}

static size_t on_header(const char *data, size_t size, size_t count, void *userdata)
{
        (void)data;
        note_progress(userdata);
        return size * count;
}

static size_t on_body(const char *data, size_t size, size_t count, void *userdata)
{
        struct http_transfer *transfer = userdata;
        size_t length = size * count, room;

        note_progress(transfer);
        if (!is_success(status_of(transfer))) {
                room = ERROR_BODY_MAX - transfer->error_body.length;
                transfer->error_body_cut = length > room;
                (void)strbuf_append(&transfer->error_body, data, length < room ? length : room);
                return transfer->error_body_cut ? 0 : length;
        }
        if (transfer->max_length && length > transfer->max_length - transfer->length) {
                transfer->too_long = true;
                return 0;
        }
        transfer->length += length;
        if (transfer->data && transfer->data(transfer->userdata, data, length) < 0)
                return 0;
        return length;
}

/* ---- the request's options ---- */

/* libcurl would let its sockets slip into children. And a peer that has vanished is to be noticed within
 * half a minute, though nothing is sent on a watch. */
static curl_socket_t open_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
        static const struct {
                int level, name, value;
        } options[] = {
            {SOL_SOCKET, SO_KEEPALIVE, 1},          {IPPROTO_TCP, TCP_KEEPIDLE, 15},
            {IPPROTO_TCP, TCP_KEEPINTVL, 5},        {IPPROTO_TCP, TCP_KEEPCNT, 3},
            {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000},
        };
        int fd;

        (void)userdata;
        (void)purpose;
        fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        if (fd < 0)
                return CURL_SOCKET_BAD;
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
                (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                                 sizeof(options[i].value));
        return fd;
}

static int add_header(struct http_transfer *transfer, const char *name, const char *value)
{
        _cleanup_strbuf_ struct strbuf line = {0};
        struct curl_slist *headers;

        if (strbuf_printf(&line, "%s: %s", name, value) < 0)
                return -ENOMEM;
        headers = libcurl.slist_append(transfer->headers, line.text);
        explicit_bzero(line.text, line.length); /* it may be the token */
        if (!headers)
                return -ENOMEM;
        transfer->headers = headers;
        return 0;
}

static int set_headers(struct http_transfer *transfer, const struct http_request *request,
                       struct error *error)
{
        const char *token = NULL;
        char *value = NULL;
        int r;

        if (transfer->client->token.path) {
                r = bearer_token_get(&transfer->client->token, &token, error);
                if (r < 0)
                        return r;
        }
        if (token && asprintf(&value, "Bearer %s", token) < 0)
                return error_oom(error);
        r = value ? add_header(transfer, "Authorization", value) : 0;
        if (value)
                explicit_bzero(value, strlen(value));
        free(value);
        if (r < 0 ||
            add_header(transfer, "Accept", request->accept ? request->accept : "application/json") < 0 ||
            (request->content_type && add_header(transfer, "Content-Type", request->content_type) < 0))
                return error_oom(error);
        return 0;
}

static size_t on_send(char *buffer, size_t size, size_t count, void *userdata)
{
        struct http_transfer *transfer = userdata;
        size_t left = transfer->body.length - transfer->sent, length = size * count;

        if (length > left)
                length = left;
        memcpy(buffer, transfer->body.text + transfer->sent, length);
        transfer->sent += length;
        return length;
}

/* The first that fails counts; they fail for lack of memory only. */
#define SET(option, value)                                                         \
        do {                                                                       \
                if (code == CURLE_OK)                                              \
                        code = libcurl.easy_setopt(easy, CURLOPT_##option, value); \
        } while (0)

/* A body is sent once. A connection that ends before it has answered libcurl takes for one that was dead
 * before it was asked, and asks again with what it can begin anew; but a write may have been carried out.
 * What comes from a function without its CURLOPT_SEEKFUNCTION cannot begin anew. */
static CURLcode set_body(struct http_transfer *transfer, const struct http_request *request)
{
        CURL *easy = transfer->easy;
        CURLcode code = CURLE_OK;

        if (strbuf_append(&transfer->body, request->body, request->body_length) < 0)
                return CURLE_OUT_OF_MEMORY;
        SET(POST, 1L);
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        SET(READFUNCTION, on_send);
        SET(READDATA, transfer);
        return code;
}

static CURLcode set_method(struct http_transfer *transfer, const struct http_request *request)
{
        static const char *const names[] = {
            [HTTP_GET] = "GET",     [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
            [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
        };
        CURL *easy = transfer->easy;
        CURLcode code = request->body ? set_body(transfer, request) : CURLE_OK;

        if (request->body || request->method != HTTP_GET)
                SET(CUSTOMREQUEST, names[request->method]);
        return code;
}

static int set_options(struct http_transfer *transfer, const struct http_request *request)
{
        const struct http_client *client = transfer->client;
        CURL *easy = transfer->easy;
        CURLcode code = set_method(transfer, request);

        SET(URL, request->url);
        SET(PRIVATE, transfer);
        SET(HTTPHEADER, transfer->headers);
        SET(WRITEFUNCTION, on_body);
        SET(WRITEDATA, transfer);
        SET(HEADERFUNCTION, on_header);
        SET(HEADERDATA, transfer);
        SET(ERRORBUFFER, transfer->curl_error);
        SET(OPENSOCKETFUNCTION, open_socket);
        SET(NOSIGNAL, 1L);
        SET(PROTOCOLS_STR, "http,https");
        SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        SET(PIPEWAIT, 1L); /* rather share a connection that is being made than make two */
        SET(FRESH_CONNECT, client->fresh_connection ? 1L : 0L);
        SET(CONNECTTIMEOUT, (long)(request->connect_s ? request->connect_s : CONNECT_DEFAULT_S));
        SET(TIMEOUT, (long)request->total_s);
        SET(CA_CACHE_TIMEOUT, 0L); /* authorities rotate */
        if (client->ca_file) {
                SET(CAINFO, client->ca_file);
                SET(CAPATH, (char *)NULL); /* Debian's libcurl would trust the system's authorities besides */
        }
        if (client->certificate_file)
                SET(SSLCERT, client->certificate_file);
        if (client->key_file)
                SET(SSLKEY, client->key_file);
        return code == CURLE_OK ? 0 : -ENOMEM;
}

/* ---- the client ---- */

static struct http_transfer *transfer_new(struct http_client *client, const struct http_request *request)
{
        unsigned int connect_s = request->connect_s ? request->connect_s : CONNECT_DEFAULT_S;
        struct http_transfer *transfer = calloc(1, sizeof(*transfer));

        if (!transfer)
                return NULL;
        transfer->client = client;
        transfer->idle_s = request->idle_s ? request->idle_s : IDLE_DEFAULT_S;
        transfer->max_length = request->max_length;
        transfer->data = request->data;
        transfer->done = request->done;
        transfer->userdata = request->userdata;
        ev_timer_init(&transfer->idle, on_idle, 0, transfer->idle_s + connect_s);
        transfer->easy = libcurl.easy_init();
        if (!transfer->easy) {
                free(transfer);
                return NULL;
        }
        return transfer;
}

int http_client_start(struct http_client *client, const struct http_request *request,
                      struct http_transfer **out, struct error *error)
{
        struct http_transfer *transfer = transfer_new(client, request);
        int r;

        if (!transfer)
                return error_oom(error);
        r = set_headers(transfer, request, error);
        if (r == 0 && (set_options(transfer, request) < 0 || curl_loop_add(client->curl, transfer->easy) < 0))
                r = error_oom(error);
        if (r < 0) {
                transfer_free(transfer);
                return r;
        }
        client->fresh_connection = false;
        transfer->next = client->transfers;
        if (transfer->next)
                transfer->next->previous = transfer;
        client->transfers = transfer;
        ev_now_update(client->loop);
        ev_timer_again(client->loop, &transfer->idle);
        *out = transfer;
        return 0;
}

void http_transfer_cancel(struct http_transfer *transfer)
{
        if (!transfer)
                return;
        curl_loop_remove(transfer->client->curl, transfer->easy);
        transfer_free(transfer);
}

static int copy_text(char **out, const char *text)
{
        *out = text ? strdup(text) : NULL;
        return text && !*out ? -ENOMEM : 0;
}

int http_client_new(struct ev_loop *loop, const struct http_credentials *credentials,
                    struct http_client **out, struct error *error)
{
        struct http_client *client = calloc(1, sizeof(*client));

        if (!client)
                return error_oom(error);
        client->loop = loop;
        if (libcurl_load(error) < 0) {
                free(client);
                return -ENOENT;
        }
        if (copy_text(&client->token.path, credentials->token_file) < 0 ||
            copy_text(&client->ca_file, credentials->ca_file) < 0 ||
            copy_text(&client->certificate_file, credentials->certificate_file) < 0 ||
            copy_text(&client->key_file, credentials->key_file) < 0 ||
            curl_loop_new(loop, on_done, &client->curl, error) < 0) {
                http_client_free(client);
                return error_oom(error);
        }
        *out = client;
        return 0;
}

void http_client_free(struct http_client *client)
{
        if (!client)
                return;
        while (client->transfers)
                http_transfer_cancel(client->transfers);
        curl_loop_free(client->curl);
        bearer_token_clear(&client->token);
        free(client->ca_file);
        free(client->certificate_file);
        free(client->key_file);
        free(client);
}

const uint64_t *http_client_answers(const struct http_client *client)
{
        return client->answers;
}

void http_client_forget_token(struct http_client *client)
{
        bearer_token_forget(&client->token);
}
