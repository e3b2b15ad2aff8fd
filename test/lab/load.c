// load: a small HTTP client for the lab, where a system call costs 100 times what it costs elsewhere.
//
//   load [-n REQUESTS] [-c CONCURRENCY] [-r PER_SECOND] [-w TIMEOUT_MS] ADDRESS PORT
//
// Every request is a new connection. Without -r, CONCURRENCY requests are always under way; with -r a request
// starts every 1/r seconds, whatever became of those before. -n 0 goes on until SIGTERM. Prints one line for
// each failed request while it goes ("fail START_S END_S REASON", on the monotonic clock), and one "body
// COUNT FIRST_LINE" for each distinct answer, then "total OK FAILED SECONDS SLOWEST_S".
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 512, MAX_BODIES = 64, BODY_SIZE = 40, ANSWER_SIZE = 1024 };

struct connection {
        int fd; // -1 when the slot is free
        double start;
        int connected;
        size_t length;
        char answer[ANSWER_SIZE];
};

struct body {
        char line[BODY_SIZE];
        long count;
};

static struct connection connections[MAX_CONNECTIONS];
static struct body bodies[MAX_BODIES];
static long succeeded, failed;
static const double SLOW_S = 0.9; // a packet was lost: TCP's first retransmission comes after 1 s
static double slowest;            // of the requests that were answered, in seconds
static int under_way, epoll_fd;
static struct sockaddr_storage target;
static socklen_t target_size;
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

static void finish(struct connection *c, const char *error)
{
        if (error) {
                failed++;
                printf("fail %.3f %.3f %s\n", c->start, now(), error);
                fflush(stdout);
        } else {
                double took = now() - c->start;
                slowest = took > slowest ? took : slowest;
                if (took > SLOW_S)
                        printf("slow %.3f %.3f\n", c->start, c->start + took);
                succeeded++;
        }
        close(c->fd);
        c->fd = -1;
        under_way--;
}

static void count_body(const char *text)
{
        char line[BODY_SIZE];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\r\n"), text);
        for (struct body *b = bodies; b < bodies + MAX_BODIES; b++) {
                if (b->count == 0)
                        memcpy(b->line, line, sizeof line);
                if (strcmp(b->line, line) == 0) {
                        b->count++;
                        return;
                }
        }
}

static void start(void)
{
        struct connection *c = connections;
        while (c < connections + MAX_CONNECTIONS && c->fd >= 0)
                c++;
        if (c == connections + MAX_CONNECTIONS) {
                fprintf(stderr, "load: more than %d requests under way\n", MAX_CONNECTIONS);
                exit(1);
        }
        *c = (struct connection){
            .fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .start = now()};
        under_way++;
        if (c->fd < 0) {
                finish(c, strerror(errno));
                return;
        }
        if (connect(c->fd, (struct sockaddr *)&target, target_size) < 0 && errno != EINPROGRESS) {
                finish(c, strerror(errno));
                return;
        }
        struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void on_writable(struct connection *c)
{
        static const char request[] = "GET / HTTP/1.0\r\nHost: lab\r\n\r\n";
        int error = 0;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
        if (error || send(c->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
                finish(c, strerror(error ? error : errno));
                return;
        }
        c->connected = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void on_readable(struct connection *c)
{
        ssize_t got = recv(c->fd, c->answer + c->length, sizeof c->answer - 1 - c->length, 0);
        if (got < 0) {
                if (errno != EAGAIN)
                        finish(c, strerror(errno));
                return;
        }
        c->length += (size_t)got;
        if (got > 0 && c->length < sizeof c->answer - 1)
                return;
        c->answer[c->length] = 0;
        char *text = strstr(c->answer, "\r\n\r\n");
        if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 || !text) {
                finish(c, "no whole answer with status 200");
                return;
        }
        count_body(text + 4);
        finish(c, NULL);
}

static void end_overdue(double timeout)
{
        double oldest = now() - timeout;
        for (struct connection *c = connections; c < connections + MAX_CONNECTIONS; c++)
                if (c->fd >= 0 && c->start < oldest)
                        finish(c, c->connected ? "no answer in time" : "no connection in time");
}

int main(int argc, char **argv)
{
        long requests = 100, concurrency = 8;
        double rate = 0, timeout = 10.0;
        for (int option; (option = getopt(argc, argv, "n:c:r:w:")) != -1;) {
                switch (option) {
                case 'n':
                        requests = strtol(optarg, NULL, 10);
                        break;
                case 'c':
                        concurrency = strtol(optarg, NULL, 10);
                        break;
                case 'r':
                        rate = strtod(optarg, NULL);
                        break;
                case 'w':
                        timeout = strtod(optarg, NULL) / 1000;
                        break;
                default:
                        return 2;
                }
        }
        struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;
        if (argc - optind != 2 || concurrency > MAX_CONNECTIONS) {
                fprintf(stderr, "usage: load [-n N] [-c N] [-r PER_SECOND] [-w TIMEOUT_MS] ADDRESS PORT\n");
                return 2;
        }
        in_port_t port = htons((in_port_t)strtoul(argv[optind + 1], NULL, 10));
        if (inet_pton(AF_INET, argv[optind], &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = port;
                target_size = sizeof *v4;
        } else if (inet_pton(AF_INET6, argv[optind], &v6->sin6_addr) == 1) {
                v6->sin6_family = AF_INET6;
                v6->sin6_port = port;
                target_size = sizeof *v6;
        } else {
                fprintf(stderr, "load: not an address: %s\n", argv[optind]);
                return 2;
        }
        for (int i = 0; i < MAX_CONNECTIONS; i++)
                connections[i].fd = -1;
        signal(SIGTERM, on_signal);
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);

        double began = now();
        long started = 0;
        while (under_way > 0 || (!stopped && (requests == 0 || started < requests))) {
                double wait = 0.05;
                while (!stopped && (requests == 0 || started < requests)) {
                        if (rate > 0) {
                                double left = began + (double)started / rate - now();
                                if (left > 0) {
                                        wait = left < wait ? left : wait;
                                        break;
                                }
                        } else if (under_way >= concurrency) {
                                break;
                        }
                        start();
                        started++;
                }
                struct epoll_event events[64];
                int count = epoll_wait(epoll_fd, events, 64, (int)(wait * 1000) + 1);
                for (int i = 0; i < count; i++) {
                        struct connection *c = events[i].data.ptr;
                        if (c->connected)
                                on_readable(c);
                        else
                                on_writable(c);
                }
                end_overdue(timeout);
        }
        for (struct body *b = bodies; b < bodies + MAX_BODIES && b->count; b++)
                printf("body %ld %s\n", b->count, b->line);
        printf("total %ld %ld %.3f %.3f\n", succeeded, failed, now() - began, slowest);
        return 0;
}
