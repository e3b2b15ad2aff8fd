/* Writes addresses into Services' statuses, while this pod leads.
 *
 * What may be written is decided on a list of Services that is no older than the leadership, and then on what
 * our own writes left. After a write whose outcome is not known nothing is decided before another list. So
 * two Services never get one address, whatever the order in which answers and watch events come.
 *
 * One that fails is tried again when its Service has changed, or after a while, and holds up no other.
 */
#pragma once

#include "core/plan.h"
#include "io/elector.h"
#include "io/http_client.h"

#include <jansson.h>

struct assigner;

struct assigner_listener {
        void *userdata;
        void (*want_list)(void *userdata);                      /* a fresh list of Services is needed */
        void (*written)(void *userdata, const json_t *service); /* the Service as it is now */
        void (*finished)(void *userdata);                       /* plan anew */
};

/* `client` and `server` are borrowed. NULL if out of memory. */
struct assigner *assigner_new(struct ev_loop *loop, struct http_client *client, const char *server,
                              const struct assigner_listener *listener);

/* Leading has begun or ended. When it ends, what is queued is dropped at once. `elector` (borrowed) is asked
 * before each write. */
void assigner_lead(struct assigner *assigner, const struct elector *elector, bool leading);

/* A complete list of Services has come. */
void assigner_listed(struct assigner *assigner);

/* Takes the plan's assignments and writes them, if it may and is not busy; else they are dropped: the next
 * plan says them again. */
void assigner_write(struct assigner *assigner, struct plan *plan);

/* NULL is fine. */
void assigner_free(struct assigner *assigner);
