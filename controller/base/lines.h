/* Bytes in as they arrive, whole lines out; what is not whole yet waits, up to a limit. */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct lines {
        struct strbuf buf;
        size_t next;    /* where the next line begins */
        size_t scanned; /* bytes known to hold no newline, from `next` on */
        size_t max;     /* bytes that a line may have; set by the owner */
};

/* Appends. Returns 0, -EMSGSIZE if what is left over after the last lines_next is longer than `max`, or
 * -ENOMEM. Take all lines out with lines_next before the next call. */
int lines_feed(struct lines *lines, const char *data, size_t length);

/* Returns whether there is a whole line: *line without its newline, valid until the next lines_feed. */
bool lines_next(struct lines *lines, const char **line, size_t *length);

void lines_clear(struct lines *lines);
