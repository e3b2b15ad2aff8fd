/* The set of routes that should be announced, and how it travels from coracle to coracle-announcer.
 *
 * coracle listens on a unix stream socket; the announcer connects. Each message is one line of JSON and holds
 * the whole truth, so that a lost, repeated or reordered message does no harm:
 *
 *   coracle → announcer   {"routes":["10.1.1.1/32","fd00:1:1::1/128"],"pools":["10.1.1.0/24"],
 *                          "graceful_shutdown":false,"starting":false,"withheld":["10.1.1.2/32"]}
 *   announcer → coracle   {"announced":["10.1.1.1/32"],"graceful_shutdown":false,"neighbors_up":1,
 *                          "neighbors":2}
 *
 * coracle repeats its message every 500 ms; an announcer that hears nothing for 2 s withdraws everything,
 * and one that finds nobody listening does so at once.
 * `pools` are the prefixes for which the announcer keeps the node's route to this pod.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "core/addr.h"

#include <stdbool.h>
#include <stddef.h>

#define ANNOUNCE_HEARTBEAT_MS 500
#define ANNOUNCE_SILENCE_MS 2000
#define ANNOUNCE_MESSAGE_MAX (4u * 1024 * 1024) /* bytes of a line; 10,000 routes take about 0.2 MB */

/* Sorted, without duplicates. */
struct prefix_list {
        struct prefix *prefixes;
        size_t count;
        size_t capacity;
};

int prefix_list_append(struct prefix_list *list, const struct prefix *prefix); /* 0 or -ENOMEM; unsorted */
void prefix_list_sort(struct prefix_list *list);
bool prefix_list_contains(const struct prefix_list *list, const struct prefix *prefix); /* of a sorted one */
/* The first of a list that the prefix is all inside of, or NULL. Borrowed. */
const struct prefix *prefix_list_around(const struct prefix_list *list, const struct prefix *prefix);
bool prefix_list_equal(const struct prefix_list *a, const struct prefix_list *b);
void prefix_list_clear(struct prefix_list *list);

/* Replaces the contents of *to. 0 or -ENOMEM; *to is then as before. */
int prefix_list_copy(struct prefix_list *to, const struct prefix_list *from);

static inline void prefix_list_clear_p(struct prefix_list *list)
{
        prefix_list_clear(list);
}
#define _cleanup_prefix_list_ _cleanup_(prefix_list_clear_p)

struct announce_set {
        struct prefix_list routes;
        struct prefix_list pools;
        struct prefix_list withheld; /* what could be in routes, and is not to be announced now */
        bool graceful_shutdown;      /* announce with the community of RFC 8326 */
        bool starting; /* the first health checks are under way: there may soon be more routes */
};

void announce_set_clear(struct announce_set *set);
static inline void announce_set_clear_p(struct announce_set *set)
{
        announce_set_clear(set);
}
#define _cleanup_announce_set_ _cleanup_(announce_set_clear_p)

/* Replaces the contents of *to. 0 or -ENOMEM; *to is then as before. */
int announce_set_copy(struct announce_set *to, const struct announce_set *from);

/* Appends the message, newline included. 0 or -ENOMEM. */
int announce_set_encode(const struct announce_set *set, struct strbuf *out);

/* Decodes one line (without the newline). Members that are not known are ignored, so that either side may be
 * the newer one; those above must be right, and all but "starting" (false) and "withheld" (none) must be
 * there. Returns 0 and *out (its old contents are freed; to be cleared by the caller); or -EINVAL/-ENOMEM
 * with *error set and *out untouched. */
int announce_set_decode(const char *line, size_t length, struct announce_set *out, struct error *error);

/* Appends exabgp API lines (https://github.com/Exa-Networks/exabgp/wiki, "announce route …",
 * "withdraw route …") that lead from what is announced to what is wanted, withdrawals first. A next-hop may
 * be NULL: routes of that family are then passed over. Returns the number of lines or -ENOMEM; *lines is then
 * as before. */
int announce_set_diff(const struct announce_set *announced, const struct announce_set *wanted,
                      const struct addr *next_hop4, const struct addr *next_hop6, struct strbuf *lines);

/* What the announcer says back. */
struct announce_report {
        struct prefix_list announced;
        bool graceful_shutdown; /* with that community */
        unsigned int neighbors_up;
        unsigned int neighbors;
};

void announce_report_clear(struct announce_report *report);
static inline void announce_report_clear_p(struct announce_report *report)
{
        announce_report_clear(report);
}
#define _cleanup_announce_report_ _cleanup_(announce_report_clear_p)

/* As announce_set_encode and announce_set_decode. */
int announce_report_encode(const struct announce_report *report, struct strbuf *out);
int announce_report_decode(const char *line, size_t length, struct announce_report *out, struct error *error);
