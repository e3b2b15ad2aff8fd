#include "core/watch_state.h"

/* A watch that ends at once without an event was of no use; another one at once would be a busy loop. */
#define USEFUL_WATCH_MS 1000
/* One that broke after so long did not do so because of us: begin with short delays again. */
#define STEADY_WATCH_MS 10000

const char *watch_reason_name(enum watch_reason reason)
{
        static const char *const names[WATCH_REASON_COUNT] = {
            [WATCH_REASON_PROGRESS] = "progress",
            [WATCH_REASON_PERIODIC] = "periodic",
            [WATCH_REASON_ENDED] = "ended",
            [WATCH_REASON_BROKEN] = "broken",
            [WATCH_REASON_SILENT] = "silent",
            [WATCH_REASON_UNREACHABLE] = "unreachable",
            [WATCH_REASON_EXPIRED] = "expired",
            [WATCH_REASON_MALFORMED] = "malformed",
            [WATCH_REASON_UNAUTHORIZED] = "unauthorized",
            [WATCH_REASON_FORBIDDEN] = "forbidden",
            [WATCH_REASON_THROTTLED] = "throttled",
            [WATCH_REASON_SERVER_ERROR] = "server_error",
            [WATCH_REASON_REFUSED] = "refused",
        };

        return names[reason];
}

static enum watch_reason reason_of_code(int code)
{
        switch (code) {
        case 401:
                return WATCH_REASON_UNAUTHORIZED;
        case 403:
                return WATCH_REASON_FORBIDDEN;
        case 410:
                return WATCH_REASON_EXPIRED;
        case 429:
                return WATCH_REASON_THROTTLED;
        default:
                return code >= 500 ? WATCH_REASON_SERVER_ERROR : WATCH_REASON_REFUSED;
        }
}

static enum watch_reason reason_of(const struct watch_state *state, const struct watch_end *end)
{
        if (end->malformed)
                return WATCH_REASON_MALFORMED;
        if (end->stream_error)
                return reason_of_code(end->stream_error);
        if (end->status == 0)
                return end->timed_out ? WATCH_REASON_SILENT : WATCH_REASON_UNREACHABLE;
        if (end->status == 400 && state->request == WATCH_REQUEST_PAGE)
                return WATCH_REASON_EXPIRED;
        if (end->status < 200 || end->status > 299)
                return reason_of_code(end->status);
        if (end->timed_out)
                return WATCH_REASON_SILENT;
        if (!end->complete)
                return WATCH_REASON_BROKEN;
        return state->request == WATCH_REQUEST_WATCH ? WATCH_REASON_ENDED : WATCH_REASON_PROGRESS;
}

/* Whether the same request is worth repeating, rather than to begin with a new list; a page too, for its
 * continue token stays good. An ERROR in a stream, though, may be about the very version it began with (one
 * from before etcd was restored gives 504). */
static bool is_repeatable(enum watch_reason reason, const struct watch_end *end)
{
        if (end->stream_error)
                return reason == WATCH_REASON_THROTTLED;
        switch (reason) {
        case WATCH_REASON_ENDED:
        case WATCH_REASON_BROKEN:
        case WATCH_REASON_SILENT:
        case WATCH_REASON_UNREACHABLE:
        case WATCH_REASON_UNAUTHORIZED:
        case WATCH_REASON_FORBIDDEN:
        case WATCH_REASON_THROTTLED:
        case WATCH_REASON_SERVER_ERROR:
                return true;
        default:
                return false;
        }
}

struct watch_next watch_state_ended(struct watch_state *state, const struct watch_end *end, uint32_t random)
{
        struct watch_next next = {.reason = reason_of(state, end)};
        bool was_watch = state->request == WATCH_REQUEST_WATCH;
        bool was_steady = was_watch && (end->saw_event || end->lived_ms >= STEADY_WATCH_MS);

        if (next.reason == WATCH_REASON_PROGRESS) {
                state->unreachable = false;
                state->request = end->more ? WATCH_REQUEST_PAGE : WATCH_REQUEST_WATCH;
                next.request = state->request;
                next.publish = !end->more;
                return next;
        }
        /* An API server that is back answers 403 and 5xx for a moment, until its caches are filled: what was
         * learnt while there was none at all says nothing about that. */
        if (was_steady || (state->unreachable && end->status))
                backoff_reset(&state->backoff);
        state->unreachable = !end->status;
        if (!is_repeatable(next.reason, end))
                state->request = WATCH_REQUEST_LIST;
        next.request = state->request;
        next.forget_token = next.reason == WATCH_REASON_UNAUTHORIZED;
        if (next.reason != WATCH_REASON_ENDED || !(was_steady || end->lived_ms >= USEFUL_WATCH_MS))
                next.delay_ms = backoff_next(&state->backoff, random, end->retry_after_ms);
        return next;
}

struct watch_next watch_state_relist(struct watch_state *state)
{
        state->request = WATCH_REQUEST_LIST;
        return (struct watch_next){.request = WATCH_REQUEST_LIST, .reason = WATCH_REASON_PERIODIC};
}
