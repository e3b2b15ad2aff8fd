#include "core/metrics.h"

#include "core/fingerprint.h"
#include "core/kube_url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        double limit_s;
        const char *label;
} buckets[METRICS_BUCKETS] = {{0.001, "0.001"}, {0.005, "0.005"}, {0.025, "0.025"},
                              {0.1, "0.1"},     {0.5, "0.5"},     {2.5, "2.5"}};

void metrics_observe(struct metrics_histogram *histogram, double seconds)
{
        if (seconds < 0)
                seconds = 0;
        for (size_t i = 0; i < METRICS_BUCKETS; i++)
                if (seconds <= buckets[i].limit_s) {
                        histogram->buckets[i]++;
                        break;
                }
        histogram->count++;
        histogram->sum_s += seconds;
}

/* ---- lines: the first failure stays in `r`, and nothing is written after it ---- */

struct writer {
        struct strbuf *out;
        const char *name; /* of the family under way */
        int r;
};

#define PRINT(w, ...)                                                  \
        do {                                                           \
                if ((w)->r == 0)                                       \
                        (w)->r = strbuf_printf((w)->out, __VA_ARGS__); \
        } while (0)

static void family(struct writer *w, const char *name, const char *type, const char *help)
{
        w->name = name;
        PRINT(w, "# HELP coracle_%s %s\n# TYPE coracle_%s %s\n", name, help, name, type);
}

static void put_char(struct writer *w, char c)
{
        if (w->r == 0)
                w->r = strbuf_append(w->out, &c, 1);
}

/* A label's value: backslash, quote and newline are escaped. */
static void label(struct writer *w, char before, const char *name, const char *value)
{
        PRINT(w, "%c%s=\"", before, name);
        for (const char *c = value; *c; c++) {
                if (*c == '\\' || *c == '"' || *c == '\n')
                        put_char(w, '\\');
                if (*c == '\n')
                        put_char(w, 'n');
                else
                        put_char(w, *c);
        }
        put_char(w, '"');
}

/* NAME{key="text"} value; `key` NULL: without. */
static void count_of(struct writer *w, const char *key, const char *text, uint64_t value)
{
        PRINT(w, "coracle_%s", w->name);
        if (key) {
                label(w, '{', key, text);
                put_char(w, '}');
        }
        PRINT(w, " %" PRIu64 "\n", value);
}

static void count_of_two(struct writer *w, const char *key1, const char *text1, const char *key2,
                         const char *text2, uint64_t value)
{
        PRINT(w, "coracle_%s", w->name);
        label(w, '{', key1, text1);
        label(w, ',', key2, text2);
        PRINT(w, "} %" PRIu64 "\n", value);
}

/* Thousandths, written exactly. */
static void seconds(struct writer *w, const char *key, const char *text, int64_t ms)
{
        PRINT(w, "coracle_%s", w->name);
        if (key) {
                label(w, '{', key, text);
                put_char(w, '}');
        }
        PRINT(w, " %" PRId64 ".%03d\n", ms / 1000, (int)(ms % 1000));
}

static void single(struct writer *w, const char *name, const char *type, const char *help, uint64_t value)
{
        family(w, name, type, help);
        count_of(w, NULL, NULL, value);
}

/* ---- the API ---- */

static void put_watches(struct writer *w, const struct metrics_watch *watches)
{
        static const struct {
                const char *name, *help;
                size_t offset;
        } counters[] = {
            {"lists_total", "Complete lists received.", offsetof(struct metrics_watch, lists)},
            {"watches_total", "Watches begun.", offsetof(struct metrics_watch, watches)},
            {"watch_events_total", "Changes heard of by watches.", offsetof(struct metrics_watch, events)},
            {"bad_objects_total", "Objects that did not decode; their last good version stays.",
             offsetof(struct metrics_watch, bad_objects)},
        };

        for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
                family(w, counters[i].name, "counter", counters[i].help);
                for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                        const char *counter = (const char *)&watches[kind] + counters[i].offset;

                        count_of(w, "resource", kube_kind_resource(kind),
                                 *(const uint64_t *)(const void *)counter);
                }
        }
        family(w, "watch_restarts_total", "counter", "Lists and watches begun again, by why.");
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                for (enum watch_reason reason = WATCH_REASON_PROGRESS + 1; reason < WATCH_REASON_COUNT;
                     reason++)
                        count_of_two(w, "resource", kube_kind_resource(kind), "reason",
                                     watch_reason_name(reason), watches[kind].restarts[reason]);
        family(w, "sync_age_seconds", "gauge", "Since the API last said anything about the resource.");
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                if (watches[kind].contact_age_ms >= 0)
                        seconds(w, "resource", kube_kind_resource(kind), watches[kind].contact_age_ms);
        family(w, "list_age_seconds", "gauge", "Since the last complete list of the resource.");
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                if (watches[kind].list_age_ms >= 0)
                        seconds(w, "resource", kube_kind_resource(kind), watches[kind].list_age_ms);
}

static void put_answers(struct writer *w, const uint64_t *answers)
{
        family(w, "api_requests_total", "counter",
               "Requests to the API that are over, by the answer's HTTP status.");
        for (unsigned int code = 0; code < METRICS_CODES; code++) {
                char text[16] = "none";

                if (!answers[code])
                        continue;
                if (code)
                        (void)snprintf(text, sizeof(text), "%u", code);
                count_of(w, "code", text, answers[code]);
        }
}

/* ---- from plan to kernel ---- */

static void put_reconcile(struct writer *w, const struct metrics_histogram *histogram)
{
        uint64_t total = 0;

        family(w, "reconcile_duration_seconds", "histogram",
               "From the objects to a plan handed to keepalived.");
        for (size_t i = 0; i < METRICS_BUCKETS; i++) {
                total += histogram->buckets[i];
                PRINT(w, "coracle_%s_bucket{le=\"%s\"} %" PRIu64 "\n", w->name, buckets[i].label, total);
        }
        PRINT(w, "coracle_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", w->name, histogram->count);
        PRINT(w, "coracle_%s_sum %.6f\ncoracle_%s_count %" PRIu64 "\n", w->name, histogram->sum_s, w->name,
              histogram->count);
}

static void put_operations(struct writer *w, const struct ipvs_counts *counts)
{
        family(w, "kernel_operations_total", "counter",
               "What coracle itself, beside keepalived, asked of the kernel's IPVS.");
        for (enum ipvs_operation operation = 0; operation < IPVS_OPERATION_COUNT; operation++) {
                const char *name = ipvs_operation_name(operation);

                count_of_two(w, "operation", name, "outcome", "done", counts->done[operation]);
                count_of_two(w, "operation", name, "outcome", "failed", counts->failed[operation]);
        }
}

static void put_kernel(struct writer *w, const struct metrics *m)
{
        single(w, "keepalived_up", "gauge", "Whether keepalived runs.", m->keepalived_up);
        single(w, "keepalived_starts_total", "counter", "Times keepalived was started.",
               m->keepalived_starts);
        single(w, "keepalived_reloads_total", "counter",
               "Times keepalived was told to read its configuration.", m->keepalived_reloads);
        single(w, "apply_failures_total", "counter", "Plans that could not be applied at the first try.",
               m->apply_failures);
        single(w, "table_readable", "gauge", "Whether the kernel's table could be read.", m->table != NULL);
        single(w, "table_settling", "gauge", "Whether a change is on its way into the kernel.", m->settling);
        single(w, "table_differences", "gauge",
               "Virtual servers that differ between the kernel and the plan.", m->table_differences);
        put_operations(w, m->ipvs_counts);
        single(w, "plan_fingerprint", "gauge",
               "Hash of the applied plan; the same on every LB pod that holds the same.",
               plan_fingerprint(m->plan));
        if (m->table)
                single(w, "table_fingerprint", "gauge",
                       "Hash of the kernel's table; the plan's if it holds just that.",
                       ipvs_table_fingerprint(m->table));
        single(w, "virtual_servers", "gauge", "Virtual servers of the applied plan.",
               m->plan ? m->plan->n_virtual_servers : 0);
        single(w, "plan_problems", "gauge", "Things that could not be done as Services ask for.",
               m->plan_problems);
}

static void service_labels(struct writer *w, char before, const char *name)
{
        const char *slash = strchrnul(name, '/');
        _cleanup_free_ char *namespace = strndup(name, (size_t)(slash - name));

        if (!namespace) {
                w->r = -ENOMEM;
                return;
        }
        label(w, before, "namespace", namespace);
        label(w, ',', "service", *slash ? slash + 1 : "");
}

/* Per service, all its VIPs together; `state` picks the number. */
static void put_servers_of(struct writer *w, const struct plan *plan, const uint32_t *numbers,
                           const char *state)
{
        for (size_t i = 0; i < plan->n_services; i++) {
                PRINT(w, "coracle_%s", w->name);
                service_labels(w, '{', plan->services[i].name);
                label(w, ',', "state", state);
                PRINT(w, "} %" PRIu32 "\n", numbers[i]);
        }
}

static void put_servers(struct writer *w, const struct metrics *m)
{
        static const char *const states[] = {"up", "draining", "down"};
        _cleanup_free_ uint32_t *numbers = NULL;
        size_t n;

        if (!m->plan || !m->table)
                return;
        n = m->plan->n_services;
        numbers = calloc(3 * n + 1, sizeof(*numbers));
        if (!numbers) {
                w->r = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < m->plan->n_virtual_servers; i++) {
                const struct virtual_server *vs = &m->plan->virtual_servers[i];
                struct ipvs_vip_state state = ipvs_virtual_state(ipvs_table_find(m->table, vs), vs);

                numbers[vs->service] += state.up;
                numbers[n + vs->service] += state.draining;
                numbers[2 * n + vs->service] += state.down;
        }
        family(w, "real_servers", "gauge",
               "Real servers in the kernel's table; down: planned, but their check fails.");
        for (size_t i = 0; i < 3; i++)
                put_servers_of(w, m->plan, numbers + i * n, states[i]);
}

static void put_tunnels(struct writer *w, const struct plan *plan)
{
        family(w, "tunnel_unanswered", "gauge",
               "Real servers that do not answer a ping through the tunnel, of services by tunnel.");
        for (size_t i = 0; i < plan->n_services; i++) {
                if (plan->services[i].forwarding != FORWARDING_TUNNEL)
                        continue;
                PRINT(w, "coracle_%s", w->name);
                service_labels(w, '{', plan->services[i].name);
                PRINT(w, "} %" PRIu32 "\n", plan->services[i].tunnel_unanswered);
        }
}

/* ---- routes and the fleet ---- */

static void put_withheld(struct writer *w, const struct metrics *m)
{
        family(w, "vip_withheld", "gauge", "A VIP that is not announced, and why: 1 while that is so.");
        for (size_t i = 0; m->plan && i < m->plan->n_vips && i < m->routes->count; i++) {
                const struct route *route = &m->routes->routes[i];
                char text[ADDR_TEXT_SIZE];

                if (route->state == ROUTE_ANNOUNCED)
                        continue;
                PRINT(w, "coracle_%s", w->name);
                service_labels(w, '{', m->plan->services[m->plan->vips[i].service].name);
                label(w, ',', "vip", addr_format(&route->vip, text));
                label(w, ',', "reason", route_state_name(route->state));
                PRINT(w, "} 1\n");
        }
}

static void put_routes(struct writer *w, const struct metrics *m)
{
        static const enum route_state withheld[] = {
            ROUTE_UNSYNCED, ROUTE_KEEPALIVED_DOWN, ROUTE_TABLE_DIFFERS, ROUTE_NO_REAL_SERVER,
            ROUTE_DRAINING, ROUTE_HELD_DOWN,       ROUTE_STRAYS,        ROUTE_UNGUARDED};
        uint64_t counts[ROUTE_UNGUARDED + 1] = {0};

        for (size_t i = 0; i < m->routes->count; i++)
                counts[m->routes->routes[i].state]++;
        single(w, "vips_announced", "gauge", "VIPs whose route should be announced.",
               counts[ROUTE_ANNOUNCED]);
        family(w, "vips_withheld", "gauge", "VIPs that are not announced, by why.");
        for (size_t i = 0; i < sizeof(withheld) / sizeof(*withheld); i++)
                count_of(w, "reason", route_state_name(withheld[i]), counts[withheld[i]]);
        put_withheld(w, m);
        single(w, "announcer_connected", "gauge", "Whether coracle-announcer is connected.",
               m->report != NULL);
        single(w, "routes_announced", "gauge", "Routes that exabgp has announced.",
               m->report ? m->report->announced.count : 0);
        single(w, "bgp_sessions", "gauge", "BGP sessions that should be up.",
               m->report ? m->report->neighbors : 0);
        single(w, "bgp_sessions_up", "gauge", "BGP sessions that are.",
               m->report ? m->report->neighbors_up : 0);
}

int metrics_format(const struct metrics *m, struct strbuf *out)
{
        struct writer w = {.out = out};

        family(&w, "build_info", "gauge", "The version that runs.");
        count_of(&w, "version", m->version, 1);
        family(&w, "start_time_seconds", "gauge", "When the daemon started, since the epoch.");
        seconds(&w, NULL, NULL, m->started_ms);
        single(&w, "synced", "gauge", "Whether everything was listed completely once.", m->synced);
        single(&w, "leader", "gauge", "Whether this pod writes addresses into Services' statuses.",
               m->leading);
        single(&w, "fleet_peers", "gauge", "Other LB pods that told what they plan; 0 without --fleet.",
               m->fleet_peers);
        if (m->watches)
                put_watches(&w, m->watches);
        if (m->api_answers)
                put_answers(&w, m->api_answers);
        put_reconcile(&w, m->reconcile);
        put_kernel(&w, m);
        put_servers(&w, m);
        if (m->plan && m->plan->tunnels_probed)
                put_tunnels(&w, m->plan);
        put_routes(&w, m);
        single(&w, "fuse_blown", "gauge",
               "Whether a plan is held back because it takes too many servers away.", m->fuse_blown);
        single(&w, "fuse_trips_total", "counter", "Times the fuse has blown.", m->fuse_trips);
        return w.r;
}
