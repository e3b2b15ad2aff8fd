#include "announcer/node_probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
        DRAIN_MAX = 64, /* whatever else somebody sends */
};

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

int node_probe_open(struct node_probe *probe, const struct addr *pod)
{
        struct sockaddr *address = (struct sockaddr *)&probe->address;

        if (pod->family == AF_UNSPEC)
                return 0;
        set_address(probe, pod);
        probe->receiver = socket(pod->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (probe->receiver < 0 || allow_early_bind(probe->receiver, pod->family) < 0 ||
            bind(probe->receiver, address, probe->address_length) < 0 ||
            getsockname(probe->receiver, address, &probe->address_length) < 0 ||
            getrandom(&probe->cookie, sizeof(probe->cookie), 0) < 0)
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
        for (int i = 0; i < DRAIN_MAX; i++) {
                ssize_t n = recv(probe->receiver, &cookie, sizeof(cookie), 0);

                if (n < 0)
                        break;
                if (n != sizeof(cookie) || cookie != probe->cookie)
                        continue;
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
