#include "announcer/announcer.h"
#include "announcer/linger.h"
#include "announcer/options.h"

#include <signal.h>
#include <stdio.h>

enum {
        EXIT_FINE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

static void print_error(const struct error *error)
{
        (void)fprintf(stderr, "coracle-announcer: %s%s%s\n", error->where, error->where[0] ? ": " : "",
                      error->what);
}

static int run(const struct options *options)
{
        _cleanup_(announcer_free_p) struct announcer *announcer = NULL;
        struct error error = {0};
        struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);

        if (!loop)
                (void)error_set(&error, NULL, "cannot make an event loop");
        if (!loop || announcer_new(loop, options, &announcer, &error) < 0 ||
            announcer_run(announcer, &error) < 0) {
                log_error("announcer", "failed", LOG_ERROR_FIELDS(&error));
                return EXIT_FAILED;
        }
        return EXIT_FINE;
}

int main(int argc, char **argv)
{
        struct options options = {0};
        struct error error = {0};
        int r;

        r = options_parse(argc, argv, &options, &error);
        if (r == OPTIONS_DONE)
                return EXIT_FINE;
        if (r < 0) {
                print_error(&error);
                (void)fputs("Try coracle-announcer --help.\n", stderr);
                return EXIT_USAGE;
        }
        log_setup(options.log_level, options.log_json);
        (void)signal(SIGPIPE, SIG_IGN); /* exabgp's end shows as EPIPE */
        if (options.linger_s) {
                linger(options.socket, options.linger_s);
                return EXIT_FINE;
        }
        return run(&options);
}
