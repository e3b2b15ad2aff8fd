#include "base/log.h"
#include "base/clock.h"
#include "resilient/mirror.h"
#include "resilient/options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#define QUIET_MS 20     /* a round begins when nothing has changed for so long, */
#define PATIENCE_MS 100 /* or when changes have gone on for so long */

enum {
        EXIT_FINE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

/* Returns the signal that ended it, or a negative errno. */
static int follow(struct mirror *mirror, int signals)
{
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = netlink_fd(mirror->netlink), .events = POLLIN}};
        int64_t next = clock_monotonic_ms(), dirty_since = -1;
        struct signalfd_siginfo signal;

        for (;;) {
                int64_t wait = next - clock_monotonic_ms();

                if (wait <= 0) {
                        dirty_since = -1;
                        mirror_update(mirror, clock_monotonic_ms(), &next);
                        continue;
                }
                if (poll(fds, 2, (int)wait) < 0 && errno != EINTR)
                        return -errno;
                if (read(signals, &signal, sizeof(signal)) == sizeof(signal))
                        return (int)signal.ssi_signo;
                if (netlink_changed(mirror->netlink)) {
                        int64_t now = clock_monotonic_ms();

                        if (dirty_since < 0)
                                dirty_since = now;
                        next = now + QUIET_MS;
                        if (next > dirty_since + PATIENCE_MS)
                                next = dirty_since + PATIENCE_MS;
                }
        }
}

static int run(const struct options *options, int signals)
{
        _cleanup_(netlink_free_p) struct netlink *netlink = NULL;
        struct mirror mirror = {.config = &options->plan};
        struct error error = {0};
        int r = netlink_new(&options->scope, &netlink, &error);

        if (r < 0) {
                log_error("resilient", "failed", LOG_ERROR_FIELDS(&error));
                return r == -EOPNOTSUPP ? EXIT_USAGE : EXIT_FAILED;
        }
        mirror.netlink = netlink;
        log_info("resilient", "started", LOG_INT("pools", options->plan.pools.count),
                 LOG_INT("table", options->scope.table), LOG_INT("protocol", options->scope.protocol));
        r = follow(&mirror, signals);
        if (r > 0 && r != SIGUSR1 && mirror_remove(&mirror, &error) < 0)
                log_error("resilient", "the mirror is not removed", LOG_ERROR_FIELDS(&error));
        park_clear(&mirror.park);
        log_info("resilient", "ended", LOG_TEXT("signal", r > 0 ? strsignal(r) : strerror(-r)));
        return r > 0 && !error.what[0] ? EXIT_FINE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
        struct options options = {0};
        struct error error = {0};
        _cleanup_close_ int signals = -1;
        sigset_t set;
        int r = options_parse(argc, argv, &options, &error);

        if (r == OPTIONS_DONE)
                return EXIT_FINE;
        if (r < 0) {
                (void)fprintf(stderr, "coracle-resilient: %s: %s\nTry coracle-resilient --help.\n",
                              error.where, error.what);
                return EXIT_USAGE;
        }
        log_setup(options.log_level, options.log_json);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        r = signals < 0 ? EXIT_FAILED : run(&options, signals);
        options_clear(&options);
        return r;
}
