/* Follows one kind of the API's objects: list, then watch, for ever. The decisions are core/watch_state's;
 * here are the requests, the bytes and the timers.
 *
 * The listener hears of complete lists and of single changes, in order. While the API is away it hears
 * nothing, and keeps what it has. It is called from within libcurl: it must neither start nor cancel requests
 * nor free the watch, but note what is to be done and do it later.
 */
#pragma once

#include "base/error.h"
#include "core/watch_state.h"
#include "io/http_client.h"
#include "io/source.h"

#include <ev.h>

struct kube_watch_options {
        enum kube_kind kind;
        const char *server;     /* as in struct kube_config; copied */
        const char *namespace;  /* NULL: all; copied */
        unsigned int page_size; /* objects; 0: 500 */
        unsigned int relist_s;  /* the slow re-list, give or take a tenth; 0: 300 */
        unsigned int idle_s;    /* a watch may be silent for so long (bookmarks come each minute); 0: 150 */
        unsigned int timeout_s; /* a watch is asked to last for so long or up to twice that; 0: 300 */
};

/* For metrics. Counters since the start. */
struct kube_watch_stats {
        uint64_t lists; /* complete ones */
        uint64_t pages;
        uint64_t watches; /* started */
        uint64_t events;  /* objects, without bookmarks */
        uint64_t bad_objects;
        uint64_t restarts[WATCH_REASON_COUNT]; /* requests by why they were made, PROGRESS aside */
        int last_status;                       /* HTTP status of the last answer; 0: none */
        int64_t last_contact_ms;               /* CLOCK_MONOTONIC of the last byte; 0: never */
        int64_t last_list_ms;                  /* likewise, of the last complete list */
        int64_t list_began_ms;                 /* likewise, of the last list that was begun */
        bool watching;                         /* a watch is under way and was answered */
};

struct kube_watch;

/* `client` and `loop` must outlive the watch. Returns 0 and *out, or -ENOMEM with *error set. */
int kube_watch_new(struct ev_loop *loop, struct http_client *client, const struct kube_watch_options *options,
                   const struct source_listener *listener, struct kube_watch **out, struct error *error);

/* Begins. The listener is called from the loop only. */
void kube_watch_start(struct kube_watch *watch);

/* Begins a list now, whatever is under way: what the listener hears next of a complete list is no older than
 * this call. Not from within the listener. */
void kube_watch_relist(struct kube_watch *watch);

/* Borrowed. */
const struct kube_watch_stats *kube_watch_stats(const struct kube_watch *watch);

/* Ends the request under way, without a call to the listener. NULL is fine. */
void kube_watch_free(struct kube_watch *watch);
