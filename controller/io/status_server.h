/* Answers `coracle status`: whoever connects to the unix socket gets one JSON document and the end of file.
 */
#pragma once

#include "base/error.h"

#include <ev.h>
#include <jansson.h>

struct status_server;

/* A new object that describes what is; NULL if out of memory. */
typedef json_t *status_server_fn(void *userdata);

/* Listens on `path` (mode 0600); what an earlier process left there is replaced. Returns 0 and *out, to be
 * freed with status_server_free; or a negative errno with *error set. */
int status_server_new(struct ev_loop *loop, const char *path, status_server_fn *describe, void *userdata,
                      struct status_server **out, struct error *error);

/* Removes the socket. NULL is fine. */
void status_server_free(struct status_server *server);

/* The asking side, blocking: 0 and *out, a new object; or a negative errno with *error set. */
int status_query(const char *path, json_t **out, struct error *error);
