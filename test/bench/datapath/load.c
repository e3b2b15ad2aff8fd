/* Asks web servers, and says how many instructions the whole machine executed meanwhile for each request.
 *
 *     load close|keep WARM COUNT ADDRESS…
 *
 * close: each request is a connection of its own, which the server closes. keep: the requests go over a few
 * connections that stay open. WARM requests come first, uncounted; the addresses are asked in turn.
 *
 * In this guest the TSC advances by one with each instruction, whoever executes it: qemu -icount shift=0. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#define AT_A_TIME 8
#define SERVERS 3
#define IDLE_MS 5000

#define REQUEST "GET / HTTP/1.1\r\nHost: web\r\nUser-Agent: load\r\n"

struct load {
        bool keep;
        char **addresses;
        unsigned n_addresses, next_address;
        int loop, fds[AT_A_TIME];
        bool connected[AT_A_TIME];
        unsigned asked, answered, wanted, by_server[SERVERS];
};

/* For the profile's counter, which looks for these instructions: from here, and to here. */
static void mark_begin(void)
{
        __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x01, 0xc0, 0xac, 0x1e" ::
                             : "memory"); /* nopl 0x1eacc001(%rax) */
}

static void mark_end(void)
{
        __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x02, 0xc0, 0xac, 0x1e" ::: "memory");
}

static void die(const char *what)
{
        perror(what);
        exit(1);
}

static void ask(struct load *load, int fd)
{
        static const char keep[] = REQUEST "\r\n", end[] = REQUEST "Connection: close\r\n\r\n";
        size_t length = load->keep ? sizeof(keep) - 1 : sizeof(end) - 1;

        load->asked++;
        if (write(fd, load->keep ? keep : end, length) != (ssize_t)length)
                die("request");
}

static void open_connection(struct load *load, unsigned slot)
{
        struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(80)};
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = slot};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

        if (inet_pton(AF_INET, load->addresses[load->next_address], &server.sin_addr) != 1)
                die("address");
        load->next_address = (load->next_address + 1) % load->n_addresses;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(fd, (struct sockaddr *)&server, sizeof(server)) && errno != EINPROGRESS)
                die("connect");
        epoll_ctl(load->loop, EPOLL_CTL_ADD, fd, &event);
        load->fds[slot] = fd;
        load->connected[slot] = false;
}

/* An answer comes in one piece; its body begins with the name of a server, web1 to web3. */
static void take_answer(struct load *load, const char *answer)
{
        const char *name = strstr(answer, "\r\n\r\nweb");
        unsigned server = name ? (unsigned)(name[7] - '1') : SERVERS;

        if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || server >= SERVERS) {
                fprintf(stderr, "load: no answer: %s\n", answer);
                exit(1);
        }
        load->by_server[server]++;
        load->answered++;
}

static void read_from(struct load *load, unsigned slot)
{
        char answer[1024];
        ssize_t n;

        while ((n = read(load->fds[slot], answer, sizeof(answer) - 1)) > 0) {
                answer[n] = '\0';
                take_answer(load, answer);
                if (load->keep && load->asked < load->wanted)
                        ask(load, load->fds[slot]);
        }
        if (n < 0 && errno != EAGAIN)
                die("answer");
        if (n < 0)
                return;
        if (load->keep)
                die("a connection to keep was closed");
        close(load->fds[slot]);
        load->fds[slot] = -1;
}

static void on_event(struct load *load, unsigned slot, uint32_t events)
{
        if (events & (EPOLLERR | EPOLLIN)) {
                read_from(load, slot);
        } else if (!load->connected[slot]) {
                load->connected[slot] = true;
                if (!load->keep)
                        ask(load, load->fds[slot]);
        }
}

static void wait_for_events(struct load *load)
{
        struct epoll_event events[AT_A_TIME];
        int n = epoll_wait(load->loop, events, AT_A_TIME, IDLE_MS);

        if (n <= 0)
                die("nothing happens");
        for (int i = 0; i < n; i++)
                on_event(load, events[i].data.u32, events[i].events);
}

/* Until all connections of all these requests are closed. */
static void ask_by_connections(struct load *load, unsigned count)
{
        unsigned opened = 0, open = 0;

        load->wanted += count;
        do {
                open = 0;
                for (unsigned slot = 0; slot < AT_A_TIME; slot++) {
                        if (load->fds[slot] < 0 && opened < count) {
                                open_connection(load, slot);
                                opened++;
                        }
                        open += load->fds[slot] >= 0;
                }
                if (open > 0)
                        wait_for_events(load);
        } while (open > 0);
}

static void connect_all(struct load *load)
{
        unsigned connected;

        for (unsigned slot = 0; slot < AT_A_TIME; slot++)
                open_connection(load, slot);
        do {
                wait_for_events(load);
                connected = 0;
                for (unsigned slot = 0; slot < AT_A_TIME; slot++)
                        connected += load->connected[slot];
        } while (connected < AT_A_TIME);
}

static void ask_over_connections(struct load *load, unsigned count)
{
        load->wanted += count;
        for (unsigned slot = 0; slot < AT_A_TIME; slot++)
                ask(load, load->fds[slot]);
        while (load->answered < load->wanted)
                wait_for_events(load);
}

int main(int argc, char **argv)
{
        struct load load = {.loop = epoll_create1(0), .fds = {-1, -1, -1, -1, -1, -1, -1, -1}};
        void (*run)(struct load *, unsigned) = ask_by_connections;
        unsigned warm, count;
        uint64_t begin, end;

        if (argc < 5)
                die("usage: load close|keep WARM COUNT ADDRESS…");
        load.keep = strcmp(argv[1], "keep") == 0;
        warm = (unsigned)strtoul(argv[2], NULL, 10);
        count = (unsigned)strtoul(argv[3], NULL, 10);
        load.addresses = argv + 4;
        load.n_addresses = (unsigned)argc - 4;
        if (load.keep) {
                connect_all(&load);
                run = ask_over_connections;
        }
        run(&load, warm);
        memset(load.by_server, 0, sizeof(load.by_server));
        mark_begin();
        begin = __rdtsc();
        run(&load, count);
        end = __rdtsc();
        mark_end();
        printf("%.1f %u %u %u %u\n", (double)(end - begin) / count, load.answered - warm, load.by_server[0],
               load.by_server[1], load.by_server[2]);
        return 0;
}
