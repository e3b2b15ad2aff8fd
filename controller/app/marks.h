/* Real servers of which keepalived may have another idea than the kernel, because coracle went ahead of it
 * (app/ahead.h). Few, and for seconds: in no order. */
#pragma once

#include "core/ipvs_table.h"
#include "io/tcp_probe.h"

enum mark_state {
        MARK_RESTED,  /* its weight is 0, and keepalived may not know */
        MARK_FRESH,   /* to be added */
        MARK_ADDED,   /* was added, and keepalived has not found it up itself */
        MARK_REFUSED, /* keepalived has found it down */
};

struct mark {
        void *owner;
        struct ipvs_virtual key; /* vip, protocol and port */
        struct addr addr;
        uint16_t port;
        enum mark_state state;
        struct tcp_probe *probe; /* it is being asked */
};

struct marks {
        struct mark **marks;
        size_t count;
        size_t n_probes;
};

bool mark_is_of(const struct mark *mark, const struct virtual_server *vs);

/* NULL if there is none. */
struct mark *marks_find(const struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port);

/* The one there is, in that state from now on, or a new one; NULL if out of memory. */
struct mark *marks_make(struct marks *marks, const struct virtual_server *vs, const struct addr *addr,
                        uint16_t port, enum mark_state state);

bool marks_have(const struct marks *marks, const struct virtual_server *vs);

void marks_cancel_probe(struct marks *marks, struct mark *mark);

/* The last one takes its place. */
void marks_drop(struct marks *marks, size_t i);
void marks_drop_mark(struct marks *marks, const struct mark *mark);

void marks_clear(struct marks *marks);
