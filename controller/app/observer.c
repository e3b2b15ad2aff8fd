#include "app/observer.h"

#include "app/describe.h"
#include "app/fleet.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/health.h"
#include "io/http_server.h"
#include "io/status_server.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct observer {
        observer_fn *look;
        void *userdata;
        int64_t started_ms; /* wall clock */
        struct status_server *status_server;
        struct http_server *http_server; /* NULL: not asked for */
};

/* ---- coracle status ---- */

static json_t *on_status_asked(void *userdata)
{
        const struct observer *observer = userdata;
        struct observed seen = {0};

        observer->look(observer->userdata, &seen);
        return describe(&(struct describe_input){
            .plan = applier_plan(seen.applier),
            .table = table_content(seen.table),
            .states = table_states(seen.table),
            .routes = seen.routes,
            .report = announce_server_report(seen.announce_server),
            .synced = sources_synced(seen.sources),
            .keepalived_up = keepalived_is_up(seen.keepalived),
            .settling = table_is_settling(seen.table),
            .leaving = seen.leaving,
            .differences = table_differences(seen.table),
            .apply_failures = applier_failures(seen.applier),
        });
}

/* ---- HTTP ---- */

static void answer_ready(const struct observed *seen, bool local, struct http_answer *answer)
{
        const struct plan *plan = applier_plan(seen->applier);
        const struct announce_report *report = announce_server_report(seen->announce_server);
        const struct health health = {
            .synced = sources_synced(seen->sources) && plan,
            .keepalived_up = keepalived_is_up(seen->keepalived),
            .table_readable = table_content(seen->table) != NULL,
            .settling = table_is_settling(seen->table),
            .planned = plan && plan->n_virtual_servers,
            .differences = table_differences(seen->table),
            .leaving = seen->leaving != LEAVE_STAYING,
            .local = local,
            .checking = seen->announce_set->starting,
            .wanted = seen->announce_set->routes.count,
            .announced = report ? report->announced.count : 0,
            .announcer_connected = report != NULL,
            .sessions_up = report ? report->neighbors_up : 0,
        };
        int r = health_ready(&health, &answer->body);

        answer->status = r < 0 ? 500 : r ? 200 : 503;
}

static void answer_metrics(const struct observer *observer, const struct observed *seen,
                           struct http_answer *answer)
{
        struct metrics_watch watches[KUBE_KIND_COUNT];
        bool has_api = sources_metrics(seen->sources, clock_monotonic_ms(), watches);
        struct keepalived_stats keepalived = keepalived_stats(seen->keepalived);
        const struct plan *plan = applier_plan(seen->applier);
        const struct metrics metrics = {
            .version = CORACLE_VERSION,
            .started_ms = observer->started_ms,
            .synced = sources_synced(seen->sources),
            .watches = has_api ? watches : NULL,
            .api_answers = has_api ? http_client_answers(sources_client(seen->sources)) : NULL,
            .plan_problems = plan ? plan->n_problems : 0,
            .reconcile = seen->reconcile,
            .keepalived_reloads = keepalived.reloads,
            .keepalived_starts = keepalived.starts,
            .keepalived_up = keepalived_is_up(seen->keepalived),
            .apply_failures = applier_failures(seen->applier),
            .plan = plan,
            .table = table_content(seen->table),
            .ipvs_counts = seen->ipvs_counts,
            .table_differences = table_differences(seen->table),
            .settling = table_is_settling(seen->table),
            .routes = seen->routes,
            .leading = seen->leading,
            .fleet_peers = seen->peers,
            .report = announce_server_report(seen->announce_server),
            .fuse_blown = seen->fuse_blown,
            .fuse_trips = seen->fuse_trips,
        };

        answer->status = 200;
        answer->content_type = METRICS_CONTENT_TYPE;
        if (metrics_format(&metrics, &answer->body) < 0) {
                strbuf_reset(&answer->body);
                answer->status = 500;
        }
}

static void on_http_asked(void *userdata, const char *path, struct http_answer *answer)
{
        const struct observer *observer = userdata;
        struct observed seen = {0};

        observer->look(observer->userdata, &seen);
        if (strcmp(path, "/livez") == 0) /* the loop runs; nothing else would be mended by a restart */
                answer->status = strbuf_puts(&answer->body, "ok\n") < 0 ? 500 : 200;
        else if (strcmp(path, "/readyz") == 0)
                answer_ready(&seen, false, answer);
        else if (strcmp(path, "/readyz/local") == 0)
                answer_ready(&seen, true, answer);
        else if (strcmp(path, "/fingerprint") == 0 && applier_plan(seen.applier))
                answer->status = fleet_answer(applier_plan(seen.applier), &answer->body) < 0 ? 500 : 200;
        else if (strcmp(path, "/metrics") == 0)
                answer_metrics(observer, &seen, answer);
}

static int open_sockets(struct observer *observer, struct ev_loop *loop, const struct options *options,
                        struct error *error)
{
        char path[PATH_MAX];
        int r;

        (void)snprintf(path, sizeof(path), "%s/coracle.sock", options->run_dir);
        r = status_server_new(loop, path, on_status_asked, observer, &observer->status_server, error);
        if (r < 0 || !options->http_address)
                return r;
        r = http_server_new(loop, options->http_address, on_http_asked, observer, &observer->http_server,
                            error);
        if (r == 0)
                log_info("http", "listening", LOG_TEXT("address", options->http_address),
                         LOG_INT("port", http_server_port(observer->http_server)));
        return r;
}

int observer_new(struct ev_loop *loop, const struct options *options, observer_fn *look, void *userdata,
                 struct observer **out, struct error *error)
{
        struct observer *observer = calloc(1, sizeof(*observer));
        int r;

        if (!observer)
                return error_oom(error);
        *observer = (struct observer){.look = look, .userdata = userdata, .started_ms = clock_unix_ms()};
        r = open_sockets(observer, loop, options, error);
        if (r < 0) {
                observer_free(observer);
                return r;
        }
        *out = observer;
        return 0;
}

void observer_free(struct observer *observer)
{
        if (!observer)
                return;
        http_server_free(observer->http_server);
        status_server_free(observer->status_server);
        free(observer);
}
