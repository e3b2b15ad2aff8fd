// slow: downloads that trickle, and their client: a thousand of them cost the lab little.
//
//   slow serve NAME PORT
//   slow fetch [-n COUNT] [-p FIRST_PORT] [-s SILENCE_S] ADDRESS PORT
//
// The server says "NAME\n" to whoever connects, then one letter a second, a to z and again, for as long as
// the client listens. With SIGTERM it ends every download as it should be ended: by a full stop. A client
// that has had enough closes its side; the server then closes too.
//
// The client opens COUNT downloads, from the ports FIRST_PORT and following, and tells, with a time on the
// monotonic clock, of each "open TIME PORT NAME", "ended TIME PORT NAME" (by the server's full stop) and
// "broken TIME PORT NAME REASON": a reset, an end without full stop, a wrong letter, nothing for SILENCE_S.
// With SIGTERM it closes its side of what is left and says "closed TIME PORT NAME" of each that the server
// has closed as well.
#define _GNU_SOURCE // accept4
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
        DOWNLOADS_MAX = 4000,
        NAME_SIZE = 16,
        OPENING_MAX = 64, // at a time: a listener's backlog has an end
        INTERVAL_S = 1,   // between two letters
        TICKS = 20,       // in that time; in each the server writes to a part of its clients
};

struct download {
        int fd; // -1: none, or over
        unsigned int port;
        char name[NAME_SIZE]; // of the server
        size_t named;         // how much of the name has come
        int open;             // all of it
        unsigned int letters;
        int full_stop;
        double heard; // when something came last
};

static struct download downloads[DOWNLOADS_MAX];
static int epoll_fd;
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
        (void)number;
        stopped = 1;
}

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
        fprintf(stderr, "slow: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void watch(int fd, void *who)
{
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                fail("epoll_ctl");
}

// ---- the server

static void leave(struct download *d)
{
        close(d->fd);
        d->fd = -1;
}

static void welcome(int listener, const char *greeting)
{
        int fd;
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                struct download *d = downloads;
                while (d < downloads + DOWNLOADS_MAX && d->fd >= 0)
                        d++;
                if (d == downloads + DOWNLOADS_MAX ||
                    send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0) {
                        close(fd);
                        continue;
                }
                *d = (struct download){.fd = fd};
                watch(fd, d);
        }
}

// Whatever a client says, it has had enough.
static void hear_client(struct download *d)
{
        char byte;
        if (recv(d->fd, &byte, 1, 0) >= 0 || errno != EAGAIN)
                leave(d);
}

static void say(struct download *d)
{
        char letter = (char)('a' + d->letters % 26);
        ssize_t sent = send(d->fd, &letter, 1, MSG_NOSIGNAL);
        if (sent == 1)
                d->letters++;
        else if (errno != EAGAIN)
                leave(d);
}

static void end_all(int listener)
{
        close(listener);
        for (struct download *d = downloads; d < downloads + DOWNLOADS_MAX; d++) {
                if (d->fd < 0)
                        continue;
                send(d->fd, ".", 1, MSG_NOSIGNAL);
                leave(d);
        }
}

static void serve(const char *name, const char *port)
{
        char greeting[NAME_SIZE + 2];
        struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                       .sin6_port = htons((in_port_t)strtoul(port, NULL, 10))};
        int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        snprintf(greeting, sizeof greeting, "%s\n", name);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
            listen(listener, 1024) < 0)
                fail("listen");
        watch(listener, NULL);
        double next = now();
        for (int tick = 0; !stopped;) {
                struct epoll_event events[64];
                double left = next - now();
                int count = epoll_wait(epoll_fd, events, 64, left > 0 ? (int)(left * 1000) + 1 : 0);
                for (int i = 0; i < count; i++) {
                        if (events[i].data.ptr)
                                hear_client(events[i].data.ptr);
                        else
                                welcome(listener, greeting);
                }
                if (now() < next)
                        continue;
                next += (double)INTERVAL_S / TICKS;
                tick = (tick + 1) % TICKS;
                for (struct download *d = downloads + tick; d < downloads + DOWNLOADS_MAX; d += TICKS)
                        if (d->fd >= 0)
                                say(d);
        }
        end_all(listener);
}

// ---- the client

static int under_way, opening;

static void tell(const struct download *d, const char *what, double moment, const char *reason)
{
        printf("%s %.3f %u %s%s%s\n", what, moment, d->port, d->open ? d->name : "-", reason ? " " : "",
               reason ? reason : "");
}

static void finish_since(struct download *d, const char *what, double moment, const char *reason)
{
        tell(d, what, moment, reason);
        opening -= !d->open;
        under_way--;
        leave(d);
}

static void finish(struct download *d, const char *what, const char *reason)
{
        finish_since(d, what, now(), reason);
}

static void start(struct download *d, const struct sockaddr_storage *target, socklen_t size)
{
        struct sockaddr_storage own = {.ss_family = target->ss_family};
        // the port stands at the same place in both families
        ((struct sockaddr_in *)&own)->sin_port = htons((in_port_t)d->port);
        d->fd = socket(target->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (d->fd < 0)
                fail("socket");
        d->heard = now();
        under_way++;
        opening++;
        if (bind(d->fd, (struct sockaddr *)&own, size) < 0 ||
            (connect(d->fd, (const struct sockaddr *)target, size) < 0 && errno != EINPROGRESS)) {
                finish(d, "broken", strerror(errno));
                return;
        }
        watch(d->fd, d);
}

// Returns what is wrong with it, or NULL.
static const char *take(struct download *d, char byte)
{
        if (d->full_stop)
                return "more after the full stop";
        if (!d->open) {
                if (byte == '\n') {
                        d->open = 1;
                        opening--;
                        tell(d, "open", now(), NULL);
                } else if (d->named < NAME_SIZE - 1) {
                        d->name[d->named++] = byte;
                }
        } else if (byte == '.') {
                d->full_stop = 1;
        } else if (byte != (char)('a' + d->letters++ % 26)) {
                return "wrong letter";
        }
        return NULL;
}

static void hear_server(struct download *d)
{
        char bytes[64];
        ssize_t got = recv(d->fd, bytes, sizeof bytes, 0);

        if (got < 0) {
                if (errno != EAGAIN)
                        finish(d, "broken", strerror(errno));
                return;
        }
        d->heard = now();
        for (ssize_t i = 0; i < got; i++) {
                const char *wrong = take(d, bytes[i]);
                if (wrong) {
                        finish(d, "broken", wrong);
                        return;
                }
        }
        if (got > 0)
                return;
        if (d->full_stop)
                finish(d, "ended", NULL);
        else if (stopped)
                finish(d, "closed", NULL);
        else
                finish(d, "broken", "end without full stop");
}

static void end_silent(long count, double silence)
{
        double oldest = now() - silence;
        for (struct download *d = downloads; d < downloads + count; d++)
                if (d->fd >= 0 && d->heard < oldest)
                        finish_since(d, "broken", d->heard + INTERVAL_S, "silent");
}

static void close_all(long count)
{
        for (struct download *d = downloads; d < downloads + count; d++) {
                if (d->fd < 0)
                        continue;
                d->heard = now();
                shutdown(d->fd, SHUT_WR);
        }
}

static void fetch(const struct sockaddr_storage *target, socklen_t size, long count, unsigned int first_port,
                  double silence)
{
        long started = 0;
        int closing = 0;

        double looked = now();
        while (under_way > 0 || (!stopped && started < count)) {
                for (; !stopped && started < count && opening < OPENING_MAX; started++) {
                        downloads[started].port = first_port + (unsigned int)started;
                        start(&downloads[started], target, size);
                }
                if (stopped && !closing) {
                        closing = 1;
                        close_all(started);
                }
                struct epoll_event events[256];
                int ready = epoll_wait(epoll_fd, events, 256, 100);
                for (int i = 0; i < ready; i++)
                        hear_server(events[i].data.ptr);
                if (now() - looked > 0.5) {
                        looked = now();
                        end_silent(started, silence);
                }
                fflush(stdout);
                usleep(20000); // what comes meanwhile is taken together
        }
}

static int usage(void)
{
        fprintf(stderr, "usage: slow serve NAME PORT\n"
                        "       slow fetch [-n COUNT] [-p FIRST_PORT] [-s SILENCE_S] ADDRESS PORT\n");
        return 2;
}

static int fetch_main(int argc, char **argv)
{
        long count = 100;
        unsigned int first_port = 20000;
        double silence = 15;
        struct sockaddr_storage target = {0};
        struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;

        for (int option; (option = getopt(argc, argv, "n:p:s:")) != -1;) {
                if (option == 'n')
                        count = strtol(optarg, NULL, 10);
                else if (option == 'p')
                        first_port = (unsigned int)strtoul(optarg, NULL, 10);
                else if (option == 's')
                        silence = strtod(optarg, NULL);
                else
                        return usage();
        }
        if (argc - optind != 2 || count < 1 || count > DOWNLOADS_MAX)
                return usage();
        v4->sin_port = htons((in_port_t)strtoul(argv[optind + 1], NULL, 10));
        if (inet_pton(AF_INET, argv[optind], &v4->sin_addr) == 1)
                target.ss_family = AF_INET;
        else if (inet_pton(AF_INET6, argv[optind], &v6->sin6_addr) == 1)
                target.ss_family = AF_INET6;
        else
                return usage();
        fetch(&target, target.ss_family == AF_INET ? sizeof *v4 : sizeof *v6, count, first_port, silence);
        return 0;
}

int main(int argc, char **argv)
{
        struct rlimit files = {.rlim_cur = DOWNLOADS_MAX, .rlim_max = DOWNLOADS_MAX};

        for (struct download *d = downloads; d < downloads + DOWNLOADS_MAX; d++)
                d->fd = -1;
        setrlimit(RLIMIT_NOFILE, &files);
        signal(SIGTERM, on_signal);
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (argc == 4 && strcmp(argv[1], "serve") == 0 && strlen(argv[2]) < NAME_SIZE) {
                serve(argv[2], argv[3]);
                return 0;
        }
        if (argc > 1 && strcmp(argv[1], "fetch") == 0)
                return fetch_main(argc - 1, argv + 1);
        return usage();
}
