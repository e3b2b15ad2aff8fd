#include "announcer/node_probe.h"

#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void set_address(struct node_probe *probe, const struct addr *addr)
{
        struct sockaddr_in *in = (struct sockaddr_in *)&probe->address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&probe->address;

        probe->address.ss_family = addr->family;
        if (addr->family == AF_INET)
                memcpy(&in->sin_addr, addr->bytes, sizeof(in->sin_addr));
        else
                memcpy(&in6->sin6_addr, addr->bytes, sizeof(in6->sin6_addr));
        probe->address_length = addr->family == AF_INET ? sizeof(*in) : sizeof(*in6);
}

/* An IPv6 address may still be checked for duplicates while the pod starts. */
static int allow_early_bind(int fd, int family)
{
        const int on = 1;

        if (family == AF_INET6)
                return setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
        return setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
}

/* Only datagrams that hold the cookie, and nothing else, ever come into the queue: a flood of others does not
 * crowd it out. The filter sees the UDP header too, and numbers as they are on the wire. */
static int admit_cookie(const struct node_probe *probe)
{
        enum { HEADER = sizeof(struct udphdr), COOKIE = sizeof(probe->cookie) };
        const uint64_t cookie = be64toh(probe->cookie);
        struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HEADER + COOKIE, 0, 5),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, HEADER),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(cookie >> 32), 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, HEADER + COOKIE / 2),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)cookie, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
            BPF_STMT(BPF_RET | BPF_K, 0),
        };
        const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

        return setsockopt(probe->receiver, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int node_probe_open(struct node_probe *probe, const struct addr *pod)
{
        struct sockaddr *address = (struct sockaddr *)&probe->address;

        if (pod->family == AF_UNSPEC)
                return 0;
        set_address(probe, pod);
        probe->receiver = socket(pod->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (probe->receiver < 0 || getrandom(&probe->cookie, sizeof(probe->cookie), 0) < 0 ||
            admit_cookie(probe) < 0 || allow_early_bind(probe->receiver, pod->family) < 0 ||
            bind(probe->receiver, address, probe->address_length) < 0 ||
            getsockname(probe->receiver, address, &probe->address_length) < 0)
                return -errno;
        return 0;
}

int node_probe_open_sender(struct node_probe *probe)
{
        if (probe->receiver < 0)
                return 0;
        probe->sender = socket(probe->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return probe->sender < 0 ? -errno : 0;
}

bool node_probe_reaches(struct node_probe *probe, int64_t now_ms)
{
        uint64_t cookie;

        if (probe->sender < 0)
                return true;
        while (recv(probe->receiver, &cookie, sizeof(cookie), 0) >= 0) {
                probe->heard = true;
                probe->heard_ms = now_ms;
        }
        (void)sendto(probe->sender, &probe->cookie, sizeof(probe->cookie), 0,
                     (const struct sockaddr *)&probe->address, probe->address_length);
        return !probe->heard || now_ms - probe->heard_ms < NODE_PROBE_LOST_MS;
}

void node_probe_close(struct node_probe *probe)
{
        if (probe->sender >= 0)
                (void)close(probe->sender);
        if (probe->receiver >= 0)
                (void)close(probe->receiver);
}
