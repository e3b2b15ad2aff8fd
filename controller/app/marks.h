/* The marks there are (app/mark.h), sorted, so that those of a virtual server stand together. */
#pragma once

#include "app/mark.h"

struct marks {
        struct mark **marks; /* each has its place in memory: probes know it by that */
        size_t count;
        struct mark_asker asker;
};

/* Those of one virtual server: from *begin to before *end. */
void marks_of(const struct marks *marks, const struct virtual_server *vs, size_t *begin, size_t *end);

/* NULL if there is none. */
struct mark *marks_find(const struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port);

/* A new one; there must be none yet. NULL if out of memory. */
struct mark *marks_make(struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port, enum mark_state state);

/* Frees those that are gone. */
void marks_sweep(struct marks *marks);

void marks_clear(struct marks *marks);
