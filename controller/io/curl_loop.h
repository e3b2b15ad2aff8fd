/* libcurl's multi interface on libev: sockets and timeouts only, no HTTP. */
#pragma once

#include "base/error.h"

#include <curl/curl.h>
#include <ev.h>

struct curl_loop;

/* A transfer has ended. Called outside of libcurl's callbacks: any curl_loop function but curl_loop_free may
 * be called, the handle must be removed. */
typedef void curl_loop_done_fn(CURL *easy, CURLcode code);

/* `loop` must outlive it. Returns 0 and *out, or -ENOMEM with *error set. */
int curl_loop_new(struct ev_loop *loop, curl_loop_done_fn *done, struct curl_loop **out, struct error *error);

/* All handles must have been removed. Closes the connections. NULL is fine. */
void curl_loop_free(struct curl_loop *curl);

/* Starts a transfer; nothing happens before the loop runs. Returns 0 or -ENOMEM. */
int curl_loop_add(struct curl_loop *curl, CURL *easy);

/* Ends a transfer, done or not, without calling anything. */
void curl_loop_remove(struct curl_loop *curl, CURL *easy);
