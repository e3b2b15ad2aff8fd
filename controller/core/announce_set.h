/* The set of routes that should be announced, and how it travels from coracle to coracle-announcer.
 *
 * coracle listens on a unix stream socket; the announcer connects. Each message is one line of JSON and holds
 * the whole truth, so that a lost, repeated or reordered message does no harm:
 *
 *   coracle → announcer   {"routes":["10.1.1.1/32","fd00:1:1::1/128"],"pools":["10.1.1.0/24"],
 *                          "graceful_shutdown":false}
 *   announcer → coracle   {"announced":["10.1.1.1/32"],"neighbors_up":1,"neighbors":2}
 *
 * coracle repeats its message every 500 ms; an announcer that hears nothing for 2 s withdraws everything.
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

/* Sorted, without duplicates. */
struct prefix_list {
        struct prefix *prefixes;
        size_t count;
        size_t capacity;
};

int prefix_list_append(struct prefix_list *list, const struct prefix *prefix); /* 0 or -ENOMEM; unsorted */
void prefix_list_sort(struct prefix_list *list);
bool prefix_list_contains(const struct prefix_list *list, const struct prefix *prefix); /* of a sorted one */
bool prefix_list_equal(const struct prefix_list *a, const struct prefix_list *b);
void prefix_list_clear(struct prefix_list *list);

struct announce_set {
        struct prefix_list routes;
        struct prefix_list pools;
        bool graceful_shutdown; /* announce with the community of RFC 8326 */
};

void announce_set_clear(struct announce_set *set);
static inline void announce_set_clear_p(struct announce_set *set)
{
        announce_set_clear(set);
}
#define _cleanup_announce_set_ _cleanup_(announce_set_clear_p)

/* Appends the message, newline included. 0 or -ENOMEM. */
int announce_set_encode(const struct announce_set *set, struct strbuf *out);

/* Decodes one line (without the newline). Returns 0 and *out (cleared by the caller); or -EINVAL/-ENOMEM. */
int announce_set_decode(const char *line, size_t length, struct announce_set *out, struct error *error);

/* Appends exabgp API lines (https://github.com/Exa-Networks/exabgp/wiki, "announce route …",
 * "withdraw route …") that lead from what is announced to what is wanted. */
int announce_set_diff(const struct announce_set *announced, const struct announce_set *wanted,
                      const struct addr *next_hop4, const struct addr *next_hop6, struct strbuf *lines);

/* What the announcer says back. */
struct announce_report {
        struct prefix_list announced;
        unsigned int neighbors_up;
        unsigned int neighbors;
};

void announce_report_clear(struct announce_report *report);
int announce_report_encode(const struct announce_report *report, struct strbuf *out);
int announce_report_decode(const char *line, size_t length, struct announce_report *out, struct error *error);
