#include "core/exabgp_reply.h"

#include <stdbool.h>
#include <string.h>

enum {
        MAX_WORDS = 7,
        MAX_WORD = 64, /* no word that we look at is longer */
};

/* The first words of the line; longer words are cut, which makes them match nothing. */
struct words {
        char text[MAX_WORDS][MAX_WORD];
        size_t count;
};

static void split(const char *line, size_t length, struct words *words)
{
        size_t i = 0;

        words->count = 0;
        while (words->count < MAX_WORDS) {
                char *word = words->text[words->count];
                size_t n = 0;

                while (i < length && (line[i] == ' ' || line[i] == '\r'))
                        i++;
                if (i == length)
                        return;
                for (; i < length && line[i] != ' ' && line[i] != '\r'; i++)
                        if (n < MAX_WORD - 1)
                                word[n++] = line[i];
                word[n] = '\0';
                words->count++;
        }
}

static bool is(const struct words *words, size_t i, const char *text)
{
        return i < words->count && strcmp(words->text[i], text) == 0;
}

static enum exabgp_reply_type parse_neighbor(const struct words *words, struct exabgp_reply *out)
{
        if (words->count < 3 || addr_parse(words->text[1], &out->neighbor) < 0)
                return EXABGP_REPLY_OTHER;
        if (is(words, 2, "up"))
                return EXABGP_REPLY_NEIGHBOR_UP;
        if (is(words, 2, "connected"))
                return EXABGP_REPLY_NEIGHBOR_CONNECTED;
        if (is(words, 2, "down"))
                return EXABGP_REPLY_NEIGHBOR_DOWN;
        if (words->count < 5 || !is(words, 3, "unicast") || prefix_parse(words->text[4], &out->prefix) < 0)
                return EXABGP_REPLY_OTHER;
        if (is(words, 5, "next-hop") && words->count > 6)
                (void)addr_parse(words->text[6], &out->next_hop);
        return EXABGP_REPLY_ROUTE;
}

void exabgp_reply_parse(const char *line, size_t length, struct exabgp_reply *out)
{
        struct words words;

        *out = (struct exabgp_reply){.type = EXABGP_REPLY_OTHER};
        split(line, length, &words);
        if (is(&words, 0, "done") && words.count == 1)
                out->type = EXABGP_REPLY_DONE;
        else if (is(&words, 0, "error") && words.count == 1)
                out->type = EXABGP_REPLY_ERROR;
        else if (is(&words, 0, "shutdown"))
                out->type = EXABGP_REPLY_SHUTDOWN;
        else if (is(&words, 0, "neighbor"))
                out->type = parse_neighbor(&words, out);
        else if (is(&words, 3, "established") && addr_parse(words.text[0], &out->neighbor) == 0)
                out->type = EXABGP_REPLY_NEIGHBOR_UP;
        if (out->type == EXABGP_REPLY_OTHER)
                *out = (struct exabgp_reply){.type = EXABGP_REPLY_OTHER};
}
