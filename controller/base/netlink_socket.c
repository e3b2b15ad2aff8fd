#include "base/netlink_socket.h"

#include <errno.h>
#include <stdbool.h>
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

/* Whose answers these are, and what went wrong with them so far: a negative errno. An answer is read to its
 * end in any case: the kernel keeps what is left of a list, and refuses the next one (EBUSY). */
struct reader {
        mnl_cb_t callback;
        void *userdata;
        int r;
};

static int on_answer(const struct nlmsghdr *message, void *userdata)
{
        struct reader *reader = userdata;

        if (reader->callback && reader->r == 0 && reader->callback(message, reader->userdata) < 0)
                reader->r = -errno;
        return MNL_CB_OK;
}

/* Whether the list has changed while the kernel gave it out. libmnl, which must not see the flag, would stop
 * here. */
static bool take_interruption(void *answer, size_t length)
{
        struct nlmsghdr *message = answer;
        bool interrupted = false;
        int left = (int)length;

        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
                interrupted |= message->nlmsg_flags & NLM_F_DUMP_INTR;
                message->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
        }
        return interrupted;
}

int netlink_socket_talk(struct netlink_socket *netlink, struct nlmsghdr *request, mnl_cb_t callback,
                        void *userdata)
{
        _Alignas(struct nlmsghdr) char answer[32768];
        unsigned int port = mnl_socket_get_portid(netlink->mnl);
        struct reader reader = {callback, userdata, 0};
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
                if (take_interruption(answer, (size_t)n))
                        reader.r = -EINTR;
                r = mnl_cb_run(answer, (size_t)n, netlink->sequence, port, on_answer, &reader);
                if (r < 0 && errno == EPROTO)
                        r = MNL_CB_OK; /* the late answer to a request that was given up */
        }
        return r < 0 ? -errno : reader.r;
}

void netlink_socket_close(struct netlink_socket *netlink)
{
        if (netlink->mnl)
                (void)mnl_socket_close(netlink->mnl);
        netlink->mnl = NULL;
}
