#include "app/marks.h"

#include <stdlib.h>
#include <string.h>

static int compare_to_virtual(const struct mark *mark, const struct virtual_server *vs)
{
        const struct virtual_server key = {
            .vip = mark->key.vip, .protocol = mark->key.protocol, .port = mark->key.port};

        return virtual_server_compare(&key, vs);
}

static int compare(const struct mark *mark, const struct virtual_server *vs, const struct addr *addr,
                   uint16_t port)
{
        int order = compare_to_virtual(mark, vs);

        if (!order)
                order = addr_compare(&mark->addr, addr);
        return order ? order : (int)mark->port - (int)port;
}

/* The first that is not before it. */
static size_t place_of(const struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                       uint16_t port)
{
        size_t low = 0, high = marks->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare(marks->marks[middle], vs, addr, port) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void marks_of(const struct marks *marks, const struct virtual_server *vs, size_t *begin, size_t *end)
{
        static const struct addr first = {.family = AF_UNSPEC};

        *begin = place_of(marks, vs, &first, 0);
        *end = *begin;
        while (*end < marks->count && compare_to_virtual(marks->marks[*end], vs) == 0)
                (*end)++;
}

struct mark *marks_find(const struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port)
{
        size_t i = place_of(marks, vs, addr, port);

        return i < marks->count && compare(marks->marks[i], vs, addr, port) == 0 ? marks->marks[i] : NULL;
}

struct mark *marks_make(struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port, enum mark_state state)
{
        const size_t i = place_of(marks, vs, addr, port);
        struct mark *mark, **grown = reallocarray(marks->marks, marks->count + 1, sizeof(struct mark *));

        if (!grown)
                return NULL;
        marks->marks = grown;
        mark = malloc(sizeof(*mark));
        if (!mark)
                return NULL;
        *mark = (struct mark){
            .asker = &marks->asker,
            .key = {.vip = vs->vip, .protocol = vs->protocol, .port = vs->port},
            .addr = *addr,
            .port = port,
            .state = state,
        };
        memmove(marks->marks + i + 1, marks->marks + i, (marks->count - i) * sizeof(*grown));
        marks->marks[i] = mark;
        marks->count++;
        return mark;
}

void marks_sweep(struct marks *marks)
{
        size_t kept = 0;

        for (size_t i = 0; i < marks->count; i++) {
                struct mark *mark = marks->marks[i];

                if (mark->gone) {
                        mark_cancel_probe(mark);
                        free(mark);
                } else {
                        marks->marks[kept++] = mark;
                }
        }
        marks->count = kept;
}

void marks_clear(struct marks *marks)
{
        for (size_t i = 0; i < marks->count; i++)
                marks->marks[i]->gone = true;
        marks_sweep(marks);
        free(marks->marks);
        marks->marks = NULL;
}
