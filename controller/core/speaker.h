/* What coracle-announcer tells exabgp, and when: its decisions without its sockets and clocks.
 *
 * - exabgp's own answer to `show adj-rib out` is where it starts from, and where it comes back to after an
 * error or a lost answer: an announcer that was killed may have left routes behind in an exabgp that lives.
 * - It announces what the last set asks for, and nothing once coracle has been silent for
 * ANNOUNCE_SILENCE_MS, or is known to be dead. What it had to withdraw for that comes back when coracle
 * has spoken for a second: the first thing that one says after a pause may be what it knew before.
 * - It says nothing new while earlier lines still wait for exabgp to read or answer them: an exabgp that
 * hangs costs no memory, and one that is slow (1,600 routes a second) is not sent what is out of date
 * already.
 * - exabgp 4.2 waits longer before it connects again each time a session ends, up to 60 s, and never forgets
 * (https://github.com/Exa-Networks/exabgp/issues/1176). Only `restart` makes it: all sessions begin anew, and
 * exabgp replaces its API process, us. So that is said when it is due and no session is up that it would end.
 *
 * Times are milliseconds of any monotonic clock.
 */
#pragma once

#include "core/announce_set.h"
#include "core/exabgp_reply.h"

struct speaker;

struct speaker_config {
        struct addr next_hop4; /* AF_UNSPEC: IPv4 routes are passed over */
        struct addr next_hop6; /* likewise */
        const struct addr *neighbors;
        size_t n_neighbors; /* 64 at most */
};

/* The config is copied. Returns 0 and *out, or -ENOMEM/-EINVAL. */
int speaker_new(const struct speaker_config *config, int64_t now_ms, struct speaker **out);
void speaker_free(struct speaker *speaker); /* NULL is fine */
DEFINE_CLEANUP(struct speaker *, speaker_free)

/* Takes the routes without a next-hop out of a set. speaker_hear does it anyway; who acts on a set before
 * that is to see the same. */
void speaker_clip(const struct speaker *speaker, struct announce_set *set);

/* The inputs. All return 0 or -ENOMEM, and may leave lines in speaker_output. */

/* A set came from coracle. Takes its contents, leaves it empty. */
int speaker_hear(struct speaker *speaker, struct announce_set *set, int64_t now_ms);

/* coracle is dead: silent from now on, until it is heard again. */
int speaker_lose(struct speaker *speaker, int64_t now_ms);

/* exabgp wrote a line. */
int speaker_answer(struct speaker *speaker, const struct exabgp_reply *reply, int64_t now_ms);

/* The deadline has come, or speaker_output has become empty. */
int speaker_tick(struct speaker *speaker, int64_t now_ms);

/* Whether traffic that a route attracts would reach the pod: nothing is announced while it would not.
 * True at the start. */
int speaker_permit(struct speaker *speaker, bool permitted, int64_t now_ms);

/* Withdraws everything, for good; speaker_left tells when the last line of that has been written. */
int speaker_leave(struct speaker *speaker, int64_t now_ms);
bool speaker_left(const struct speaker *speaker);

/* The outputs. */

/* `restart` was said: the SIGTERM that comes is not the pod's end. */
bool speaker_is_restarting(const struct speaker *speaker);

/* Lines for exabgp; the owner removes from the front what it has written. Borrowed. */
struct strbuf *speaker_output(struct speaker *speaker);

/* When to call speaker_tick at the latest; INT64_MAX: no need. */
int64_t speaker_deadline(const struct speaker *speaker);

/* The last set heard (empty before the first); its routes are only those with a next-hop. Borrowed. */
const struct announce_set *speaker_wanted(const struct speaker *speaker);

/* Whether coracle has not been heard for ANNOUNCE_SILENCE_MS, or is lost. */
bool speaker_silent(const struct speaker *speaker);

/* What exabgp has confirmed, and its neighbors. Borrowed. */
const struct announce_report *speaker_report(const struct speaker *speaker);

/* How many answers were errors or did not come. */
uint64_t speaker_failures(const struct speaker *speaker);
