/* A keepalived for machines whose kernel has no IPVS. `-t` is the real one's, if CORACLE_TEST_KEEPALIVED
 * names it, so that its time counts; else every configuration is good. The daemon notes when it is told to
 * reload: a line of seconds since the epoch in ./hups for each SIGHUP. Ends with SIGTERM, which it notes in
 * ./terms.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_check(char **argv)
{
        for (; *argv; argv++)
                if (strcmp(*argv, "-t") == 0)
                        return 1;
        return 0;
}

static int note(const char *path)
{
        FILE *file = fopen(path, "a");
        struct timespec now;

        if (!file)
                return 1;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)fprintf(file, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
        return fclose(file) != 0;
}

int main(int argc, char **argv)
{
        const char *real = getenv("CORACLE_TEST_KEEPALIVED");
        sigset_t awaited;
        int signal = 0;

        (void)argc;
        if (is_check(argv)) {
                if (real && *real)
                        (void)execv(real, argv);
                return real && *real ? 127 : 0;
        }
        (void)sigemptyset(&awaited);
        (void)sigaddset(&awaited, SIGHUP);
        (void)sigaddset(&awaited, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &awaited, NULL);
        while (sigwait(&awaited, &signal) == 0 && signal == SIGHUP)
                if (note("hups"))
                        return 1;
        return note("terms");
}
