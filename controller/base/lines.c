#include "base/lines.h"

#include <errno.h>
#include <string.h>

int lines_feed(struct lines *lines, const char *data, size_t length)
{
        if (lines->next)
                strbuf_consume(&lines->buf, lines->next);
        lines->next = 0;
        /* The rest that lines_next left has no newline: only then is it a line that grew too long. */
        if (lines->buf.length > lines->max)
                return -EMSGSIZE;
        return strbuf_append(&lines->buf, data, length);
}

bool lines_next(struct lines *lines, const char **line, size_t *length)
{
        size_t from = lines->next + lines->scanned;
        const char *start, *newline;

        if (from >= lines->buf.length)
                return false;
        start = lines->buf.text + lines->next;
        newline = memchr(start + lines->scanned, '\n', lines->buf.length - from);
        if (!newline) {
                lines->scanned = lines->buf.length - lines->next;
                return false;
        }
        *line = start;
        *length = (size_t)(newline - start);
        lines->next += *length + 1;
        lines->scanned = 0;
        return true;
}

void lines_clear(struct lines *lines)
{
        strbuf_clear(&lines->buf);
        lines->next = lines->scanned = 0;
}
