/* What /metrics says, in Prometheus' text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * The app fills a struct from what its parts count anyway; the names, the units and the words are here. The
 * README's table lists them: they are an interface that alerts are built on.
 */
#pragma once

#include "base/strbuf.h"
#include "core/ipvs_compare.h"
#include "core/kube_decode.h"
#include "core/routes.h"
#include "core/watch_state.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* How long something took. Zero-initialised is empty. */
#define METRICS_BUCKETS 6
struct metrics_histogram {
        uint64_t buckets[METRICS_BUCKETS]; /* not cumulative; of 1, 5, 25, 100, 500 ms and 2.5 s */
        uint64_t count;
        double sum_s;
};

void metrics_observe(struct metrics_histogram *histogram, double seconds);

/* One kind that is followed at the API; several namespaces of it added up. */
struct metrics_watch {
        uint64_t lists, watches, events, bad_objects;
        uint64_t restarts[WATCH_REASON_COUNT];
        int64_t contact_age_ms; /* since the API said anything; of several the oldest; -1: it never did */
        int64_t list_age_ms;    /* since the last complete list; likewise */
};

#define METRICS_CODES 600 /* HTTP status codes are below */

struct metrics {
        const char *version;
        int64_t started_ms; /* wall clock, since the epoch */

        bool synced;
        const struct metrics_watch *watches; /* per enum kube_kind; NULL: objects come from files */
        const uint64_t *api_answers; /* METRICS_CODES counters by status, 0: none came; NULL likewise */
        uint64_t plan_problems;      /* of the plan as it is */

        const struct metrics_histogram *reconcile;
        uint64_t keepalived_reloads, keepalived_starts;
        bool keepalived_up;
        uint64_t apply_failures;

        const struct plan *plan;        /* applied; NULL: none yet */
        const struct ipvs_table *table; /* NULL: cannot be read */
        const struct ipvs_counts *ipvs_counts;
        uint64_t table_differences;
        bool settling;

        const struct routes *routes;
        bool leading;
        size_t fleet_peers;                   /* other LB pods that have answered */
        const struct announce_report *report; /* NULL: no announcer */

        bool fuse_blown;
        uint64_t fuse_trips;
};

/* Appends the whole text. Returns 0 or -ENOMEM. */
int metrics_format(const struct metrics *metrics, struct strbuf *out);
