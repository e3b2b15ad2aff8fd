/* What to ask of the API next, after how the last request ended: the reflector's decisions, without its
 * network. A kind is followed by a list in pages, then watches that resume from the last resourceVersion,
 * until something says that this version is no longer to be had; then by a list again.
 *
 * Pure: randomness and durations are arguments, the caller keeps the clock, the tokens and the objects.
 */
#pragma once

#include "core/backoff.h"

#include <stdbool.h>
#include <stdint.h>

enum watch_request {
        WATCH_REQUEST_LIST,  /* a list's first page; what was collected of another is to be forgotten */
        WATCH_REQUEST_PAGE,  /* the next page of the list under way */
        WATCH_REQUEST_WATCH, /* from the last resourceVersion on */
};

/* Why the next request is made; what restarts are counted by. */
enum watch_reason {
        WATCH_REASON_PROGRESS, /* the one before succeeded */
        WATCH_REASON_PERIODIC, /* the slow re-list */
        WATCH_REASON_ENDED,    /* a watch ended as watches do: its timeout, or its reader was too slow */
        WATCH_REASON_BROKEN,   /* the connection broke in the middle of an answer */
        WATCH_REASON_SILENT,
        WATCH_REASON_UNREACHABLE,
        WATCH_REASON_EXPIRED, /* 410, in the stream or as a status, or a continue token not taken */
        WATCH_REASON_MALFORMED,
        WATCH_REASON_UNAUTHORIZED, /* 401 */
        WATCH_REASON_FORBIDDEN,    /* 403 */
        WATCH_REASON_THROTTLED,    /* 429 */
        WATCH_REASON_SERVER_ERROR, /* 5xx */
        WATCH_REASON_REFUSED,      /* any other status */
        WATCH_REASON_COUNT,
};

/* "progress", "periodic" and so on: label values for metrics and logs. */
const char *watch_reason_name(enum watch_reason reason);

/* How a request ended. */
struct watch_end {
        int status;    /* HTTP status; 0: none */
        bool complete; /* the answer came to its proper end, with no half line */
        bool timed_out;
        bool malformed;         /* the content was not what it has to be */
        bool more;              /* a page that says that another follows */
        bool saw_event;         /* of a watch: an object or a bookmark */
        int stream_error;       /* of a watch: the code of an ERROR in the stream; 0: none */
        int64_t lived_ms;       /* from request to end */
        int64_t retry_after_ms; /* -1: the server did not say */
};

struct watch_next {
        enum watch_request request;
        enum watch_reason reason;
        int64_t delay_ms;
        bool publish;      /* the list that has just ended is complete: act on it */
        bool forget_token; /* read it again before the next request */
};

/* Zero-initialised: begin with a list. */
struct watch_state {
        enum watch_request request; /* under way, or waited for */
        struct backoff backoff;
        bool unreachable; /* the last request had no answer at all */
};

/* The request under way has ended: decides on the next one. */
struct watch_next watch_state_ended(struct watch_state *state, const struct watch_end *end, uint32_t random);

/* The slow re-list is due, and the request under way (or waited for) is a watch. */
struct watch_next watch_state_relist(struct watch_state *state);
