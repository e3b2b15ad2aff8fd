#include "resilient/netlink.h"

#include "base/netlink_socket.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define USER_HZ 100
#define MESSAGE_SIZE 8192 /* a group of FIB_HOPS_MAX members takes 2 kB */
#define EVENT_READS 100   /* in a row; where they never end there is something else to do too */
#define DUMP_TRIES 5      /* a dump that a change has interrupted is worth nothing */

typedef int (*decoder)(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib);

struct netlink {
        const struct scope *scope;
        struct netlink_socket requests, events;
        bool overrun;   /* notifications were lost, and the queue has not been empty since */
        decoder decode; /* while a dump runs */
        struct fib *fib;
};

static const enum rtnetlink_groups watched[] = {
    RTNLGRP_LINK, /* IPv4 routes over a link that goes down vanish without a word */
    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
};

static int on_message(const struct nlmsghdr *message, void *userdata)
{
        struct netlink *netlink = userdata;

        if (netlink->decode && netlink->decode(message, netlink->scope, netlink->fib) < 0) {
                errno = ENOMEM;
                return MNL_CB_ERROR;
        }
        return MNL_CB_OK;
}

static int talk(struct netlink *netlink, struct nlmsghdr *request)
{
        request->nlmsg_flags |= NLM_F_REQUEST;
        return netlink_socket_talk(&netlink->requests, request, on_message, netlink);
}

static int open_sockets(struct netlink *netlink)
{
        int on = 1, r = netlink_socket_open(&netlink->requests, NETLINK_ROUTE);

        if (r == 0)
                r = netlink_socket_open(&netlink->events, NETLINK_ROUTE);
        if (r < 0)
                return r;
        if (mnl_socket_setsockopt(netlink->requests.mnl, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
                return -errno;
        for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
                int group = (int)watched[i];

                if (mnl_socket_setsockopt(netlink->events.mnl, NETLINK_ADD_MEMBERSHIP, &group,
                                          sizeof(group)) < 0)
                        return -errno;
        }
        return 0;
}

/* Asks for the bucket of no group: an error in any case, but older kernels do not know the question. */
static int probe(struct netlink *netlink)
{
        _Alignas(struct nlmsghdr) char buffer[128];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

        message->nlmsg_type = RTM_GETNEXTHOPBUCKET;
        (void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        return talk(netlink, message) == -EOPNOTSUPP ? -EOPNOTSUPP : 0;
}

int netlink_new(const struct scope *scope, struct netlink **out, struct error *error)
{
        _cleanup_(netlink_free_p) struct netlink *netlink = calloc(1, sizeof(*netlink));
        int r;

        if (!netlink)
                return error_oom(error);
        netlink->scope = scope;
        r = open_sockets(netlink);
        if (r < 0) {
                (void)error_set(error, "netlink", "cannot be set up: %s", strerror(-r));
                return r;
        }
        r = probe(netlink);
        if (r < 0) {
                (void)error_set(error, "kernel", "it has no resilient next-hop groups (Linux 5.13 has)");
                return r;
        }
        *out = TAKE_PTR(netlink);
        return 0;
}

int netlink_fd(const struct netlink *netlink)
{
        return mnl_socket_get_fd(netlink->events.mnl);
}

/* After ENOBUFS the kernel drops all until the queue is empty, and does not say so again: until then,
 * anything may have changed. */
enum relevance netlink_changes(struct netlink *netlink)
{
        _Alignas(struct nlmsghdr) char buffer[32768];
        unsigned int ourselves = mnl_socket_get_portid(netlink->requests.mnl);
        enum relevance highest = RELEVANT_NOT;

        for (int i = 0; i < EVENT_READS; i++) {
                ssize_t n =
                    recv(mnl_socket_get_fd(netlink->events.mnl), buffer, sizeof(buffer), MSG_DONTWAIT);

                if (n < 0 && errno == ENOBUFS)
                        netlink->overrun = true;
                if (netlink->overrun)
                        highest = RELEVANT;
                if (n < 0 && errno == EAGAIN) {
                        netlink->overrun = false;
                        break;
                }
                for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; mnl_nlmsg_ok(message, (int)n);) {
                        enum relevance relevance = decode_relevance(message, netlink->scope);
                        int left = (int)n;

                        if (message->nlmsg_pid != ourselves && relevance > highest)
                                highest = relevance;
                        message = mnl_nlmsg_next(message, &left);
                        n = left;
                }
        }
        return highest;
}

static void put_addr(struct nlmsghdr *message, uint16_t type, const struct addr *addr)
{
        mnl_attr_put(message, type, addr_bits(addr) / 8u, addr->bytes);
}

static int dump(struct netlink *netlink, uint16_t type, uint8_t family, uint32_t table)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        size_t header = type == RTM_GETROUTE     ? sizeof(struct rtmsg)
                        : type == RTM_GETNEXTHOP ? sizeof(struct nhmsg)
                                                 : sizeof(struct fib_rule_hdr);
        int r;

        message->nlmsg_type = type;
        message->nlmsg_flags = NLM_F_DUMP;
        *(uint8_t *)mnl_nlmsg_put_extra_header(message, header) = family; /* all headers begin with it */
        if (table)
                mnl_attr_put_u32(message, RTA_TABLE, table);
        r = talk(netlink, message);
        return r == -ENOENT ? 0 : r; /* a table that never had a route is not there */
}

static int dump_all(struct netlink *netlink)
{
        static const uint8_t families[] = {AF_INET, AF_INET6};
        int r = 0;

        for (size_t i = 0; i < sizeof(families) && r == 0; i++) {
                netlink->decode = decode_route;
                if (netlink->scope->pools.count)
                        r = dump(netlink, RTM_GETROUTE, families[i], RT_TABLE_MAIN);
                if (r == 0)
                        r = dump(netlink, RTM_GETROUTE, families[i], netlink->scope->table);
                netlink->decode = decode_rule;
                if (r == 0)
                        r = dump(netlink, RTM_GETRULE, families[i], 0);
        }
        netlink->decode = decode_next_hop;
        if (r == 0)
                r = dump(netlink, RTM_GETNEXTHOP, AF_UNSPEC, 0);
        netlink->decode = NULL;
        return r;
}

int netlink_read(struct netlink *netlink, struct fib *fib, struct error *error)
{
        int r = -EINTR;

        netlink->fib = fib;
        for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
                fib_clear(fib);
                r = dump_all(netlink);
        }
        if (r < 0) {
                (void)error_set(error, "netlink", "cannot list routes: %s", strerror(-r));
                return r;
        }
        fib_sort(fib);
        return 0;
}

static void put_hop(struct nlmsghdr *message, const struct operation *operation)
{
        struct nhmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

        header->nh_family = operation->hop.gateway.family;
        header->nh_flags = operation->hop.onlink ? RTNH_F_ONLINK : 0;
        mnl_attr_put_u32(message, NHA_ID, operation->id);
        mnl_attr_put_u32(message, NHA_OIF, operation->hop.interface);
        put_addr(message, NHA_GATEWAY, &operation->hop.gateway);
}

static void put_group(struct nlmsghdr *message, const struct mirror_config *config,
                      const struct operation *operation, const struct member *members)
{
        struct nexthop_grp entries[FIB_HOPS_MAX] = {0};
        struct nlattr *nest;

        (void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        for (size_t i = 0; i < operation->count; i++) {
                entries[i].id = members[operation->first + i].hop_id;
                entries[i].weight = (uint8_t)(members[operation->first + i].weight - 1);
        }
        mnl_attr_put_u32(message, NHA_ID, operation->id);
        mnl_attr_put(message, NHA_GROUP, operation->count * sizeof(entries[0]), entries);
        mnl_attr_put_u16(message, NHA_GROUP_TYPE, NEXTHOP_GRP_TYPE_RES);
        nest = mnl_attr_nest_start(message, NHA_RES_GROUP);
        mnl_attr_put_u16(message, NHA_RES_GROUP_BUCKETS, config->buckets);
        mnl_attr_put_u32(message, NHA_RES_GROUP_IDLE_TIMER, config->idle_timer_s * USER_HZ);
        mnl_attr_put_u32(message, NHA_RES_GROUP_UNBALANCED_TIMER, config->unbalanced_timer_s * USER_HZ);
        mnl_attr_nest_end(message, nest);
}

static void put_id(struct nlmsghdr *message, uint32_t id)
{
        (void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        mnl_attr_put_u32(message, NHA_ID, id);
}

static void put_route(struct nlmsghdr *message, const struct scope *scope, const struct operation *operation)
{
        struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

        header->rtm_family = operation->prefix.addr.family;
        header->rtm_dst_len = operation->prefix.length;
        header->rtm_protocol = scope->protocol;
        header->rtm_scope = operation->kind == DELETE_ROUTE ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
        header->rtm_type = operation->kind == SET_ROUTE   ? RTN_UNICAST
                           : operation->kind == SET_THROW ? RTN_THROW
                                                          : RTN_UNSPEC;
        mnl_attr_put_u32(message, RTA_TABLE, scope->table);
        put_addr(message, RTA_DST, &operation->prefix.addr);
        if (operation->kind == SET_ROUTE)
                mnl_attr_put_u32(message, RTA_NH_ID, operation->id);
}

static void put_rule(struct nlmsghdr *message, const struct scope *scope, const struct operation *operation)
{
        struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

        header->family = operation->prefix.addr.family;
        header->dst_len = operation->prefix.length;
        header->action = FR_ACT_TO_TBL;
        put_addr(message, FRA_DST, &operation->prefix.addr);
        mnl_attr_put_u32(message, FRA_TABLE, scope->table);
        mnl_attr_put_u32(message, FRA_PRIORITY, NETLINK_RULE_PRIORITY);
        mnl_attr_put_u8(message, FRA_PROTOCOL, scope->protocol);
}

static void put(struct nlmsghdr *message, const struct scope *scope, const struct mirror_config *config,
                const struct operation *operation, const struct member *members)
{
        switch (operation->kind) {
        case ADD_HOP:
                put_hop(message, operation);
                break;
        case ADD_GROUP:
        case CHANGE_GROUP:
                put_group(message, config, operation, members);
                break;
        case DELETE_GROUP:
        case DELETE_HOP:
                put_id(message, operation->id);
                break;
        case SET_ROUTE:
        case SET_THROW:
        case DELETE_ROUTE:
                put_route(message, scope, operation);
                break;
        case ADD_RULE:
        case DELETE_RULE:
                put_rule(message, scope, operation);
                break;
        }
}

int netlink_apply(struct netlink *netlink, const struct mirror_config *config,
                  const struct operation *operation, const struct member *members)
{
        static const struct {
                uint16_t type, flags;
        } how[] = {
            [ADD_HOP] = {RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL},
            [ADD_GROUP] = {RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL},
            [CHANGE_GROUP] = {RTM_NEWNEXTHOP, NLM_F_REPLACE},
            [SET_ROUTE] = {RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE},
            [SET_THROW] = {RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE},
            [DELETE_ROUTE] = {RTM_DELROUTE, 0},
            [DELETE_GROUP] = {RTM_DELNEXTHOP, 0},
            [DELETE_HOP] = {RTM_DELNEXTHOP, 0},
            [ADD_RULE] = {RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL},
            [DELETE_RULE] = {RTM_DELRULE, 0},
        };
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        int r;

        message->nlmsg_type = how[operation->kind].type;
        message->nlmsg_flags = (uint16_t)(NLM_F_ACK | how[operation->kind].flags);
        put(message, netlink->scope, config, operation, members);
        if (message->nlmsg_type == RTM_NEWNEXTHOP)
                ((struct nhmsg *)mnl_nlmsg_get_payload(message))->nh_protocol = netlink->scope->protocol;
        r = talk(netlink, message);
        /* Deleting what has just gone is fine, and so is a rule that is there. */
        if (r == -ESRCH || r == -ENOENT)
                return operation->kind >= DELETE_ROUTE && operation->kind != ADD_RULE ? 0 : r;
        return r == -EEXIST && operation->kind == ADD_RULE ? 0 : r;
}

void netlink_free(struct netlink *netlink)
{
        if (!netlink)
                return;
        netlink_socket_close(&netlink->requests);
        netlink_socket_close(&netlink->events);
        free(netlink);
}
