/* Follows a Lease and tells whether we lead: core/leader's decisions, with requests and timers. */
#pragma once

#include "base/error.h"
#include "io/http_client.h"

#include <ev.h>
#include <stdbool.h>

struct elector;

/* Leading has begun or ended. */
typedef void elector_fn(void *userdata, bool leading);

/* Texts are copied: the API's server, where the Lease lives, and who we are (the pod's name). `client` and
 * `loop` must outlive it. Returns 0 and *out, or -ENOMEM with *error set. */
int elector_new(struct ev_loop *loop, struct http_client *client, const char *server, const char *namespace,
                const char *name, const char *identity, elector_fn *changed, void *userdata,
                struct elector **out, struct error *error);

/* Begins to run for leader, the first time; nothing after elector_resign. */
void elector_start(struct elector *elector);

/* Whether a write may be made at this moment. */
bool elector_is_leading(const struct elector *elector);

/* Gives the Lease back, if it is ours, so that a successor need not wait for its end; leads no longer from
 * now on, and does not try again. */
void elector_resign(struct elector *elector);

/* NULL is fine. */
void elector_free(struct elector *elector);
