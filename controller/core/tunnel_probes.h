/* Which real servers take what comes through a tunnel. keepalived cannot see it: it checks them past the
 * tunnel.
 *
 * Each that the kernel sends to is asked (core/tunnel_echo.h) when it comes, and then about every
 * TUNNEL_INTERVAL_MS. One that has left TUNNEL_MISSED_MAX requests in a row without an answer is told as a
 * problem of its Service, until it answers. It goes on serving: a packet filter that drops ICMP looks just
 * the same.
 */
#pragma once

#include "core/ipvs_table.h"

#define TUNNEL_RETRY_MS 4000     /* from a request to its judgement */
#define TUNNEL_INTERVAL_MS 30000 /* on average; each at a time of its own */
#define TUNNEL_MISSED_MAX 3
#define TUNNEL_TICK_MS 100
#define TUNNEL_BURST 32 /* requests in one tick */

/* A VIP in one real server, whatever their ports. */
struct tunnel_target {
        struct addr vip, real_server;
        int64_t due_ms; /* to be asked, or asked again */
        uint8_t missed; /* in a row, TUNNEL_MISSED_MAX at most */
        bool asked;     /* and not answered yet */
};

/* Zero-initialised is empty. */
struct tunnel_probes {
        struct tunnel_target *targets; /* sorted by VIP and real server */
        size_t count;
        size_t next;       /* who has his turn in the next tick */
        size_t unanswered; /* targets that have missed TUNNEL_MISSED_MAX */
};

/* The targets are those that the plan and the kernel send to by tunnel; `table` NULL: they stay. 0 or
 * -ENOMEM: they stay as well. */
int tunnel_probes_follow(struct tunnel_probes *probes, const struct plan *plan,
                         const struct ipvs_table *table, int64_t now_ms);

/* A tick: judges, and picks who is to be asked now. `random` is any 32 bits. Returns how many of `out` are,
 * and in *next_ms when the next tick is due, or -1: no targets. */
size_t tunnel_probes_tick(struct tunnel_probes *probes, int64_t now_ms, uint32_t random,
                          struct tunnel_target out[static TUNNEL_BURST], int64_t *next_ms);

/* The real server has answered for the VIP. */
void tunnel_probes_answered(struct tunnel_probes *probes, const struct addr *vip,
                            const struct addr *real_server, int64_t now_ms, uint32_t random);

/* Tells the plan: its problems, and its services' tunnel_unanswered. 0 or -ENOMEM. */
int tunnel_probes_tell(const struct tunnel_probes *probes, struct plan *plan);

void tunnel_probes_clear(struct tunnel_probes *probes);
