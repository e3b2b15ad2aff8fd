#include "core/notify_line.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes the next blank-separated word off the line. */
static int take_word(const char **line, char *word, size_t size)
{
        size_t length = strcspn(*line, " ");

        if (length == 0 || length >= size)
                return -EINVAL;
        memcpy(word, *line, length);
        word[length] = '\0';
        *line += length;
        *line += **line == ' ';
        return 0;
}

/* "tcp:80", in any case. */
static int parse_port(const char *text, enum protocol *protocol, uint16_t *port)
{
        for (enum protocol p = PROTOCOL_TCP; p <= PROTOCOL_SCTP; p++) {
                const size_t length = strlen(protocol_name(p));
                unsigned long number;
                char *end;

                if (strncasecmp(text, protocol_name(p), length) != 0 || text[length] != ':' ||
                    !isdigit((unsigned char)text[length + 1]))
                        continue;
                number = strtoul(text + length + 1, &end, 10);
                if (*end || number > UINT16_MAX)
                        return -EINVAL;
                *protocol = p;
                *port = (uint16_t)number;
                return 0;
        }
        return -EINVAL;
}

/* "[172.16.1.1]:tcp:80". What is not of this form keeps its text. */
static int take_end(const char **line, struct notify_end *out)
{
        const char *bracket;
        char address[ADDR_TEXT_SIZE];
        size_t length;
        struct addr addr;

        if (take_word(line, out->text, sizeof(out->text)) < 0 || out->text[0] != '[')
                return -EINVAL;
        bracket = strchr(out->text, ']');
        length = bracket ? (size_t)(bracket - out->text) - 1 : sizeof(address);
        if (length >= sizeof(address) || bracket[1] != ':')
                return 0;
        memcpy(address, out->text + 1, length);
        address[length] = '\0';
        if (addr_parse(address, &addr) == 0 && parse_port(bracket + 2, &out->protocol, &out->port) == 0)
                out->addr = addr;
        return 0;
}

int notify_line_parse(const char *line, struct notify_line *out)
{
        struct notify_line parsed = {0};
        char kind[4], state[8];

        if (take_word(&line, kind, sizeof(kind)) < 0)
                return -EINVAL;
        parsed.real_server = strcmp(kind, "RS") == 0;
        if (!parsed.real_server && strcmp(kind, "VS") != 0)
                return -EINVAL;
        if (parsed.real_server && take_end(&line, &parsed.real) < 0)
                return -EINVAL;
        if (take_end(&line, &parsed.virtual) < 0 || take_word(&line, state, sizeof(state)) < 0 || *line)
                return -EINVAL;
        parsed.up = strcmp(state, "UP") == 0;
        if (!parsed.up && strcmp(state, "DOWN") != 0)
                return -EINVAL;
        *out = parsed;
        return 0;
}
