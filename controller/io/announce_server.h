/* coracle's side of the announce socket (core/announce_set.h says what travels on it).
 *
 * Listens on a unix stream socket. Whoever connects is sent the current set at once, again when it changes,
 * and every ANNOUNCE_HEARTBEAT_MS. One announcer is expected. Of several all are served, because refusing one
 * could refuse the one that matters, and the newest one's report counts. More than four: the oldest goes.
 *
 * Never blocks. An announcer that has not taken a message for ANNOUNCE_SILENCE_MS, or sends what is no
 * report, is disconnected; it comes back by itself.
 */
#pragma once

#include "base/error.h"
#include "core/announce_set.h"

#include <ev.h>

struct announce_server;

/* Listens on `path` in `loop`; a socket that an earlier process left there is replaced. Until the first
 * announce_server_set nothing is sent: what is wanted is not known yet. Returns 0 and *out, to be freed with
 * announce_server_free; or a negative errno with *error set. */
int announce_server_new(struct ev_loop *loop, const char *path, struct announce_server **out,
                        struct error *error);

/* What should be announced from now on. Copied. Returns 0 or -ENOMEM; the set is then as before. */
int announce_server_set(struct announce_server *server, const struct announce_set *set);

/* The newest announcer's last report, or NULL. Borrowed until control returns to the loop. */
const struct announce_report *announce_server_report(const struct announce_server *server);

/* Closes all, removes the socket. NULL is fine. */
void announce_server_free(struct announce_server *server);
DEFINE_CLEANUP(struct announce_server *, announce_server_free)
#define _cleanup_announce_server_ _cleanup_(announce_server_free_p)
