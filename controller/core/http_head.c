#include "core/http_head.h"

#include <stdbool.h>
#include <string.h>

/* RFC 9110 section 5.6.2 */
static bool is_token_character(char c)
{
        return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
               (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The head's end, after its empty line; NULL while there is none. */
static const char *find_end(const char *data, size_t length)
{
        const char *end = memmem(data, length, "\r\n\r\n", 4);

        return end ? end + 4 : NULL;
}

static bool has_control_bytes(const char *data, const char *end)
{
        for (const char *c = data; c < end; c++)
                if ((*c >= 0 && *c < 32 && *c != '\r' && *c != '\n' && *c != '\t') || *c == 127)
                        return true;
        return false;
}

/* Field lines: a name, a colon, anything. Folded lines are obsolete, and refused. */
static bool are_fields(const char *line, const char *end)
{
        while (end - line > 2) {
                const char *eol = memmem(line, (size_t)(end - line), "\r\n", 2);
                const char *c = line;

                while (c < eol && is_token_character(*c))
                        c++;
                if (c == line || c == eol || *c != ':')
                        return false;
                if (memchr(c, '\r', (size_t)(eol - c)) || memchr(c, '\n', (size_t)(eol - c)))
                        return false;
                line = eol + 2;
        }
        return true;
}

/* METHOD SP TARGET SP HTTP/1.x: returns the status. */
static int parse_request_line(const char *line, const char *eol, struct http_head *out)
{
        const char *method_end = memchr(line, ' ', (size_t)(eol - line));
        const char *target = method_end ? method_end + 1 : eol;
        const char *target_end = memchr(target, ' ', (size_t)(eol - target));
        const char *query;

        if (!method_end || method_end == line || !target_end || target_end == target ||
            eol - target_end != 9 || memcmp(target_end + 1, "HTTP/", 5) != 0)
                return 400;
        for (const char *c = line; c < method_end; c++)
                if (!is_token_character(*c))
                        return 400;
        for (const char *c = target; c < target_end; c++)
                if (*c <= 32 || *c == 127) /* with char signed or not: no bytes beyond ASCII */
                        return 400;
        if (memcmp(target_end + 6, "1.1", 3) != 0 && memcmp(target_end + 6, "1.0", 3) != 0)
                return 505;
        if (method_end - line != 3 || memcmp(line, "GET", 3) != 0)
                return 405;
        if (*target != '/')
                return 400;
        query = memchr(target, '?', (size_t)(target_end - target));
        out->path = target;
        out->path_length = (size_t)((query ? query : target_end) - target);
        return 200;
}

int http_head_parse(const char *data, size_t length, struct http_head *out)
{
        struct http_head head = {0};
        const char *end = find_end(data, length), *eol;

        if (end ? end - data > HTTP_HEAD_MAX : length >= HTTP_HEAD_MAX) {
                *out = (struct http_head){.status = 431};
                return 1;
        }
        /* Who speaks another protocol is told before he falls silent. */
        if (!end && !(length && !is_token_character(*data)))
                return 0;
        if (!end || has_control_bytes(data, end)) {
                *out = (struct http_head){.status = 400};
                return 1;
        }
        eol = memmem(data, length, "\r\n", 2);
        head.status = parse_request_line(data, eol, &head);
        if (head.status == 200 && !are_fields(eol + 2, end))
                head.status = 400;
        if (head.status != 200)
                head = (struct http_head){.status = head.status};
        *out = head;
        return 1;
}
