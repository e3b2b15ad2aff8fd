/* One keepalived, owned: its configuration is validated before it may have it, it is restarted when it dies,
 * and what it says on its notify FIFO is passed on. Runs with checkers only (-C), in our network namespace.
 *
 * A new configuration goes keepalived_validate → `validated` → keepalived_apply. keepalived -t accepts a
 * missing or empty file and SIGHUP drops every virtual server on such a one, so that the text must end with
 * its end marker before anything is run.
 */
#pragma once

#include "base/error.h"
#include "core/notify_line.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keepalived;

struct keepalived_listener {
        void *userdata;

        /* The outcome of keepalived_validate. `report` is what keepalived printed. */
        void (*validated)(void *userdata, bool accepted, const char *report);

        /* It has been started, or is gone (and will be started again unless keepalived_stop was called). */
        void (*running)(void *userdata, bool up);

        /* A server went up or down, as keepalived sees it: a reason to look at the kernel's table. */
        void (*notified)(void *userdata, const struct notify_line *line);
};

/* Makes RUN_DIR's FIFO. `program` is searched in PATH; both texts are copied. Returns 0 and *out, to be freed
 * with keepalived_free; or a negative errno with *error set. */
int keepalived_new(struct ev_loop *loop, const char *program, const char *run_dir,
                   const struct keepalived_listener *listener, struct keepalived **out, struct error *error);

/* The FIFO's path, for the configuration. */
const char *keepalived_fifo_path(const struct keepalived *keepalived);

/* Writes the text beside the configuration and starts `keepalived -t` on it. One at a time. Returns 0 when it
 * is on its way; or a negative errno with *error set, when nothing will be called. */
int keepalived_validate(struct keepalived *keepalived, const char *text, size_t length, struct error *error);

/* Makes the validated text the configuration, and has keepalived read it (or starts it). 0 or a negative
 * errno with *error set: it then keeps what it had. */
int keepalived_apply(struct keepalived *keepalived, struct error *error);

/* Has it read its configuration once more. */
void keepalived_reload(struct keepalived *keepalived);

/* Kills it (its kernel table stays until the next one flushes it) and starts it anew. */
void keepalived_restart(struct keepalived *keepalived);

/* Counters since our start, for metrics. */
struct keepalived_stats {
        uint64_t starts;
        uint64_t reloads; /* SIGHUPs sent to one that ran */
};
struct keepalived_stats keepalived_stats(const struct keepalived *keepalived);

bool keepalived_is_up(const struct keepalived *keepalived);

/* SIGTERM; SIGKILL after 3 s. Its table stays in the kernel. `running(false)` is called when it is gone.
 * Returns false if there was nothing to stop. */
bool keepalived_stop(struct keepalived *keepalived);

/* NULL is fine. */
void keepalived_free(struct keepalived *keepalived);
