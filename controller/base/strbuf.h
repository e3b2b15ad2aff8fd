/* A text that grows. Zero-initialised is empty; strbuf_clear frees. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

struct strbuf {
        char *text; /* NUL-terminated once anything was appended, else NULL */
        size_t length;
        size_t capacity;
};

/* All return 0 or -ENOMEM; on failure the text is as before. */
int strbuf_append(struct strbuf *buf, const char *data, size_t length);
int strbuf_puts(struct strbuf *buf, const char *text);
int strbuf_printf(struct strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps the memory, forgets the text. */
void strbuf_reset(struct strbuf *buf);

/* Removes `count` bytes (at most the length) from the front. */
void strbuf_consume(struct strbuf *buf, size_t count);

/* Frees the text and makes *buf empty. */
void strbuf_clear(struct strbuf *buf);

static inline void strbuf_clear_p(struct strbuf *buf)
{
        strbuf_clear(buf);
}

#define _cleanup_strbuf_ _cleanup_(strbuf_clear_p)
