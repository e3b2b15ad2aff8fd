#include "io/tunnel_socket.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

enum {
        READ_MAX = 64,   /* answers at a time, then the loop has its turn */
        PACKET_MAX = 128 /* more than an answer has */
};

/* One family's. */
struct end {
        struct tunnel_socket *socket;
        int sender, receiver; /* -1: the kernel does not have the family */
        ev_io readable;
};

struct tunnel_socket {
        struct ev_loop *loop;
        tunnel_socket_fn *answered;
        void *userdata;
        uint64_t cookie;
        struct end v4, v6;
};

/* ---- answers ---- */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct end *end = container_of(watcher, struct end, readable);
        struct tunnel_socket *s = end->socket;
        uint8_t packet[PACKET_MAX];
        struct tunnel_echo echo;

        (void)loop;
        (void)revents;
        for (int i = 0; i < READ_MAX; i++) {
                ssize_t n = recv(end->receiver, packet, sizeof(packet), 0);

                if (n < 0)
                        return;
                if (tunnel_echo_parse_reply(packet, (size_t)n, &echo) == 0 && echo.cookie == s->cookie)
                        s->answered(s->userdata, &echo.vip, &echo.real_server);
        }
}

/* Each begins at the network's header, and refuses a packet of TCP after two instructions: every packet that
 * the pod forwards passes through here. The lower 16 bits of the cookie are ICMP's identifier. */
static int attach_filter(int fd, uint8_t family, uint16_t identifier)
{
        struct sock_filter v4[] = {
            BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 7),
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* no further part of a fragmented one */
            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 5, 0),
            BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* length of the header */
            BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),  /* type and code */
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY << 8, 0, 2),
            BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, 0),
            BPF_STMT(BPF_RET | BPF_K, PACKET_MAX),
        };
        struct sock_filter v6[] = {
            BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* next header */
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 40), /* type and code */
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REPLY << 8, 0, 2),
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 44),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, 0),
            BPF_STMT(BPF_RET | BPF_K, PACKET_MAX),
        };
        const struct sock_fprog program = family == AF_INET
                                              ? (struct sock_fprog){sizeof(v4) / sizeof(*v4), v4}
                                              : (struct sock_fprog){sizeof(v6) / sizeof(*v6), v6};

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Hears nothing until it is bound, and then only what the filter lets through. Returns the socket, or -1 and
 * errno. */
static int open_receiver(uint8_t family, uint16_t identifier)
{
        const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                            .sll_protocol = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6)};
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0 || attach_filter(fd, family, identifier) < 0 ||
            bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -1;
        return TAKE_FD(fd);
}

/* ---- requests ---- */

static socklen_t set_address(struct sockaddr_storage *out, const struct addr *addr, uint16_t port)
{
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

        *out = (struct sockaddr_storage){.ss_family = addr->family};
        if (addr->family == AF_INET) {
                in->sin_port = htons(port);
                memcpy(&in->sin_addr, addr->bytes, sizeof(in->sin_addr));
                return sizeof(*in);
        }
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, addr->bytes, sizeof(in6->sin6_addr));
        return sizeof(*in6);
}

/* The kernel puts the tunnel's header before what is sent. Of what comes in by such a tunnel nothing is ours.
 */
static int open_sender(uint8_t family)
{
        struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
        const struct sock_fprog program = {sizeof(nothing) / sizeof(*nothing), nothing};
        _cleanup_close_ int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                        family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
                return -1;
        return TAKE_FD(fd);
}

/* The pod's own address on the way to another one: that of IPVS' tunnel too. Nothing is sent for it. */
static bool find_source(const struct addr *destination, struct addr *out)
{
        struct sockaddr_storage address;
        socklen_t length = set_address(&address, destination, 9); /* any port */
        _cleanup_close_ int fd = socket(destination->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;

        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, length) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &length) < 0)
                return false;
        *out = (struct addr){.family = destination->family};
        if (destination->family == AF_INET)
                memcpy(out->bytes, &in->sin_addr, sizeof(in->sin_addr));
        else
                memcpy(out->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
        return true;
}

void tunnel_socket_ask(struct tunnel_socket *s, const struct addr *vip, const struct addr *real_server)
{
        const struct end *end = vip->family == AF_INET ? &s->v4 : &s->v6;
        struct tunnel_echo echo = {.vip = *vip, .real_server = *real_server, .cookie = s->cookie};
        uint8_t packet[TUNNEL_ECHO_SIZE];
        struct sockaddr_storage to;
        socklen_t to_length = set_address(&to, real_server, 0);
        size_t length;

        if (end->sender < 0 || !find_source(real_server, &echo.pod))
                return;
        length = tunnel_echo_request(&echo, packet);
        (void)sendto(end->sender, packet, length, 0, (const struct sockaddr *)&to, to_length);
}

/* ---- both ---- */

static int open_end(struct tunnel_socket *s, struct end *end, uint8_t family, struct error *error)
{
        int r;

        *end = (struct end){.socket = s, .sender = open_sender(family), .receiver = -1};
        if (end->sender < 0 && errno == EAFNOSUPPORT)
                return 0;
        if (end->sender >= 0)
                end->receiver = open_receiver(family, (uint16_t)s->cookie);
        if (end->receiver < 0) {
                r = -errno;
                (void)error_set(error, NULL, "cannot open a raw socket: %s", strerror(-r));
                return r;
        }
        ev_io_init(&end->readable, on_readable, end->receiver, EV_READ);
        ev_io_start(s->loop, &end->readable);
        return 0;
}

static void close_end(struct end *end)
{
        if (end->receiver >= 0) {
                ev_io_stop(end->socket->loop, &end->readable);
                (void)close(end->receiver);
        }
        if (end->sender >= 0)
                (void)close(end->sender);
}

int tunnel_socket_new(struct ev_loop *loop, tunnel_socket_fn *answered, void *userdata,
                      struct tunnel_socket **out, struct error *error)
{
        struct tunnel_socket *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return error_oom(error);
        *s = (struct tunnel_socket){.loop = loop,
                                    .answered = answered,
                                    .userdata = userdata,
                                    .v4 = {.sender = -1, .receiver = -1},
                                    .v6 = {.sender = -1, .receiver = -1}};
        if (getrandom(&s->cookie, sizeof(s->cookie), 0) < 0) {
                r = -errno;
                (void)error_set(error, NULL, "no random numbers: %s", strerror(-r));
        } else {
                r = open_end(s, &s->v4, AF_INET, error);
        }
        if (r == 0)
                r = open_end(s, &s->v6, AF_INET6, error);
        if (r < 0) {
                tunnel_socket_free(s);
                return r;
        }
        *out = s;
        return 0;
}

void tunnel_socket_free(struct tunnel_socket *s)
{
        if (!s)
                return;
        close_end(&s->v4);
        close_end(&s->v6);
        free(s);
}
