#include "base/netlink_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

int netlink_socket_open(struct netlink_socket *netlink, int protocol)
{
        const struct timeval timeout = {.tv_sec = 1}; /* the kernel answers at once; never hang on it */
        int r;

        *netlink = (struct netlink_socket){.mnl = mnl_socket_open2(protocol, SOCK_CLOEXEC)};
        if (!netlink->mnl)
                return -errno;
        if (mnl_socket_bind(netlink->mnl, 0, MNL_SOCKET_AUTOPID) < 0 ||
            setsockopt(mnl_socket_get_fd(netlink->mnl), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) <
                0) {
                r = -errno;
                netlink_socket_close(netlink);
                return r;
        }
        return 0;
}

int netlink_socket_talk(struct netlink_socket *netlink, struct nlmsghdr *request, mnl_cb_t callback,
                        void *userdata)
{
        _Alignas(struct nlmsghdr) char answer[32768];
        unsigned int port = mnl_socket_get_portid(netlink->mnl);
        int r = MNL_CB_OK;

        request->nlmsg_seq = ++netlink->sequence;
        if (mnl_socket_sendto(netlink->mnl, request, request->nlmsg_len) < 0)
                return -errno;
        while (r > MNL_CB_STOP) {
                ssize_t n = mnl_socket_recvfrom(netlink->mnl, answer, sizeof(answer));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                r = mnl_cb_run(answer, (size_t)n, netlink->sequence, port, callback, userdata);
                if (r < 0 && errno == EPROTO)
                        r = MNL_CB_OK; /* the late answer to a request that was given up */
        }
        return r < 0 ? -errno : 0;
}

void netlink_socket_close(struct netlink_socket *netlink)
{
        if (netlink->mnl)
                (void)mnl_socket_close(netlink->mnl);
        netlink->mnl = NULL;
}
