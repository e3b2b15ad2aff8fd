/* The reading end of keepalived's lvs_notify_fifo. */
#pragma once

#include "base/error.h"
#include "core/notify_line.h"

#include <ev.h>

struct notify_fifo;

typedef void notify_fifo_fn(void *userdata, const struct notify_line *line);

/* Makes the FIFO, in the place of whatever stands there, and calls `notified` for each line that is one.
 * Returns 0 and *out, to be freed with notify_fifo_free; or a negative errno with *error set. */
int notify_fifo_new(struct ev_loop *loop, const char *path, notify_fifo_fn *notified, void *userdata,
                    struct notify_fifo **out, struct error *error);

/* Removes the FIFO. NULL is fine. */
void notify_fifo_free(struct notify_fifo *fifo);
