/* A few GETs for probes and scrapers: one address and port, one answer per connection, no threads.
 *
 * Our own, in the manner of status_server, because what is packaged is bigger than the need: libmicrohttpd
 * would fit into the loop, but brings a second TLS library (GnuTLS) into a process that may change the
 * kernel's tables, to answer three paths without TLS. The request's head is core/http_head's; bodies are not
 * read.
 *
 * Never blocks. At most HTTP_SERVER_CLIENTS are served at once; whoever comes beyond takes the place of the
 * oldest, so that connections which say nothing cannot keep the kubelet's probes out.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <ev.h>

#define HTTP_SERVER_CLIENTS 16
#define HTTP_SERVER_TIMEOUT_MS 5000 /* for the whole of a connection */

struct http_answer {
        int status;               /* 200, 404, 500 or 503; preset to 404 */
        const char *content_type; /* static; preset to plain text */
        struct strbuf body;       /* the server frees it */
};

/* Fills in the answer to GET `path` (without its query). Called from the loop. */
typedef void http_server_fn(void *userdata, const char *path, struct http_answer *answer);

struct http_server;

/* Listens on `address`, "IP:PORT"; an IPv6 address may stand in brackets or not, for the port is what follows
 * the last colon. Returns 0 and *out, to be freed with http_server_free; or a negative errno with *error set,
 * -EINVAL if it is no such address. */
int http_server_new(struct ev_loop *loop, const char *address, http_server_fn *answer, void *userdata,
                    struct http_server **out, struct error *error);

/* The port: of use when 0 was asked for. */
unsigned int http_server_port(const struct http_server *server);

/* Cuts what is under way. NULL is fine. */
void http_server_free(struct http_server *server);
