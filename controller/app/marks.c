#include "app/marks.h"

#include <stdlib.h>

bool mark_is_of(const struct mark *mark, const struct virtual_server *vs)
{
        return addr_equal(&mark->key.vip, &vs->vip) && mark->key.protocol == vs->protocol &&
               mark->key.port == vs->port;
}

struct mark *marks_find(const struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port)
{
        for (size_t i = 0; i < marks->count; i++) {
                struct mark *mark = marks->marks[i];

                if (mark->port == port && addr_equal(&mark->addr, addr) && mark_is_of(mark, vs))
                        return mark;
        }
        return NULL;
}

struct mark *marks_make(struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port, enum mark_state state)
{
        struct mark *mark = marks_find(marks, vs, addr, port), **grown;

        if (mark) {
                mark->state = state;
                return mark;
        }
        grown = reallocarray(marks->marks, marks->count + 1, sizeof(struct mark *));
        if (!grown)
                return NULL;
        marks->marks = grown;
        mark = malloc(sizeof(*mark));
        if (!mark)
                return NULL;
        *mark = (struct mark){
            .key = {.vip = vs->vip, .protocol = vs->protocol, .port = vs->port},
            .addr = *addr,
            .port = port,
            .state = state,
        };
        marks->marks[marks->count++] = mark;
        return mark;
}

bool marks_have(const struct marks *marks, const struct virtual_server *vs)
{
        for (size_t i = 0; i < marks->count; i++)
                if (mark_is_of(marks->marks[i], vs))
                        return true;
        return false;
}

void marks_cancel_probe(struct marks *marks, struct mark *mark)
{
        marks->n_probes -= mark->probe != NULL;
        tcp_probe_cancel(mark->probe);
        mark->probe = NULL;
}

void marks_drop(struct marks *marks, size_t i)
{
        marks_cancel_probe(marks, marks->marks[i]);
        free(marks->marks[i]);
        marks->marks[i] = marks->marks[--marks->count];
}

void marks_drop_mark(struct marks *marks, const struct mark *mark)
{
        for (size_t i = 0; i < marks->count; i++) {
                if (marks->marks[i] == mark) {
                        marks_drop(marks, i);
                        return;
                }
        }
}

void marks_clear(struct marks *marks)
{
        while (marks->count)
                marks_drop(marks, marks->count - 1);
        free(marks->marks);
        *marks = (struct marks){0};
}
