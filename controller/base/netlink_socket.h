/* Questions to the kernel by netlink, one at a time, each waited for. The kernel answers in the call that
 * asks; see libmnl's documentation and netlink(7). */
#pragma once

#include <libmnl/libmnl.h>
#include <stdint.h>

struct netlink_socket {
        struct mnl_socket *mnl;
        uint32_t sequence;
};

/* Opens one in the calling thread's network namespace; `protocol` is one of NETLINK_…. 0 or a negative errno.
 */
int netlink_socket_open(struct netlink_socket *netlink, int protocol);

/* Sends one request (its number is set here) and runs the answers through `callback`, which may be NULL, and
 * is not called again once it has failed. Returns 0 or a negative errno: the kernel's, the callback's, or of
 * the exchange; -EINTR: what was listed has changed meanwhile, so that it has to be listed again. */
int netlink_socket_talk(struct netlink_socket *netlink, struct nlmsghdr *request, mnl_cb_t callback,
                        void *userdata);

/* Also of one that is all zero. */
void netlink_socket_close(struct netlink_socket *netlink);
