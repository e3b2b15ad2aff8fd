#include "io/source_filter.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "io/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define RESTORE_TIMEOUT_S 10.0
#define LOCK_WAIT "5" /* seconds; others may use iptables in this namespace too */
#define RETRY_S 5.0
#define COMPLAINT_PERIOD_MS 60000
#define TABLES_MAX 4096 /* bytes of the kernel's list of tables */

struct twin {
        struct source_filter *filter;
        const char *tables; /* where the kernel lists its tables */
        char *program;
        char *path;
        struct process process;
        ev_timer timeout;
        ev_timer retry;
        struct log_rate rate;
        struct source_rules in_force; /* empty before the first success */
        struct source_rules tried;    /* on its way, or failed */
        struct source_rules pending;
        bool has_pending;
        bool known;  /* in_force is what the kernel has */
        bool failed; /* tried is not in force */
        bool linked; /* what is on its way takes INPUT for linked */
};

struct source_filter {
        struct ev_loop *loop;
        struct source_filter_listener listener;
        struct twin twins[2]; /* IPv4, IPv6 */
        bool wanting;
};

static struct twin *twin_of(const struct source_filter *filter, uint8_t family)
{
        return (struct twin *)&filter->twins[family == AF_INET6];
}

static bool same_text(const struct source_rules *a, const struct source_rules *b)
{
        return a->text.length == b->text.length &&
               (!a->text.length || memcmp(a->text.text, b->text.text, a->text.length) == 0);
}

static void move(struct source_rules *to, struct source_rules *from)
{
        source_rules_clear(to);
        *to = *from;
        *from = (struct source_rules){0};
}

/* A namespace whose filter table was never used has no rules of ours. */
static bool table_exists(const struct twin *twin)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error = {0};

        return file_read(twin->tables, TABLES_MAX, &text, &error) == 0 && strstr(text.text, "filter");
}

static void begin(struct twin *twin);

/* The outcome is known. */
static void finish(struct twin *twin)
{
        struct source_filter *filter = twin->filter;

        begin(twin);
        if (!filter->wanting && source_filter_is_settled(filter))
                filter->listener.settled(filter->listener.userdata);
}

static void succeed(struct twin *twin)
{
        if (twin->tried.n_vips || twin->in_force.n_vips)
                log_info("source-ranges", "in force", LOG_TEXT("path", twin->path),
                         LOG_INT("vips", twin->tried.n_vips));
        move(&twin->in_force, &twin->tried);
        twin->known = true;
        twin->failed = false;
        finish(twin);
}

static void fail(struct twin *twin, const struct error *error)
{
        struct ev_loop *loop = twin->filter->loop;

        twin->failed = true;
        if (log_rate_allow(&twin->rate, clock_monotonic_ms(), COMPLAINT_PERIOD_MS))
                log_error("source-ranges", "cannot be put in force; the VIPs concerned are not served",
                          LOG_ERROR_FIELDS(error));
        ev_timer_stop(loop, &twin->retry);
        ev_timer_set(&twin->retry, RETRY_S, 0.0);
        ev_timer_start(loop, &twin->retry);
        finish(twin);
}

static void restore(struct twin *twin)
{
        const char *const argv[] = {twin->program, "--noflush", "-w", LOCK_WAIT, twin->path, NULL};
        _cleanup_strbuf_ struct strbuf input = {0};
        struct error error = {0};
        int r = source_rules_input(&twin->tried, twin->linked, &input);

        if (r < 0)
                r = error_oom(&error);
        if (r == 0)
                r = file_write_new(twin->path, input.text, input.length, 0644, &error);
        if (r == 0)
                r = file_replace(twin->path, &error);
        if (r == 0)
                r = process_start(&twin->process, argv, true, &error);
        if (r < 0) {
                fail(twin, &error);
                return;
        }
        ev_timer_set(&twin->timeout, RESTORE_TIMEOUT_S, 0.0);
        ev_timer_start(twin->filter->loop, &twin->timeout);
}

/* The last one who wrote may have been an earlier coracle, or somebody has flushed INPUT: whether it is
 * linked is found out by trying. */
static void try_rules(struct twin *twin)
{
        bool exists = table_exists(twin);

        if ((!twin->known && !exists && !twin->tried.text.length) ||
            (twin->known && same_text(&twin->tried, &twin->in_force))) {
                succeed(twin);
                return;
        }
        twin->linked = exists;
        restore(twin);
}

static void begin(struct twin *twin)
{
        if (twin->process.pid || !twin->has_pending)
                return;
        ev_timer_stop(twin->filter->loop, &twin->retry);
        move(&twin->tried, &twin->pending);
        twin->has_pending = false;
        try_rules(twin);
}

static void on_exit_of_restore(struct process *process, int status)
{
        struct twin *twin = container_of(process, struct twin, process);
        const char *report = process->output.text ? process->output.text : "";
        struct error error = {0};

        ev_timer_stop(twin->filter->loop, &twin->timeout);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                succeed(twin);
                return;
        }
        if (twin->linked) {
                twin->linked = false;
                restore(twin);
                return;
        }
        if (WIFSIGNALED(status)) {
                report = "killed, or took too long";
                twin->known = false; /* it may have been done all the same */
        }
        (void)error_set(&error, twin->program, "%.*s", (int)strcspn(report, "\n"), report);
        fail(twin, &error);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct twin *twin = container_of(watcher, struct twin, timeout);

        (void)loop;
        (void)revents;
        process_kill_group(twin->process.pid);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        try_rules(container_of(watcher, struct twin, retry));
}

static int make_twin(struct source_filter *filter, struct twin *twin, const char *program,
                     const char *run_dir, struct error *error)
{
        bool v6 = twin == &filter->twins[1];
        const char *base = strrchr(program, '/'), *name = strstr(base ? base : program, "iptables");

        *twin = (struct twin){.filter = filter,
                              .tables = v6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names"};
        process_init(&twin->process, filter->loop, on_exit_of_restore);
        ev_timer_init(&twin->timeout, on_timeout, RESTORE_TIMEOUT_S, 0.0);
        ev_timer_init(&twin->retry, on_retry, RETRY_S, 0.0);
        if (!name)
                return error_set(error, "--iptables", "must name a program iptables…-restore");
        if (asprintf(&twin->program, "%.*s%s%s", (int)(name - program), program, v6 ? "ip6" : "ip",
                     name + strlen("ip")) < 0) {
                twin->program = NULL;
                return error_oom(error);
        }
        if (asprintf(&twin->path, "%s/source-ranges.%s", run_dir, v6 ? "v6" : "v4") < 0) {
                twin->path = NULL;
                return error_oom(error);
        }
        return 0;
}

int source_filter_new(struct ev_loop *loop, const char *program, const char *run_dir,
                      const struct source_filter_listener *listener, struct source_filter **out,
                      struct error *error)
{
        struct source_filter *filter = calloc(1, sizeof(*filter));
        int r = 0;

        if (!filter)
                return error_oom(error);
        filter->loop = loop;
        filter->listener = *listener;
        for (size_t i = 0; i < 2; i++) {
                int failed = make_twin(filter, &filter->twins[i], program, run_dir, error);

                r = failed < 0 ? failed : r;
        }
        if (r < 0) {
                source_filter_free(filter);
                return r;
        }
        *out = filter;
        return 0;
}

void source_filter_want(struct source_filter *filter, uint8_t family, struct source_rules *rules)
{
        struct twin *twin = twin_of(filter, family);
        const struct source_rules *newest = twin->has_pending                   ? &twin->pending
                                            : twin->process.pid || twin->failed ? &twin->tried
                                            : twin->known                       ? &twin->in_force
                                                                                : NULL;

        if (newest && same_text(newest, rules)) {
                source_rules_clear(rules);
                return;
        }
        move(&twin->pending, rules);
        twin->has_pending = true;
        filter->wanting = true;
        begin(twin);
        filter->wanting = false;
}

bool source_filter_is_settled(const struct source_filter *filter)
{
        for (size_t i = 0; i < 2; i++)
                if (filter->twins[i].process.pid || filter->twins[i].has_pending)
                        return false;
        return true;
}

bool source_filter_guards(const struct source_filter *filter, const struct addr *vip)
{
        const struct twin *twin = twin_of(filter, vip->family);

        return !twin->failed || source_rules_agree(&twin->in_force, &twin->tried, vip);
}

void source_filter_free(struct source_filter *filter)
{
        if (!filter)
                return;
        for (size_t i = 0; i < 2; i++) {
                struct twin *twin = &filter->twins[i];

                ev_timer_stop(filter->loop, &twin->timeout);
                ev_timer_stop(filter->loop, &twin->retry);
                process_clear(&twin->process);
                source_rules_clear(&twin->in_force);
                source_rules_clear(&twin->tried);
                source_rules_clear(&twin->pending);
                free(twin->program);
                free(twin->path);
        }
        free(filter);
}
