/* With the kernel itself, in a network namespace of the test's own. */
#include "base/netlink_socket.h"

#include "unit.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#define HOPS 3000 /* several reads make up a list of them */

struct hops {
        struct netlink_socket socket, other;
        unsigned int listed;
        uint32_t next_id;
        int fail;     /* with this errno, at each */
        bool disturb; /* the list, at its first one */
};

static int add_hop(struct hops *hops)
{
        _Alignas(struct nlmsghdr) char buffer[128];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct nhmsg *nexthop;

        message->nlmsg_type = RTM_NEWNEXTHOP;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        nexthop = mnl_nlmsg_put_extra_header(message, sizeof(*nexthop));
        nexthop->nh_family = AF_INET;
        mnl_attr_put_u32(message, NHA_ID, ++hops->next_id);
        mnl_attr_put(message, NHA_BLACKHOLE, 0, NULL);
        return netlink_socket_talk(&hops->other, message, NULL, NULL);
}

static int on_hop(const struct nlmsghdr *message, void *userdata)
{
        struct hops *hops = userdata;

        (void)message;
        if (hops->disturb)
                assert_int_equal(add_hop(hops), 0);
        hops->disturb = false;
        hops->listed++;
        errno = hops->fail;
        return hops->fail ? MNL_CB_ERROR : MNL_CB_OK;
}

static int list_hops(struct hops *hops)
{
        _Alignas(struct nlmsghdr) char buffer[128];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

        hops->listed = 0;
        message->nlmsg_type = RTM_GETNEXTHOP;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        (void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        return netlink_socket_talk(&hops->socket, message, on_hop, hops);
}

/* Which the kernel uses for next-hops that lead nowhere. */
static int raise_loopback(struct hops *hops)
{
        _Alignas(struct nlmsghdr) char buffer[128];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *link;

        message->nlmsg_type = RTM_NEWLINK;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        link = mnl_nlmsg_put_extra_header(message, sizeof(*link));
        link->ifi_index = 1;
        link->ifi_flags = link->ifi_change = IFF_UP;
        return netlink_socket_talk(&hops->other, message, NULL, NULL);
}

static int make_hops(void **state)
{
        static struct hops hops;
        int r;

        *state = &hops;
        assert_int_equal(netlink_socket_open(&hops.socket, NETLINK_ROUTE), 0);
        assert_int_equal(netlink_socket_open(&hops.other, NETLINK_ROUTE), 0);
        r = raise_loopback(&hops);
        while (r == 0 && hops.next_id < HOPS)
                r = add_hop(&hops);
        assert_int_equal(r, 0);
        return 0;
}

static int close_hops(void **state)
{
        struct hops *hops = *state;

        netlink_socket_close(&hops->socket);
        netlink_socket_close(&hops->other);
        return 0;
}

static void list_that_a_change_disturbs_is_told_and_can_be_read_again(void **state)
{
        struct hops *hops = *state;

        hops->disturb = true;
        assert_int_equal(list_hops(hops), -EINTR);
        assert_int_equal(list_hops(hops), 0);
        assert_int_equal(hops->listed, hops->next_id);
}

static void list_that_the_reader_fails_on_can_be_read_again(void **state)
{
        struct hops *hops = *state;

        hops->fail = ENOMEM;
        assert_int_equal(list_hops(hops), -ENOMEM);
        assert_int_equal(hops->listed, 1);
        hops->fail = 0;
        assert_int_equal(list_hops(hops), 0);
        assert_int_equal(hops->listed, hops->next_id);
}

static void refusal_is_the_kernels_own(void **state)
{
        struct hops *hops = *state;

        hops->next_id--;
        assert_int_equal(add_hop(hops), -EEXIST);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(list_that_a_change_disturbs_is_told_and_can_be_read_again),
            cmocka_unit_test(list_that_the_reader_fails_on_can_be_read_again),
            cmocka_unit_test(refusal_is_the_kernels_own),
        };

        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
                printf("skipped: no namespaces for us here\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, make_hops, close_hops);
}
