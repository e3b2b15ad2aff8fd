/* The head of an HTTP/1.x request (RFC 9112), as far as a server of a few GETs wants to know it. */
#pragma once

#include <stddef.h>

#define HTTP_HEAD_MAX 4096 /* bytes of request line and fields; probes and scrapers send a few hundred */

struct http_head {
        int status;         /* 200: answer it; 400, 405, 431 or 505: say so */
        const char *path;   /* of 200: where the path begins, with a slash, percent-encoding as it came … */
        size_t path_length; /* … and its length, without the query */
};

/* Looks at what has come so far. Returns 1 and *out when it is decided (`path` points into `data`), or 0
 * while the head is not complete. */
int http_head_parse(const char *data, size_t length, struct http_head *out);
