/* What coracle does to the kernel's real servers itself, ahead of keepalived, which needs seconds to read a
 * configuration of thousands of checked servers, and at least one more until it checks a new one.
 *
 * keepalived stays the owner of the table and is told everything as always; what was done ahead is what it
 * does as well when it gets there, and finds done (it takes EEXIST and ENOENT for success: ipvs_talk in its
 * ipvswrapper.c). Nothing is taken out ahead, only the weight becomes 0: if what has gone comes back before
 * keepalived has read of it, keepalived still takes it for served and would not add it again.
 */
#pragma once

#include "core/ipvs_table.h"

enum ahead_act {
        AHEAD_REST, /* give it weight 0: it drains, or is gone */
        AHEAD_COME, /* give it its weight, or add it, once it is known to answer */
};

struct ahead_step {
        enum ahead_act act;
        struct addr addr;
        uint16_t port;
        uint8_t weight;
};

struct ahead_input {
        const struct virtual_server *wanted;
        const struct ipvs_real *reals; /* what the kernel has now; sorted by address and port */
        const bool *rested;            /* per real: it has weight 0 because of an AHEAD_REST */
        size_t n_reals;
        const bool *fresh; /* per wanted real server: new, and to be added ahead; see ahead_may_add */
};

/* Whether real servers that are new to the plan may be added ahead. A checked one is the business of
 * keepalived's first check, but for a TCP check of the usual template: coracle can do that as well. */
bool ahead_may_add(const struct plan *plan, const struct virtual_server *vs);

/* Whether anything but weights, addresses and number of real servers differs: then nothing is done ahead. */
bool ahead_is_comparable(const struct virtual_server *before, const struct virtual_server *after);
bool ahead_reals_differ(const struct virtual_server *before, const struct virtual_server *after);

/* Writes the steps, at most n_reals + wanted->n_real_servers, and returns their number. While nobody would be
 * left to take new connections although somebody is to come, nobody rests: to be asked again when one has. */
size_t ahead_steps(const struct ahead_input *input, struct ahead_step *steps);
