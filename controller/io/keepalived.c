#include "io/keepalived.h"

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "core/backoff.h"
#include "core/ipvs_config.h"
#include "io/ipvs_flush.h"
#include "io/notify_fifo.h"
#include "io/process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALIDATE_TIMEOUT_S 30.0 /* 10,000 real servers take it about 1 s */
#define STOP_TIMEOUT_S 3.0
#define RESTART_MIN_MS                                                                                   \
        500             /* the routers hear of it; until then what it left in the kernel goes on serving \
                         */
#define STABLE_MS 10000 /* having run that long, it is not in a crash loop */

struct keepalived {
        struct ev_loop *loop;
        struct keepalived_listener listener;
        char *program;
        char *path; /* of the configuration; PATH.new is the one being validated */
        char *fifo_path;
        char *pid_path, *checkers_pid_path;
        struct notify_fifo *fifo;
        struct process daemon;
        struct process validator;
        ev_timer validator_timeout;
        ev_timer restart;
        ev_timer stop_timeout;
        struct backoff backoff;
        int64_t started_ms;
        struct keepalived_stats stats;
        bool configured; /* there is an accepted configuration to run with */
        bool stopping;
};

/* -C: checkers only; -B: without it keepalived 2.3 wants to write a file for its BFD process to /run.
 * -I: one that ends leaves the table as it is, so that what still arrives is served until the routers know.
 * -R: a checker that dies takes its parent with it, and so is noticed; keepalived alone would start another,
 * which empties the table and fills it again only as its checks succeed. */
static void start(struct keepalived *k)
{
        const char *const argv[] = {
            k->program,           "-n", "-l", "-C", "-B", "-I", "-R", "-f", k->path, "-p", k->pid_path, "-c",
            k->checkers_pid_path, NULL};
        struct error error = {0};

        /* A number left by an earlier keepalived may be somebody else's by now; it would refuse to start. */
        (void)unlink(k->pid_path);
        (void)unlink(k->checkers_pid_path);
        /* keepalived would do it, but some time later: whoever reads the table until then would take what an
         * earlier one has left for its work. */
        if (ipvs_flush() < 0)
                log_warning("keepalived", "cannot empty the kernel's table: is CAP_NET_ADMIN missing?");
        if (process_start(&k->daemon, argv, false, &error) < 0) {
                log_error("keepalived", "cannot start", LOG_ERROR_FIELDS(&error));
                ev_timer_set(&k->restart, 1.0, 0.0);
                ev_timer_start(k->loop, &k->restart);
                return;
        }
        k->started_ms = clock_monotonic_ms();
        k->stats.starts++;
        log_info("keepalived", "started", LOG_INT("pid", k->daemon.pid));
        k->listener.running(k->listener.userdata, true);
}

static void on_restart(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        start(container_of(watcher, struct keepalived, restart));
}

static void on_daemon_exit(struct process *process, int status)
{
        struct keepalived *k = container_of(process, struct keepalived, daemon);
        uint32_t random = 0;
        int64_t delay_ms;

        process_kill_group(process->child.rpid); /* its checker process may have outlived it */
        ev_timer_stop(k->loop, &k->stop_timeout);
        if (!k->stopping) {
                if (clock_monotonic_ms() - k->started_ms > STABLE_MS)
                        backoff_reset(&k->backoff);
                (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
                delay_ms = backoff_next(&k->backoff, random, 0);
                if (delay_ms < RESTART_MIN_MS)
                        delay_ms = RESTART_MIN_MS;
                log_error("keepalived", "died; starting it again",
                          LOG_INT("exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
                          LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
                          LOG_INT("delay_ms", delay_ms));
                ev_timer_set(&k->restart, (double)delay_ms / 1000, 0.0);
                ev_timer_start(k->loop, &k->restart);
        }
        k->listener.running(k->listener.userdata, false);
}

static void on_validator_exit(struct process *process, int status)
{
        struct keepalived *k = container_of(process, struct keepalived, validator);
        bool accepted = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        const char *report = process->output.text ? process->output.text : "";

        ev_timer_stop(k->loop, &k->validator_timeout);
        if (!accepted && !*report)
                report = WIFSIGNALED(status) ? "keepalived -t was killed, or took too long"
                                             : "keepalived -t failed";
        k->listener.validated(k->listener.userdata, accepted, report);
}

static void on_validator_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct keepalived *k = container_of(watcher, struct keepalived, validator_timeout);

        (void)loop;
        (void)revents;
        process_kill_group(k->validator.pid);
}

static void on_stop_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct keepalived *k = container_of(watcher, struct keepalived, stop_timeout);

        (void)loop;
        (void)revents;
        process_kill_group(k->daemon.pid);
}

static void on_notify(void *userdata, const struct notify_line *line)
{
        struct keepalived *k = userdata;

        k->listener.notified(k->listener.userdata, line);
}

static int make_paths(struct keepalived *k, const char *program, const char *run_dir)
{
        k->program = strdup(program);
        if (!k->program || asprintf(&k->path, "%s/keepalived.conf", run_dir) < 0 ||
            asprintf(&k->fifo_path, "%s/keepalived.fifo", run_dir) < 0 ||
            asprintf(&k->pid_path, "%s/keepalived.pid", run_dir) < 0 ||
            asprintf(&k->checkers_pid_path, "%s/checkers.pid", run_dir) < 0)
                return -ENOMEM;
        return 0;
}

static void keepalived_free_p(struct keepalived **k)
{
        keepalived_free(*k);
}

int keepalived_new(struct ev_loop *loop, const char *program, const char *run_dir,
                   const struct keepalived_listener *listener, struct keepalived **out, struct error *error)
{
        _cleanup_(keepalived_free_p) struct keepalived *k = calloc(1, sizeof(*k));
        int r;

        if (!k)
                return error_oom(error);
        k->loop = loop;
        k->listener = *listener;
        process_init(&k->daemon, loop, on_daemon_exit);
        process_init(&k->validator, loop, on_validator_exit);
        ev_timer_init(&k->validator_timeout, on_validator_timeout, VALIDATE_TIMEOUT_S, 0.0);
        ev_timer_init(&k->restart, on_restart, 0.0, 0.0);
        ev_timer_init(&k->stop_timeout, on_stop_timeout, STOP_TIMEOUT_S, 0.0);
        if (make_paths(k, program, run_dir) < 0)
                return error_oom(error);
        r = notify_fifo_new(loop, k->fifo_path, on_notify, k, &k->fifo, error);
        if (r < 0)
                return r;
        *out = TAKE_PTR(k);
        return 0;
}

const char *keepalived_fifo_path(const struct keepalived *k)
{
        return k->fifo_path;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
        size_t end_length = strlen(end);

        return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

int keepalived_validate(struct keepalived *k, const char *text, size_t length, struct error *error)
{
        char temporary[PATH_MAX];
        const char *const argv[] = {k->program, "-t", "-C", "-f", temporary, NULL};
        int r;

        if (!ends_with(text, length, IPVS_CONFIG_END))
                return error_set(error, k->path, "the new configuration is cut short");
        if (snprintf(temporary, sizeof(temporary), "%s.new", k->path) >= (int)sizeof(temporary))
                return error_set(error, k->path, "path too long");
        r = file_write_new(k->path, text, length, 0644, error);
        if (r == 0)
                r = process_start(&k->validator, argv, true, error);
        if (r < 0)
                return r;
        ev_timer_set(&k->validator_timeout, VALIDATE_TIMEOUT_S, 0.0);
        ev_timer_start(k->loop, &k->validator_timeout);
        return 0;
}

int keepalived_apply(struct keepalived *k, struct error *error)
{
        int r = file_replace(k->path, error);

        if (r < 0)
                return r;
        k->configured = true;
        if (k->daemon.pid)
                keepalived_reload(k);
        else if (!k->stopping && !ev_is_active(&k->restart))
                start(k);
        return 0;
}

void keepalived_reload(struct keepalived *k)
{
        if (k->daemon.pid)
                k->stats.reloads++;
        process_signal(&k->daemon, SIGHUP);
}

void keepalived_restart(struct keepalived *k)
{
        process_kill_group(k->daemon.pid);
}

struct keepalived_stats keepalived_stats(const struct keepalived *k)
{
        return k->stats;
}

bool keepalived_is_up(const struct keepalived *k)
{
        return k->daemon.pid != 0 && !k->stopping;
}

bool keepalived_stop(struct keepalived *k)
{
        k->stopping = true;
        ev_timer_stop(k->loop, &k->restart);
        if (!k->daemon.pid)
                return false;
        process_signal(&k->daemon, SIGTERM);
        ev_timer_set(&k->stop_timeout, STOP_TIMEOUT_S, 0.0);
        ev_timer_start(k->loop, &k->stop_timeout);
        return true;
}

void keepalived_free(struct keepalived *k)
{
        if (!k)
                return;
        ev_timer_stop(k->loop, &k->validator_timeout);
        ev_timer_stop(k->loop, &k->restart);
        ev_timer_stop(k->loop, &k->stop_timeout);
        process_clear(&k->daemon);
        process_clear(&k->validator);
        notify_fifo_free(k->fifo);
        free(k->program);
        free(k->path);
        free(k->fifo_path);
        free(k->pid_path);
        free(k->checkers_pid_path);
        free(k);
}
