#include "core/speaker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        MAX_NEIGHBORS = 64,
        SYNC_TIMEOUT_MS = 1000,   /* exabgp answers in a millisecond; never with acks switched off */
        ANSWER_TIMEOUT_MS = 5000, /* without any progress; exabgp takes 1,600 routes in a second */
        WINDOW = 64,              /* commands: with more under way, wait and say the latest then */
        RETRY_MIN_MS = 1000,
        RETRY_MAX_MS = 30000,
        RETURN_MS = 1000,        /* as ROUTES_HOLD_MS, of a coracle that was silent */
        ENDED_MAX = 3,           /* sessions; exabgp then waits for 2 s and more */
        RESTART_AFTER_MS = 15000 /* of our life; at 5 API processes in about a minute exabgp gives up */
};

struct neighbor {
        struct addr addr;
        bool up;
        unsigned int ended; /* sessions, also those that were never established */
};

struct speaker {
        struct addr next_hop4, next_hop6;
        struct neighbor neighbors[MAX_NEIGHBORS];
        size_t n_neighbors;

        struct announce_set wanted;
        int64_t heard_ms;
        int64_t return_ms; /* nothing is announced before, after a silence that has withdrawn routes; or 0 */
        bool heard, silent, retreated, permitted, leaving;

        struct announce_set held; /* what exabgp was told, or said itself */
        struct prefix_list seen;  /* while syncing */
        struct strbuf output;
        size_t unanswered; /* commands */
        int64_t answered_ms;
        bool answers; /* whether it ever answered: exabgp.api.ack may be off */

        bool syncing;
        int64_t sync_end_ms;
        int64_t retry_at_ms; /* INT64_MAX: no doubt about `held` */
        int64_t retry_after_ms;
        uint64_t failures;

        int64_t born_ms;
        int64_t restart_ms; /* when it was said; 0: it was not */

        struct announce_report report;
};

int speaker_new(const struct speaker_config *config, int64_t now_ms, struct speaker **out)
{
        struct speaker *speaker;

        if (config->n_neighbors > MAX_NEIGHBORS)
                return -EINVAL;
        speaker = calloc(1, sizeof(*speaker));
        if (!speaker)
                return -ENOMEM;
        speaker->next_hop4 = config->next_hop4;
        speaker->next_hop6 = config->next_hop6;
        for (size_t i = 0; i < config->n_neighbors; i++)
                speaker->neighbors[i].addr = config->neighbors[i];
        speaker->n_neighbors = config->n_neighbors;
        speaker->report.neighbors = (unsigned int)config->n_neighbors;
        speaker->permitted = true;
        speaker->heard_ms = speaker->answered_ms = speaker->born_ms = now_ms;
        speaker->retry_after_ms = RETRY_MIN_MS;
        speaker->retry_at_ms = now_ms; /* the first tick asks exabgp what it holds */
        *out = speaker;
        return 0;
}

void speaker_free(struct speaker *speaker)
{
        if (!speaker)
                return;
        announce_set_clear(&speaker->wanted);
        announce_set_clear(&speaker->held);
        prefix_list_clear(&speaker->seen);
        strbuf_clear(&speaker->output);
        announce_report_clear(&speaker->report);
        free(speaker);
}

static const struct addr *or_null(const struct addr *addr)
{
        return addr->family == AF_UNSPEC ? NULL : addr;
}

static const struct announce_set *target_of(const struct speaker *speaker)
{
        static const struct announce_set nothing;

        if (speaker->leaving || speaker->silent || !speaker->permitted || speaker->return_ms)
                return &nothing;
        return &speaker->wanted;
}

static bool is_converged(const struct announce_set *held, const struct announce_set *target)
{
        if (!prefix_list_equal(&held->routes, &target->routes))
                return false;
        return held->graceful_shutdown == target->graceful_shutdown || !target->routes.count;
}

/* A report says what exabgp confirmed; where it confirms nothing, what it was told. */
static int refresh_report(struct speaker *speaker)
{
        if (speaker->syncing || (speaker->answers && speaker->unanswered))
                return 0;
        speaker->report.graceful_shutdown = speaker->held.graceful_shutdown && speaker->held.routes.count;
        if (prefix_list_equal(&speaker->report.announced, &speaker->held.routes))
                return 0;
        return prefix_list_copy(&speaker->report.announced, &speaker->held.routes);
}

static int start_sync(struct speaker *speaker, int64_t now_ms)
{
        if (strbuf_puts(&speaker->output, "show neighbor summary\nshow adj-rib out\n") < 0)
                return -ENOMEM;
        speaker->syncing = true;
        speaker->sync_end_ms = now_ms + SYNC_TIMEOUT_MS;
        speaker->retry_at_ms = INT64_MAX;
        speaker->answered_ms = now_ms;
        speaker->unanswered += 2;
        return 0;
}

static void end_sync(struct speaker *speaker)
{
        speaker->syncing = false;
        prefix_list_clear(&speaker->held.routes);
        speaker->held.routes = speaker->seen;
        speaker->seen = (struct prefix_list){0};
        prefix_list_sort(&speaker->held.routes);
        /* Not what it says about communities, and perhaps another next-hop: announce every wanted route
         * again. exabgp passes on only what is new to it. */
        speaker->held.graceful_shutdown = !target_of(speaker)->graceful_shutdown;
}

static bool is_restart_due(const struct speaker *speaker, int64_t now_ms)
{
        unsigned int ended = 0;

        for (size_t i = 0; i < speaker->n_neighbors; i++) {
                if (speaker->neighbors[i].up)
                        return false;
                if (speaker->neighbors[i].ended > ended)
                        ended = speaker->neighbors[i].ended;
        }
        return ended >= ENDED_MAX && now_ms - speaker->born_ms >= RESTART_AFTER_MS && !speaker->leaving;
}

/* Nothing more is said before exabgp has read or answered: that will bring us on. */
static bool is_waiting(const struct speaker *speaker)
{
        return speaker->output.length || (speaker->answers && speaker->unanswered > WINDOW);
}

static int converge(struct speaker *speaker, int64_t now_ms)
{
        const struct announce_set *target = target_of(speaker);
        _cleanup_prefix_list_ struct prefix_list held = {0};
        int n;

        if (is_waiting(speaker) || speaker->restart_ms)
                return 0;
        if (is_restart_due(speaker, now_ms)) {
                speaker->restart_ms = now_ms;
                return strbuf_puts(&speaker->output, "restart\n");
        }
        if (!speaker->syncing && now_ms >= speaker->retry_at_ms)
                return start_sync(speaker, now_ms);
        /* Routes of an earlier announcer stay until coracle says what it wants, or is too long in saying it.
         */
        if (!speaker->heard && !speaker->silent && !speaker->leaving)
                return refresh_report(speaker);
        if (speaker->syncing || is_converged(&speaker->held, target))
                return refresh_report(speaker);
        if (prefix_list_copy(&held, &target->routes) < 0)
                return -ENOMEM;
        n = announce_set_diff(&speaker->held, target, or_null(&speaker->next_hop4),
                              or_null(&speaker->next_hop6), &speaker->output);
        if (n < 0)
                return n;
        if (!speaker->unanswered)
                speaker->answered_ms = now_ms;
        speaker->unanswered += (size_t)n;
        prefix_list_clear(&speaker->held.routes);
        speaker->held.routes = held;
        held = (struct prefix_list){0};
        speaker->held.graceful_shutdown = target->graceful_shutdown;
        return refresh_report(speaker);
}

/* `held` is in doubt: ask again, in a while. */
static void doubt(struct speaker *speaker, int64_t now_ms)
{
        speaker->failures++;
        if (speaker->retry_at_ms != INT64_MAX)
                return;
        speaker->retry_at_ms = now_ms + speaker->retry_after_ms;
        speaker->retry_after_ms *= 2;
        if (speaker->retry_after_ms > RETRY_MAX_MS)
                speaker->retry_after_ms = RETRY_MAX_MS;
}

/* exabgp was to replace us, and did not. */
static void abandon_restart(struct speaker *speaker, int64_t now_ms)
{
        for (size_t i = 0; i < speaker->n_neighbors; i++)
                speaker->neighbors[i].ended = 0;
        speaker->restart_ms = 0;
        doubt(speaker, now_ms);
}

static void check_timeouts(struct speaker *speaker, int64_t now_ms)
{
        if (!speaker->silent && now_ms - speaker->heard_ms >= ANNOUNCE_SILENCE_MS) {
                speaker->silent = true;
                speaker->retreated = speaker->held.routes.count || speaker->return_ms;
        }
        if (speaker->return_ms && now_ms >= speaker->return_ms)
                speaker->return_ms = 0;
        if (speaker->restart_ms && now_ms - speaker->restart_ms >= ANSWER_TIMEOUT_MS)
                abandon_restart(speaker, now_ms);
        if (speaker->syncing && now_ms >= speaker->sync_end_ms) {
                speaker->unanswered = 0;
                end_sync(speaker);
                if (speaker->answers)
                        doubt(speaker, now_ms);
        }
        if (speaker->unanswered && now_ms - speaker->answered_ms >= ANSWER_TIMEOUT_MS) {
                speaker->unanswered = 0;
                if (speaker->answers)
                        doubt(speaker, now_ms);
        }
}

int speaker_tick(struct speaker *speaker, int64_t now_ms)
{
        check_timeouts(speaker, now_ms);
        return converge(speaker, now_ms);
}

void speaker_clip(const struct speaker *speaker, struct announce_set *set)
{
        struct prefix_list *routes = &set->routes;
        size_t kept = 0;

        for (size_t i = 0; i < routes->count; i++) {
                const struct addr *next_hop =
                    routes->prefixes[i].addr.family == AF_INET6 ? &speaker->next_hop6 : &speaker->next_hop4;

                if (next_hop->family != AF_UNSPEC)
                        routes->prefixes[kept++] = routes->prefixes[i];
        }
        routes->count = kept;
}

int speaker_hear(struct speaker *speaker, struct announce_set *set, int64_t now_ms)
{
        announce_set_clear(&speaker->wanted);
        speaker->wanted = *set;
        *set = (struct announce_set){0};
        speaker_clip(speaker, &speaker->wanted);
        speaker->heard_ms = now_ms;
        if (speaker->silent && speaker->retreated)
                speaker->return_ms = now_ms + RETURN_MS;
        speaker->heard = true;
        speaker->silent = speaker->retreated = false;
        return speaker_tick(speaker, now_ms);
}

int speaker_lose(struct speaker *speaker, int64_t now_ms)
{
        if (speaker->heard_ms > now_ms - ANNOUNCE_SILENCE_MS)
                speaker->heard_ms = now_ms - ANNOUNCE_SILENCE_MS;
        return speaker_tick(speaker, now_ms);
}

static void note_neighbor(struct speaker *speaker, const struct addr *addr, enum exabgp_reply_type what)
{
        size_t i = 0;

        while (i < speaker->n_neighbors && !addr_equal(&speaker->neighbors[i].addr, addr))
                i++;
        if (i == MAX_NEIGHBORS)
                return;
        if (i == speaker->n_neighbors) {
                speaker->neighbors[i].addr = *addr;
                speaker->n_neighbors++;
        }
        speaker->neighbors[i].up = what == EXABGP_REPLY_NEIGHBOR_UP;
        speaker->neighbors[i].ended += what == EXABGP_REPLY_NEIGHBOR_DOWN;

        speaker->report.neighbors = (unsigned int)speaker->n_neighbors;
        speaker->report.neighbors_up = 0;
        for (i = 0; i < speaker->n_neighbors; i++)
                speaker->report.neighbors_up += speaker->neighbors[i].up;
}

static int note_route(struct speaker *speaker, const struct prefix *prefix)
{
        if (speaker->syncing)
                return prefix_list_append(&speaker->seen, prefix);
        /* Late, after a sync that was given up: whatever exabgp holds can be withdrawn only if it is known.
         */
        if (prefix_list_contains(&speaker->held.routes, prefix))
                return 0;
        if (prefix_list_append(&speaker->held.routes, prefix) < 0)
                return -ENOMEM;
        prefix_list_sort(&speaker->held.routes);
        return 0;
}

static void note_answer(struct speaker *speaker, bool good, int64_t now_ms)
{
        speaker->answers = true;
        speaker->answered_ms = now_ms;
        if (speaker->unanswered)
                speaker->unanswered--;
        if (!good)
                doubt(speaker, now_ms);
        if (speaker->unanswered)
                return;
        if (speaker->syncing)
                end_sync(speaker);
        else if (speaker->retry_at_ms == INT64_MAX)
                speaker->retry_after_ms = RETRY_MIN_MS; /* a whole batch went well */
}

int speaker_answer(struct speaker *speaker, const struct exabgp_reply *reply, int64_t now_ms)
{
        switch (reply->type) {
        case EXABGP_REPLY_DONE:
        case EXABGP_REPLY_ERROR:
                note_answer(speaker, reply->type == EXABGP_REPLY_DONE, now_ms);
                break;
        case EXABGP_REPLY_NEIGHBOR_UP:
        case EXABGP_REPLY_NEIGHBOR_CONNECTED:
        case EXABGP_REPLY_NEIGHBOR_DOWN:
                note_neighbor(speaker, &reply->neighbor, reply->type);
                break;
        case EXABGP_REPLY_ROUTE:
                if (note_route(speaker, &reply->prefix) < 0)
                        return -ENOMEM;
                break;
        case EXABGP_REPLY_OTHER:
        case EXABGP_REPLY_SHUTDOWN:
                break;
        }
        return speaker_tick(speaker, now_ms);
}

int speaker_permit(struct speaker *speaker, bool permitted, int64_t now_ms)
{
        speaker->permitted = permitted;
        return speaker_tick(speaker, now_ms);
}

int speaker_leave(struct speaker *speaker, int64_t now_ms)
{
        speaker->leaving = true;
        return speaker_tick(speaker, now_ms);
}

bool speaker_left(const struct speaker *speaker)
{
        return speaker->leaving && !speaker->syncing && !speaker->held.routes.count &&
               !speaker->output.length;
}

bool speaker_is_restarting(const struct speaker *speaker)
{
        return speaker->restart_ms != 0;
}

struct strbuf *speaker_output(struct speaker *speaker)
{
        return &speaker->output;
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

int64_t speaker_deadline(const struct speaker *speaker)
{
        int64_t deadline = INT64_MAX;

        if (!speaker->silent)
                deadline = speaker->heard_ms + ANNOUNCE_SILENCE_MS;
        if (speaker->return_ms)
                deadline = earlier(deadline, speaker->return_ms);
        if (speaker->restart_ms)
                return earlier(deadline, speaker->restart_ms + ANSWER_TIMEOUT_MS);
        if (speaker->syncing)
                return earlier(deadline, speaker->sync_end_ms);
        if (speaker->unanswered)
                deadline = earlier(deadline, speaker->answered_ms + ANSWER_TIMEOUT_MS);
        return is_waiting(speaker) ? deadline : earlier(deadline, speaker->retry_at_ms);
}

const struct announce_set *speaker_wanted(const struct speaker *speaker)
{
        return &speaker->wanted;
}

bool speaker_silent(const struct speaker *speaker)
{
        return speaker->silent;
}

const struct announce_report *speaker_report(const struct speaker *speaker)
{
        return &speaker->report;
}

uint64_t speaker_failures(const struct speaker *speaker)
{
        return speaker->failures;
}
