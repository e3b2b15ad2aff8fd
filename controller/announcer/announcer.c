#include "announcer/announcer.h"

#include "announcer/link.h"
#include "announcer/node_keeper.h"
#include "base/clock.h"
#include "base/lines.h"
#include "base/log.h"
#include "core/speaker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define MODULE "announcer"

enum {
        REPLY_MAX = 65536,       /* bytes of a line from exabgp */
        NODE_ROUTES_MS = 250,    /* how often they are looked at */
        LEAVE_TIMEOUT_MS = 1000, /* exabgp may not read any more */
};

struct announcer {
        struct ev_loop *loop;
        struct speaker *speaker;
        struct link *link;
        struct node_keeper *node;
        struct lines replies;
        ev_io exabgp_readable, exabgp_writable;
        ev_timer deadline, node_timer, leave_timer;
        ev_signal sigterm, sigint;
        ev_prepare settle;
        bool silent;
        uint64_t failures;
        int result; /* negative errno: what ended the loop */
        struct error *error;
};

/* Ends the loop for a reason that leaves nothing more to do. */
static void stop(struct announcer *announcer, int result, const char *what)
{
        if (result < 0)
                (void)error_set(announcer->error, NULL, "%s: %s", what, strerror(-result));
        announcer->result = result;
        ev_break(announcer->loop, EVBREAK_ALL);
}

/* Of the speaker's results only "out of memory" is bad news. */
static void check(struct announcer *announcer, int r)
{
        if (r < 0)
                stop(announcer, r, "announcer");
}

/* Writes what exabgp's pipe takes; each time all is written the speaker may have more to say. */
static void write_commands(struct announcer *announcer)
{
        struct strbuf *output = speaker_output(announcer->speaker);

        while (output->length) {
                ssize_t n = write(STDOUT_FILENO, output->text, output->length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        ev_io_start(announcer->loop, &announcer->exabgp_writable);
                        return;
                }
                if (n < 0) {
                        log_info(MODULE, "exabgp has gone");
                        stop(announcer, 0, NULL);
                        return;
                }
                strbuf_consume(output, (size_t)n);
                if (!output->length)
                        check(announcer, speaker_tick(announcer->speaker, clock_monotonic_ms()));
        }
        ev_io_stop(announcer->loop, &announcer->exabgp_writable);
}

static void log_changes(struct announcer *announcer)
{
        bool silent = speaker_silent(announcer->speaker);
        uint64_t failures = speaker_failures(announcer->speaker);

        if (silent && !announcer->silent)
                log_warning(MODULE, "coracle is silent: everything is withdrawn",
                            LOG_TEXT("reason", "controller-silent"));
        if (!silent && announcer->silent)
                log_info(MODULE, "coracle speaks again");
        announcer->silent = silent;
        if (failures != announcer->failures)
                log_warning(MODULE, "exabgp refused a command or did not answer",
                            LOG_INT("failures", failures));
        announcer->failures = failures;
}

/* Before the loop sleeps, whatever woke it: say what is to be said, and set the alarm. */
static void on_settle(struct ev_loop *loop, ev_prepare *watcher, int events)
{
        struct announcer *announcer = container_of(watcher, struct announcer, settle);
        int64_t deadline;

        (void)events;
        write_commands(announcer);
        log_changes(announcer);
        check(announcer, link_report(announcer->link, speaker_report(announcer->speaker)));
        if (speaker_left(announcer->speaker))
                stop(announcer, 0, NULL);

        deadline = speaker_deadline(announcer->speaker);
        ev_timer_stop(loop, &announcer->deadline);
        if (deadline != INT64_MAX) {
                int64_t wait_ms = deadline - clock_monotonic_ms();

                /* Not before it: the loop's clock may lag behind ours by what this round took. */
                ev_now_update(loop);
                ev_timer_set(&announcer->deadline, wait_ms > 0 ? (double)(wait_ms + 1) / 1e3 : 0., 0.);
                ev_timer_start(loop, &announcer->deadline);
        }
}

static void on_deadline(struct ev_loop *loop, ev_timer *watcher, int events)
{
        struct announcer *announcer = container_of(watcher, struct announcer, deadline);

        (void)loop;
        (void)events;
        check(announcer, speaker_tick(announcer->speaker, clock_monotonic_ms()));
}

static void on_exabgp_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
        (void)loop;
        (void)events;
        write_commands(container_of(watcher, struct announcer, exabgp_writable));
}

static void on_exabgp_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
        struct announcer *announcer = container_of(watcher, struct announcer, exabgp_readable);
        char chunk[16384];
        const char *line;
        size_t length;
        ssize_t n;
        int r;

        (void)loop;
        (void)events;
        n = read(STDIN_FILENO, chunk, sizeof(chunk));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                log_info(MODULE, "exabgp has gone");
                stop(announcer, 0, NULL);
                return;
        }
        r = lines_feed(&announcer->replies, chunk, (size_t)n);
        if (r < 0) {
                stop(announcer, r, "exabgp's answer");
                return;
        }
        while (lines_next(&announcer->replies, &line, &length)) {
                struct exabgp_reply reply;

                exabgp_reply_parse(line, length, &reply);
                check(announcer, speaker_answer(announcer->speaker, &reply, clock_monotonic_ms()));
        }
}

/* A pool without its node route must not attract traffic to the node. */
static void keep_node_routes(struct announcer *announcer, const struct announce_set *set, bool silent)
{
        const int64_t now = clock_monotonic_ms();

        check(announcer,
              speaker_permit(announcer->speaker, node_keeper_keep(announcer->node, set, silent, now), now));
}

static void on_set(void *userdata, struct announce_set *set)
{
        struct announcer *announcer = userdata;

        speaker_clip(announcer->speaker, set);
        node_keeper_clip(announcer->node, set, clock_monotonic_ms());
        keep_node_routes(announcer, set, false); /* the way into the pod is there before it draws traffic */
        check(announcer, speaker_hear(announcer->speaker, set, clock_monotonic_ms()));
}

static void look_after_node(struct announcer *announcer)
{
        const struct announce_set *set = speaker_wanted(announcer->speaker);

        if (set->pools.count)
                keep_node_routes(announcer, set, speaker_silent(announcer->speaker));
}

static void on_lost(void *userdata)
{
        struct announcer *announcer = userdata;

        check(announcer, speaker_lose(announcer->speaker, clock_monotonic_ms()));
        look_after_node(announcer);
}

static void on_node_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
        (void)loop;
        (void)events;
        look_after_node(container_of(watcher, struct announcer, node_timer));
}

static void on_leave_timeout(struct ev_loop *loop, ev_timer *watcher, int events)
{
        (void)loop;
        (void)events;
        log_warning(MODULE, "exabgp does not read: left without withdrawing");
        stop(container_of(watcher, struct announcer, leave_timer), 0, NULL);
}

static void leave(struct announcer *announcer)
{
        if (speaker_is_restarting(announcer->speaker)) {
                log_info(MODULE, "exabgp has restarted its sessions, and this process");
                stop(announcer, 0, NULL);
                return;
        }
        log_info(MODULE, "leaving");
        check(announcer, speaker_leave(announcer->speaker, clock_monotonic_ms()));
        ev_timer_start(announcer->loop, &announcer->leave_timer);
        ev_timer_stop(announcer->loop, &announcer->node_timer);
}

static void on_sigterm(struct ev_loop *loop, ev_signal *watcher, int events)
{
        (void)loop;
        (void)events;
        leave(container_of(watcher, struct announcer, sigterm));
}

static void on_sigint(struct ev_loop *loop, ev_signal *watcher, int events)
{
        (void)loop;
        (void)events;
        leave(container_of(watcher, struct announcer, sigint));
}

static void start_watchers(struct announcer *announcer)
{
        struct ev_loop *loop = announcer->loop;

        ev_io_init(&announcer->exabgp_readable, on_exabgp_readable, STDIN_FILENO, EV_READ);
        ev_io_init(&announcer->exabgp_writable, on_exabgp_writable, STDOUT_FILENO, EV_WRITE);
        ev_timer_init(&announcer->deadline, on_deadline, 0., 0.);
        ev_timer_init(&announcer->node_timer, on_node_timer, NODE_ROUTES_MS / 1e3, NODE_ROUTES_MS / 1e3);
        ev_timer_init(&announcer->leave_timer, on_leave_timeout, LEAVE_TIMEOUT_MS / 1e3, 0.);
        ev_signal_init(&announcer->sigterm, on_sigterm, SIGTERM);
        ev_signal_init(&announcer->sigint, on_sigint, SIGINT);
        ev_prepare_init(&announcer->settle, on_settle);

        ev_io_start(loop, &announcer->exabgp_readable);
        if (announcer->node)
                ev_timer_start(loop, &announcer->node_timer);
        ev_signal_start(loop, &announcer->sigterm);
        ev_signal_start(loop, &announcer->sigint);
        ev_prepare_start(loop, &announcer->settle);
}

static int make_non_blocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Where the node's routes are ours to keep, a family without one would draw traffic that the node then drops.
 */
static struct addr usable_next_hop(const struct options *options, int family)
{
        struct addr next_hop = addr_list_first(&options->next_hops, family);

        if (next_hop.family == AF_UNSPEC || !options->node_netns ||
            addr_list_first(&options->pod_addresses, family).family != AF_UNSPEC)
                return next_hop;
        log_warning(MODULE, "no pod address of this family: its routes are not announced",
                    LOG_TEXT("family", family == AF_INET6 ? "ipv6" : "ipv4"));
        return (struct addr){.family = AF_UNSPEC};
}

static int open_parts(struct announcer *announcer, const struct options *options, struct error *error)
{
        const struct link_listener listener = {announcer, on_set, on_lost};
        const struct speaker_config config = {
            .next_hop4 = usable_next_hop(options, AF_INET),
            .next_hop6 = usable_next_hop(options, AF_INET6),
            .neighbors = options->neighbors.addrs,
            .n_neighbors = options->neighbors.count,
        };
        int r;

        if (make_non_blocking(STDIN_FILENO) < 0 || make_non_blocking(STDOUT_FILENO) < 0)
                return error_set(error, NULL, "cannot use stdin and stdout: %s", strerror(errno));
        r = node_keeper_new(options, &announcer->node, error);
        if (r < 0)
                return r;
        if (speaker_new(&config, clock_monotonic_ms(), &announcer->speaker) < 0 ||
            speaker_tick(announcer->speaker, clock_monotonic_ms()) < 0 ||
            link_new(announcer->loop, options->socket, &listener, &announcer->link) < 0)
                return error_oom(error);
        return 0;
}

int announcer_new(struct ev_loop *loop, const struct options *options, struct announcer **out,
                  struct error *error)
{
        struct announcer *announcer = calloc(1, sizeof(*announcer));
        int r;

        if (!announcer)
                return error_oom(error);
        announcer->loop = loop;
        announcer->replies.max = REPLY_MAX;
        r = open_parts(announcer, options, error);
        start_watchers(announcer);
        if (r < 0) {
                announcer_free(announcer);
                return r;
        }
        *out = announcer;
        return 0;
}

int announcer_run(struct announcer *announcer, struct error *error)
{
        announcer->error = error;
        ev_run(announcer->loop, 0);
        /* Asked to leave: the pod is on its way out. If only exabgp has gone the pod may well be alive, and
         * what still arrives at the node is served as before. */
        if (ev_is_active(&announcer->leave_timer))
                node_keeper_leave(announcer->node, clock_monotonic_ms());
        return announcer->result;
}

void announcer_free(struct announcer *announcer)
{
        struct ev_loop *loop;

        if (!announcer)
                return;
        loop = announcer->loop;
        ev_io_stop(loop, &announcer->exabgp_readable);
        ev_io_stop(loop, &announcer->exabgp_writable);
        ev_timer_stop(loop, &announcer->deadline);
        ev_timer_stop(loop, &announcer->node_timer);
        ev_timer_stop(loop, &announcer->leave_timer);
        ev_signal_stop(loop, &announcer->sigterm);
        ev_signal_stop(loop, &announcer->sigint);
        ev_prepare_stop(loop, &announcer->settle);
        link_free(announcer->link);
        speaker_free(announcer->speaker);
        node_keeper_free(announcer->node);
        lines_clear(&announcer->replies);
        free(announcer);
}
