#include "app/controller.h"

#include "app/ahead.h"
#include "app/cluster.h"
#include "app/fleet.h"
#include "app/gate.h"
#include "app/leaver.h"
#include "app/observer.h"
#include "app/planner.h"
#include "app/prober.h"
#include "app/publisher.h"
#include "app/sources.h"
#include "app/table.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/announce_server.h"
#include "io/files.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct controller {
        struct ev_loop *loop;
        const struct options *options;
        const struct config *config;
        struct template_set templates;
        struct sources *sources;
        struct cluster *cluster;
        struct planner *planner;
        struct prober *prober;
        struct keepalived *keepalived;
        struct ahead *ahead;
        struct applier *applier;
        struct gate *gate;
        struct table *table;
        struct ipvs_counts ipvs_counts;
        struct announce_server *announce_server;
        struct observer *observer;
        struct fleet *fleet;
        struct publisher *publisher;
        struct leaver *leaver;
        int64_t keepalived_since_ms;
        ev_signal sigterm, sigint, sighup;
};

/* ---- inputs: they mark, and do nothing else ---- */

static void on_objects_changed(void *userdata)
{
        planner_mark(((struct controller *)userdata)->planner);
}

static void on_services_listed(void *userdata)
{
        struct controller *c = userdata;

        if (c->cluster) /* files are read before there is one */
                cluster_services_listed(c->cluster);
}

/* ---- model → plan → keepalived ---- */

static void on_plan_due(void *userdata)
{
        struct controller *c = userdata;
        struct plan *plan = NULL;

        if (leaver_phase(c->leaver) == LEAVE_OVER || !sources_synced(c->sources))
                return;
        if (planner_build(c->planner, sources_model(c->sources), cluster_addresses(c->cluster), &plan) < 0) {
                log_error("controller", "out of memory; the plan stays as it is");
                planner_mark(c->planner);
                return;
        }
        prober_tell(c->prober, plan);
        cluster_planned(c->cluster, plan);
        gate_want(c->gate, plan);
}

/* ---- kernel table → routes → announcer ---- */

/* Before anything is announced again the table is looked at again: on_table_looked goes on. */
static void on_routes_again(void *userdata)
{
        table_look(((struct controller *)userdata)->table);
}

static void update_routes(struct controller *c)
{
        const struct publisher_input input = {
            .routes = {.plan = applier_plan(c->applier),
                       .kernel = table_states(c->table),
                       .synced = sources_synced(c->sources),
                       .strays = fleet_strays(c->fleet),
                       .keepalived_up = keepalived_is_up(c->keepalived),
                       .settling = table_is_settling(c->table),
                       .draining = leaver_phase(c->leaver) >= LEAVE_DRAINING},
            .keepalived_since_ms = c->keepalived_since_ms,
            .graceful_shutdown = leaver_phase(c->leaver) != LEAVE_STAYING,
            .gone = leaver_phase(c->leaver) == LEAVE_OVER,
        };

        publisher_update(c->publisher, &input);
}

static void on_table_looked(void *userdata)
{
        struct controller *c = userdata;

        update_routes(c);
        leaver_looked(c->leaver);
        prober_follow(c->prober, applier_plan(c->applier), table_content(c->table));
}

static void on_fleet_changed(void *userdata)
{
        update_routes(userdata);
}

static void on_table_remedy(void *userdata, enum table_remedy remedy)
{
        struct controller *c = userdata;

        if (remedy == TABLE_RELOAD)
                keepalived_reload(c->keepalived);
        else
                keepalived_restart(c->keepalived);
}

static void on_applied(void *userdata, bool reloaded)
{
        struct controller *c = userdata;
        const struct plan *plan = applier_plan(c->applier);

        if (reloaded)
                log_info("controller", "applied", LOG_INT("virtual_servers", plan->n_virtual_servers),
                         LOG_INT("vips", plan->n_vips), LOG_INT("problems", plan->n_problems));
        if (table_expect(c->table, plan, reloaded) < 0)
                log_error("controller", "out of memory; nothing is announced");
        cluster_applied(c->cluster, sources_model(c->sources), plan);
        gate_applied(c->gate);
        update_routes(c);
}

/* ---- keepalived ---- */

static void on_keepalived_validated(void *userdata, bool accepted, const char *report)
{
        struct controller *c = userdata;

        applier_validated(c->applier, accepted, report);
}

static void on_keepalived_running(void *userdata, bool up)
{
        struct controller *c = userdata;

        if (!up && leaver_phase(c->leaver) == LEAVE_OVER) {
                ev_break(c->loop, EVBREAK_ALL);
                return;
        }
        /* A new keepalived flushes the table and builds it anew. */
        ahead_forget(c->ahead);
        if (up) {
                c->keepalived_since_ms = clock_monotonic_ms();
                table_settle(c->table);
        }
        update_routes(c);
}

static void on_keepalived_notified(void *userdata, const struct notify_line *line)
{
        struct controller *c = userdata;

        log_info("keepalived", line->up ? "server is up" : "server is down",
                 LOG_TEXT("virtual_server", line->virtual.text), LOG_TEXT("real_server", line->real.text));
        ahead_notified(c->ahead, line);
        table_look(c->table);
}

/* ---- leaving ---- */

static void on_leave_phase(void *userdata)
{
        struct controller *c = userdata;

        update_routes(c);
}

static void on_left(void *userdata)
{
        struct controller *c = userdata;

        if (!keepalived_stop(c->keepalived))
                ev_break(c->loop, EVBREAK_ALL);
}

static void on_stop_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
        struct controller *c = watcher->data;

        (void)loop;
        (void)revents;
        if (leaver_phase(c->leaver) == LEAVE_STAYING)
                cluster_resign(c->cluster);
        leaver_leave(c->leaver, c->table, c->announce_server); /* the second one is for the impatient */
}

/* ---- templates ---- */

static void on_bad_template(void *userdata, const struct error *error)
{
        (void)userdata;
        log_error("templates", "left out", LOG_ERROR_FIELDS(error));
}

static int read_templates(struct controller *c, struct error *error)
{
        struct template_set templates = {0};
        int r = files_read_templates(c->options->templates, &templates, on_bad_template, NULL, error);

        if (r < 0) {
                template_set_clear(&templates);
                return r;
        }
        template_set_clear(&c->templates);
        c->templates = templates;
        return 0;
}

static void on_sighup(struct ev_loop *loop, ev_signal *watcher, int revents)
{
        struct controller *c = watcher->data;
        struct error error = {0};

        (void)loop;
        (void)revents;
        if (read_templates(c, &error) < 0) {
                log_error("templates", "not read; the old ones stay", LOG_ERROR_FIELDS(&error));
                return;
        }
        log_info("templates", "read again", LOG_INT("templates", c->templates.count));
        applier_forget_refusals(c->applier);
        planner_mark(c->planner);
}

/* ---- composition ---- */

static void on_observed(void *userdata, struct observed *out)
{
        const struct controller *c = userdata;

        *out = (struct observed){
            .applier = c->applier,
            .table = c->table,
            .sources = c->sources,
            .keepalived = c->keepalived,
            .announce_server = c->announce_server,
            .routes = publisher_routes(c->publisher),
            .announce_set = publisher_set(c->publisher),
            .ipvs_counts = &c->ipvs_counts,
            .reconcile = planner_durations(c->planner),
            .leaving = leaver_phase(c->leaver),
            .leading = c->cluster && cluster_is_leading(c->cluster),
            .peers = fleet_peers(c->fleet),
            .fuse_blown = gate_fuse(c->gate)->blown,
            .fuse_trips = gate_fuse(c->gate)->trips,
        };
}

static void start_signal(struct controller *c, ev_signal *watcher, int number,
                         void (*callback)(struct ev_loop *, ev_signal *, int))
{
        ev_signal_init(watcher, callback, number);
        watcher->data = c;
        ev_signal_start(c->loop, watcher);
}

static int make_sockets(struct controller *c, struct error *error)
{
        const struct publisher_listener publisher_listener = {c, on_routes_again};
        const char *run_dir = c->options->run_dir;
        char path[PATH_MAX];
        int r;

        (void)snprintf(path, sizeof(path), "%s/announce.sock", run_dir);
        r = announce_server_new(c->loop, path, &c->announce_server, error);
        if (r == 0)
                r = publisher_new(c->loop, c->config, c->announce_server, &publisher_listener, &c->publisher,
                                  error);
        return r < 0 ? r : observer_new(c->loop, c->options, on_observed, c, &c->observer, error);
}

static int make_parts(struct controller *c, struct error *error)
{
        const struct keepalived_listener keepalived_listener = {
            c, on_keepalived_validated, on_keepalived_running, on_keepalived_notified};
        const struct gate_listener gate_listener = {c, on_objects_changed};
        const struct applier_listener applier_listener = {c, on_applied};
        const struct table_listener table_listener = {c, on_table_looked, on_table_remedy};
        const struct sources_listener sources_listener = {c, on_objects_changed, on_services_listed};
        const struct leaver_listener leaver_listener = {c, on_leave_phase, on_left};
        int r = leaver_new(c->loop, c->options, &leaver_listener, &c->leaver, error);

        if (r < 0)
                return r;
        r = read_templates(c, error);

        if (r < 0)
                return r == -ENOMEM ? r : -EINVAL; /* whatever is wrong with them is bad configuration */
        if (mkdir(c->options->run_dir, 0755) < 0 && errno != EEXIST) {
                r = -errno;
                (void)error_set(error, c->options->run_dir, "cannot make the run directory: %s",
                                strerror(-r));
                return r == -EINVAL ? -EIO : r;
        }
        r = keepalived_new(c->loop, c->options->keepalived, c->options->run_dir, &keepalived_listener,
                           &c->keepalived, error);
        if (r < 0)
                return r;
        c->ahead = ahead_new(c->loop, &c->ipvs_counts);
        c->applier = applier_new(c->loop, c->keepalived, c->ahead, &applier_listener);
        c->table = table_new(c->loop, &c->ipvs_counts, &table_listener);
        c->planner = planner_new(c->loop, c->config, on_plan_due, c);
        c->prober = prober_new(c->loop, on_objects_changed, c);
        if (!c->ahead || !c->applier || !c->table || !c->planner || !c->prober)
                return error_oom(error);
        applier_set_templates(c->applier, &c->templates);
        r = gate_new(c->loop, c->options, c->config, c->applier, &gate_listener, &c->gate, error);
        if (r == 0)
                r = make_sockets(c, error);
        if (r == 0)
                r = sources_new(c->loop, c->options, c->config, &sources_listener, &c->sources, error);
        if (r == 0)
                r = cluster_new(c->loop, c->options, c->sources, on_objects_changed, c, &c->cluster, error);
        return r < 0 ? r
                     : fleet_new(c->loop, c->options, c->sources, c->applier, on_fleet_changed, c, &c->fleet,
                                 error);
}

int controller_new(struct ev_loop *loop, const struct options *options, const struct config *config,
                   struct controller **out, struct error *error)
{
        struct controller *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return error_oom(error);
        *c = (struct controller){.loop = loop, .options = options, .config = config};
        start_signal(c, &c->sigterm, SIGTERM, on_stop_signal);
        start_signal(c, &c->sigint, SIGINT, on_stop_signal);
        start_signal(c, &c->sighup, SIGHUP, on_sighup);
        r = make_parts(c, error);
        if (r < 0) {
                controller_free(c);
                return r;
        }
        *out = c;
        return 0;
}

void controller_run(struct controller *c)
{
        (void)ev_run(c->loop, 0);
}

void controller_free(struct controller *c)
{
        if (!c)
                return;
        ev_signal_stop(c->loop, &c->sigterm);
        ev_signal_stop(c->loop, &c->sigint);
        ev_signal_stop(c->loop, &c->sighup);
        fleet_free(c->fleet);
        cluster_free(c->cluster);
        sources_free(c->sources);
        observer_free(c->observer);
        publisher_free(c->publisher);
        announce_server_free(c->announce_server);
        leaver_free(c->leaver);
        prober_free(c->prober);
        planner_free(c->planner);
        table_free(c->table);
        gate_free(c->gate);
        applier_free(c->applier);
        ahead_free(c->ahead);
        keepalived_free(c->keepalived);
        template_set_clear(&c->templates);
        free(c);
}
