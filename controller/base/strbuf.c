#include "base/strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct strbuf *buf, size_t more)
{
        size_t need, capacity = buf->capacity ? buf->capacity : 64;
        char *text;

        if (more > SIZE_MAX / 2 - buf->length)
                return -ENOMEM;
        need = buf->length + more + 1;
        if (need <= buf->capacity)
                return 0;
        while (capacity < need)
                capacity *= 2;
        text = realloc(buf->text, capacity);
        if (!text)
                return -ENOMEM;
        buf->text = text;
        buf->capacity = capacity;
        return 0;
}

int strbuf_append(struct strbuf *buf, const char *data, size_t length)
{
        int r = reserve(buf, length);

        if (r < 0)
                return r;
        if (length)
                memcpy(buf->text + buf->length, data, length);
        buf->length += length;
        buf->text[buf->length] = '\0';
        return 0;
}

int strbuf_puts(struct strbuf *buf, const char *text)
{
        return strbuf_append(buf, text, strlen(text));
}

int strbuf_printf(struct strbuf *buf, const char *format, ...)
{
        va_list args;
        int length, r;

        va_start(args, format);
        length = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (length < 0)
                return -ENOMEM;
        r = reserve(buf, (size_t)length);
        if (r < 0)
                return r;
        va_start(args, format);
        (void)vsnprintf(buf->text + buf->length, (size_t)length + 1, format, args);
        va_end(args);
        buf->length += (size_t)length;
        return 0;
}

void strbuf_reset(struct strbuf *buf)
{
        buf->length = 0;
        if (buf->text)
                buf->text[0] = '\0';
}

void strbuf_consume(struct strbuf *buf, size_t count)
{
        if (count >= buf->length) {
                strbuf_reset(buf);
                return;
        }
        memmove(buf->text, buf->text + count, buf->length - count + 1);
        buf->length -= count;
}

void strbuf_clear(struct strbuf *buf)
{
        free(buf->text);
        *buf = (struct strbuf){0};
}
