/* HTTP requests to one server, many at once, on one libcurl multi handle that the event loop drives.
 * HTTP/2 where TLS offers it, so that lists and watches share a connection. No redirects, no cookies.
 *
 * Credentials belong to the client. Files of them are read when they are used and again when they change;
 * a token never appears in a log or an error.
 */
#pragma once

#include "base/error.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All texts are copied; NULL: none. */
struct http_credentials {
        const char *token_file;       /* sent as a bearer token; the first line counts */
        const char *ca_file;          /* NULL: the system's authorities */
        const char *certificate_file; /* of the client, PEM */
        const char *key_file;
};

enum http_method {
        HTTP_GET,
        HTTP_POST,
        HTTP_PUT,
        HTTP_PATCH,
        HTTP_DELETE,
};

struct http_result {
        int status;             /* of the answer; 0: none came */
        bool complete;          /* the answer came to its proper end */
        bool timed_out;         /* one of the request's limits was reached */
        int64_t retry_after_ms; /* -1: the server did not say */
        const char *body;       /* the answer of a status outside 200-299, NUL-terminated, cut at 16 KiB;
                                   borrowed during the call */
        struct error error;     /* what = "" if complete; else what broke, in words */
};

/* A piece of the body of an answer of status 200-299, as it arrives. Returns 0, or a negative errno to end
 * the request: `done` follows with complete = false. Must neither start nor cancel requests. */
typedef int http_data_fn(void *userdata, const char *data, size_t length);

/* The request is over and its handle gone. May start and cancel requests. */
typedef void http_done_fn(void *userdata, const struct http_result *result);

/* What to ask. Everything is copied but userdata. */
struct http_request {
        enum http_method method;
        const char *url;
        const char *accept; /* NULL: application/json */
        const char *body;   /* NULL: none. A request with a body is sent once */
        size_t body_length;
        const char *content_type; /* of the body */
        unsigned int connect_s;   /* time to connect, TLS included; 0: 10 */
        unsigned int idle_s;      /* the answer may be silent for so long; 0: 30 */
        unsigned int total_s;     /* 0: no limit */
        size_t max_length;        /* bytes of the answer; 0: no limit (a stream) */
        http_data_fn *data;       /* NULL: the body is of no interest */
        http_done_fn *done;
        void *userdata;
};

struct http_client;
struct http_transfer;

/* Loads libcurl (io/libcurl.h), so before any thread. `loop` must outlive the client. The process must ignore
 * SIGPIPE: a server that hangs up would end it.
 * Returns 0 and *out; or -ENOMEM, or -ENOENT without libcurl, with *error set. */
int http_client_new(struct ev_loop *loop, const struct http_credentials *credentials,
                    struct http_client **out, struct error *error);

/* Cancels what still runs, without calling `done`. Not from within a callback. NULL is fine. */
void http_client_free(struct http_client *client);

/* Starts a request. Returns 0 and *out, valid until `done` is called or http_transfer_cancel; or a negative
 * errno with *error set, e.g. the token file cannot be read; `done` is not called then, nor ever before this
 * returns. */
int http_client_start(struct http_client *client, const struct http_request *request,
                      struct http_transfer **out, struct error *error);

/* Ends a request without calling `done`. NULL is fine. */
void http_transfer_cancel(struct http_transfer *transfer);

/* How many requests are over, by the HTTP status of their answer; 0: none came. HTTP_CODES counters,
 * borrowed. */
#define HTTP_CODES 600
const uint64_t *http_client_answers(const struct http_client *client);

/* After a 401: the next request reads the token file again, changed or not. */
void http_client_forget_token(struct http_client *client);
