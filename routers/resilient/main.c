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

enum {
        EXIT_FINE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

static void look(struct mirror *mirror, struct pace *pace)
{
        const int64_t began = clock_monotonic_ms();
        int64_t wanted;
        int r = mirror_update(mirror, began, &wanted);

        pace_looked(pace, began, clock_monotonic_ms(), r < 0, wanted);
}

/* Returns the signal that ended it, or a negative errno. */
static int follow(struct mirror *mirror, int signals)
{
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                               {.fd = netlink_fd(mirror->netlink), .events = POLLIN}};
        struct signalfd_siginfo signal;
        struct pace pace;

        pace_init(&pace, clock_monotonic_ms());
        for (;;) {
                int64_t wait = pace_due(&pace) - clock_monotonic_ms();

                if (wait <= 0) {
                        look(mirror, &pace);
                        continue;
                }
                if (poll(fds, 2, (int)wait) < 0 && errno != EINTR)
                        return -errno;
                if (read(signals, &signal, sizeof(signal)) == sizeof(signal))
                        return (int)signal.ssi_signo;
                pace_note(&pace, netlink_changes(mirror->netlink), clock_monotonic_ms());
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
