/* Puts source rules in force: iptables-restore, and its twin for IPv6.
 *
 * What a restore changes it changes at once or not at all, so that a failure leaves the rules before it in
 * force. It is tried again by itself. Rules that are in force already cost nothing, and nor do rules that
 * nobody has asked for: without them no program is run, unless an earlier coracle may have left some.
 */
#pragma once

#include "base/error.h"
#include "core/source_rules.h"

#include <ev.h>

struct source_filter;

struct source_filter_listener {
        void *userdata;
        /* It is settled again, with whatever outcome. Never called from within source_filter_want. */
        void (*settled)(void *userdata);
};

/* `program` is iptables-restore in any of its names: the first "iptables" in its file's name is replaced by
 * "ip6tables" for IPv6. The inputs are kept in RUN_DIR/source-ranges.v4 and .v6. Texts are copied. Returns 0
 * and *out; or a negative errno with *error set. */
int source_filter_new(struct ev_loop *loop, const char *program, const char *run_dir,
                      const struct source_filter_listener *listener, struct source_filter **out,
                      struct error *error);

/* From now on these rules of that family are wanted. Takes their content and leaves *rules empty. */
void source_filter_want(struct source_filter *filter, uint8_t family, struct source_rules *rules);

/* Whether the outcome of what is wanted is known. */
bool source_filter_is_settled(const struct source_filter *filter);

/* Once settled: whether the rules of this VIP that are in force are those wanted. */
bool source_filter_guards(const struct source_filter *filter, const struct addr *vip);

/* Leaves the rules in force. NULL is fine. */
void source_filter_free(struct source_filter *filter);
