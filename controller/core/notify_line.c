#include "core/notify_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

int notify_line_parse(const char *line, struct notify_line *out)
{
        struct notify_line parsed = {0};
        char kind[4], state[8];

        if (take_word(&line, kind, sizeof(kind)) < 0)
                return -EINVAL;
        parsed.real_server = strcmp(kind, "RS") == 0;
        if (!parsed.real_server && strcmp(kind, "VS") != 0)
                return -EINVAL;
        if (parsed.real_server && take_word(&line, parsed.real, sizeof(parsed.real)) < 0)
                return -EINVAL;
        if (take_word(&line, parsed.virtual, sizeof(parsed.virtual)) < 0 ||
            take_word(&line, state, sizeof(state)) < 0 || *line)
                return -EINVAL;
        if (parsed.virtual[0] != '[' || (parsed.real_server && parsed.real[0] != '['))
                return -EINVAL;
        parsed.up = strcmp(state, "UP") == 0;
        if (!parsed.up && strcmp(state, "DOWN") != 0)
                return -EINVAL;
        *out = parsed;
        return 0;
}
