/* What exabgp 4.2 writes to its API process (`encoder text`), one line each:
 *
 *   done | error                               the answer to a command, in order; a command on which exabgp
 *                                              itself trips is never answered
 *   neighbor 10.0.0.109 up                     `neighbor-changes`; each is followed by an empty line
 *   neighbor 10.0.0.109 connected
 *   neighbor 10.0.0.109 down - REASON
 *   neighbor 10.0.0.109 ipv4 unicast 10.1.1.1/32 next-hop 10.0.0.106     `show adj-rib out`
 *   10.0.0.109      65021     0:00:03 established           7          0 `show neighbor summary`
 *   shutdown PID PPID                          exabgp is about to end
 */
#pragma once

#include "core/addr.h"

#include <stddef.h>

enum exabgp_reply_type {
        EXABGP_REPLY_OTHER, /* an empty line, a headline, what later versions may say */
        EXABGP_REPLY_DONE,
        EXABGP_REPLY_ERROR,
        EXABGP_REPLY_SHUTDOWN,
        EXABGP_REPLY_NEIGHBOR_UP,        /* the session is established */
        EXABGP_REPLY_NEIGHBOR_CONNECTED, /* TCP only: not established yet, or not any more */
        EXABGP_REPLY_NEIGHBOR_DOWN,
        EXABGP_REPLY_ROUTE, /* exabgp holds this route for this neighbor */
};

struct exabgp_reply {
        enum exabgp_reply_type type;
        struct addr neighbor; /* of NEIGHBOR_* and ROUTE, else AF_UNSPEC */
        struct prefix prefix; /* of ROUTE */
        struct addr next_hop; /* of ROUTE; AF_UNSPEC if exabgp names none */
};

/* Parses one line (without its newline; need not be terminated). Never fails: what it does not know, or what
 * does not have the form above, is EXABGP_REPLY_OTHER. */
void exabgp_reply_parse(const char *line, size_t length, struct exabgp_reply *out);
