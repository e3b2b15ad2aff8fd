/* Who may connect (spec.loadBalancerSourceRanges) as rules of the kernel's packet filter.
 *
 * IPVS takes packets at the end of the hook LOCAL_IN, behind the filter table's chain INPUT: what a rule
 * drops there never reaches it. The rules stand in one chain of ours, to which INPUT jumps; a chain that
 * nobody needs does not exist.
 */
#pragma once

#include "base/strbuf.h"
#include "core/plan.h"

#define SOURCE_RULES_CHAIN "CORACLE-SOURCES"

/* The rules of one VIP, a part of the text. */
struct source_rules_vip {
        struct addr vip;
        size_t begin, length;
};

/* The rules of one family. Zero-initialised is empty: everybody may connect. */
struct source_rules {
        struct strbuf text;            /* lines of iptables-restore's input, sorted as virtual servers are */
        struct source_rules_vip *vips; /* sorted; only those with rules */
        size_t n_vips;
        bool closing; /* there are rules that only hold until what is served now is gone */
};

/* What runs, and what may run before the plan to come does: keepalived is being asked about it, or will be.
 * NULL: there is none. */
struct served_plans {
        const struct plan *running, *candidate, *waiting;
};

/* The rules that `plan` needs before it may be served. What is served and restricted, and what `plan` leaves
 * out or gives to another Service, is closed to everybody meanwhile. Returns 0 and *out, which must be empty
 * before, or -ENOMEM. */
int source_rules_render(const struct plan *plan, const struct served_plans *served, uint8_t family,
                        struct source_rules *out);

/* The whole input of iptables-restore --noflush: it makes the chain hold these rules, and INPUT jump to it
 * once; or removes both if there are none. `linked` says that INPUT jumps to it already; where that is wrong
 * nothing is changed, because the input is one transaction. Appends; 0 or -ENOMEM. */
int source_rules_input(const struct source_rules *rules, bool linked, struct strbuf *out);

/* Whether both have the same rules for the VIP. */
bool source_rules_agree(const struct source_rules *a, const struct source_rules *b, const struct addr *vip);

/* Frees, and makes it empty. */
void source_rules_clear(struct source_rules *rules);
