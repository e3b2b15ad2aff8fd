/* Goes ahead of keepalived with what the API says of real servers: core/ahead.h tells what, and why.
 *
 * Who is to come is asked first (io/tcp_probe), unless its Service is not checked, and once keepalived has
 * said a word of it, that word counts. Nothing of this outlives keepalived: a new one empties the table. */
#pragma once

#include "core/ahead.h"
#include "core/ipvs_config.h"
#include "core/notify_line.h"

#include <ev.h>

struct ahead;

/* Both are borrowed. Returns NULL if out of memory. */
struct ahead *ahead_new(struct ev_loop *loop, struct ipvs_counts *counts);

/* This plan (borrowed until the next call, which it must outlive; NULL: none) is what keepalived is going to
 * be told, or has been told if `applied`. `config` is what was rendered from it: a virtual server whose piece
 * is held stays as it is until the plan says so too. NULL: nothing is held. */
void ahead_follow(struct ahead *ahead, const struct plan *plan, const struct ipvs_config *config,
                  bool applied);

/* keepalived has checked a server. */
void ahead_notified(struct ahead *ahead, const struct notify_line *line);

/* There is another keepalived, or none. */
void ahead_forget(struct ahead *ahead);

/* NULL is fine. */
void ahead_free(struct ahead *ahead);
