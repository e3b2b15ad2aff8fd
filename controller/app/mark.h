/* A real server of which keepalived may have another idea than the kernel, because coracle went ahead of it
 * (app/ahead.h): what is done to it, and whether it answers. */
#pragma once

#include "io/ipvs_netlink.h"
#include "io/tcp_probe.h"

#define MARK_ASK_AGAIN_MS 2000

enum mark_state {
        MARK_RESTED,  /* its weight is 0, and keepalived may not know */
        MARK_FRESH,   /* to be added */
        MARK_ADDED,   /* was added, and keepalived has not found it up itself */
        MARK_REFUSED, /* keepalived has found it down */
};

struct mark;

/* Whoever marks are asked by. */
struct mark_asker {
        struct ev_loop *loop;
        size_t n_probes;                                           /* under way */
        void (*answered)(void *userdata, const struct mark *mark); /* it has, or has not: mark->answered */
        void *userdata;
};

struct mark {
        struct mark_asker *asker;
        struct ipvs_virtual key; /* vip, protocol and port */
        struct addr addr;
        uint16_t port;
        enum mark_state state;
        struct tcp_probe *probe; /* it is being asked */
        bool answered;           /* and has */
        bool gone;               /* nothing to remember any more */
        int64_t ask_ms;          /* not before; monotonic, likewise below */
        int64_t forget_ms;       /* keepalived has read of it long before; 0: it may not have */
};

/* Whether nobody can be asked before another one has answered: each has a socket. */
bool mark_asker_is_busy(const struct mark_asker *asker);

/* Asks whether it answers to TCP. One that does not, or cannot be asked, is not to be asked again before
 * MARK_ASK_AGAIN_MS have passed. False in the second case. */
bool mark_ask(struct mark *mark, uint32_t timeout_ms);
void mark_ask_later(struct mark *mark);

/* No answer will come. */
void mark_cancel_probe(struct mark *mark);

/* Gives the real server weight 0; `dest` is what the kernel has. This and what follows: 0, also if it is so
 * already, or a negative errno. */
int mark_rest(struct mark *mark, struct ipvs_netlink *ipvs, const struct ipvs_dest *dest);

/* Gives it its weight back, or, if it is FRESH and `dest` NULL, adds it. */
int mark_come(struct mark *mark, struct ipvs_netlink *ipvs, const struct ipvs_dest *dest,
              enum forwarding forwarding, uint8_t weight);

int mark_take_out(const struct mark *mark, struct ipvs_netlink *ipvs);

/* keepalived has found it down. It believes that the kernel does not have it; or that it has it with weight
 * 0, if `inhibited`. */
int mark_believe_down(struct mark *mark, bool inhibited, struct ipvs_counts *counts);

/* keepalived has found it up, and added it, but maybe before it was taken out because of an older word.
 * `weight` 0: it is to have none. */
int mark_believe_up(struct mark *mark, enum forwarding forwarding, uint8_t weight,
                    struct ipvs_counts *counts);
