#include "resilient/decode.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define USER_HZ 100 /* the unit of the group's timers */

/* Attributes by type; those beyond `max` are not looked at. */
struct attrs {
        const struct nlattr **list;
        uint16_t max;
};

static int on_attr(const struct nlattr *attr, void *userdata)
{
        const struct attrs *attrs = userdata;

        if (mnl_attr_get_type(attr) <= attrs->max)
                attrs->list[mnl_attr_get_type(attr)] = attr;
        return MNL_CB_OK;
}

static bool has_header(const struct nlmsghdr *message, size_t size)
{
        return message->nlmsg_len >= sizeof(*message) + size;
}

/* Returns whether the attribute is there and holds a number; *out is 0 otherwise. */
static bool get_u32(const struct nlattr *attr, uint32_t *out)
{
        *out = 0;
        if (!attr || mnl_attr_get_payload_len(attr) != sizeof(*out))
                return false;
        memcpy(out, mnl_attr_get_payload(attr), sizeof(*out));
        return true;
}

static bool get_bytes(const void *bytes, size_t length, uint8_t family, struct addr *out)
{
        struct addr addr = {.family = family};

        if ((family != AF_INET && family != AF_INET6) || length != addr_bits(&addr) / 8u)
                return false;
        memcpy(addr.bytes, bytes, length);
        *out = addr;
        return true;
}

static bool get_addr(const struct nlattr *attr, uint8_t family, struct addr *out)
{
        return attr && get_bytes(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), family, out);
}

/* A destination; the default route has no attribute. */
static bool get_prefix(const struct nlattr *attr, uint8_t family, uint8_t length, struct prefix *out)
{
        struct addr addr = {.family = family};

        if ((family != AF_INET && family != AF_INET6) || length > addr_bits(&addr) ||
            (attr && !get_addr(attr, family, &addr)))
                return false;
        *out = prefix_of(&addr, length);
        return true;
}

/* RTA_GATEWAY, or RTA_VIA if the gateway's family is another. */
static bool get_gateway(const struct nlattr *const *attrs, uint8_t family, struct addr *out)
{
        const struct rtvia *via;
        size_t length;

        if (attrs[RTA_GATEWAY])
                return get_addr(attrs[RTA_GATEWAY], family, out);
        if (!attrs[RTA_VIA])
                return false;
        via = mnl_attr_get_payload(attrs[RTA_VIA]);
        length = mnl_attr_get_payload_len(attrs[RTA_VIA]);
        return length > sizeof(*via) && via->rtvia_family <= UINT8_MAX &&
               get_bytes(via->rtvia_addr, length - sizeof(*via), (uint8_t)via->rtvia_family, out);
}

/* One way of the route: appended, unless it is down. What has no gateway, or a tunnel, makes the route plain.
 */
static int add_path(const struct nlattr *const *attrs, uint8_t family, uint32_t interface, unsigned int flags,
                    uint16_t weight, struct main_route *route, struct fib *fib)
{
        struct path path = {.hop = {.interface = interface, .onlink = flags & RTNH_F_ONLINK},
                            .weight = weight};

        if (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
                return 0;
        if (attrs[RTA_ENCAP] || !interface || !get_gateway(attrs, family, &path.hop.gateway) ||
            route->count == FIB_HOPS_MAX) {
                route->plain = true;
                return 0;
        }
        route->count++;
        return FIB_ADD(fib, path, paths, &path);
}

static int add_multipath(const struct nlattr *multipath, uint8_t family, struct main_route *route,
                         struct fib *fib)
{
        const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
        int left = mnl_attr_get_payload_len(multipath), r = 0;

        while (r == 0 && left >= (int)sizeof(*hop) && RTNH_OK(hop, left)) {
                const struct nlattr *list[RTA_MAX + 1] = {NULL};
                struct attrs attrs = {.list = list, .max = RTA_MAX};
                int length = (int)RTNH_ALIGN(hop->rtnh_len);

                (void)mnl_attr_parse_payload(hop + 1, hop->rtnh_len - sizeof(*hop), on_attr, &attrs);
                r = add_path(list, family, (uint32_t)hop->rtnh_ifindex, hop->rtnh_flags,
                             (uint16_t)(hop->rtnh_hops + 1), route, fib);
                left -= length;
                hop = (const struct rtnexthop *)((const char *)hop + length);
        }
        return r;
}

static int add_main_route(const struct rtmsg *header, const struct nlattr *const *attrs,
                          const struct prefix *prefix, struct fib *fib)
{
        struct main_route route = {
            .prefix = *prefix, .plain = header->rtm_type != RTN_UNICAST, .first = fib->path_count};
        uint32_t interface;
        int r = 0;

        if (fib->route_count == FIB_ROUTES_MAX)
                return 0;
        (void)get_u32(attrs[RTA_PRIORITY], &route.metric);
        (void)get_u32(attrs[RTA_OIF], &interface);
        if (attrs[RTA_MULTIPATH])
                r = add_multipath(attrs[RTA_MULTIPATH], header->rtm_family, &route, fib);
        else
                r = add_path(attrs, header->rtm_family, interface, header->rtm_flags, 1, &route, fib);
        route.plain |= route.count == 0;
        if (route.plain)
                route.count = 0;
        return r < 0 ? r : FIB_ADD(fib, route, routes, &route);
}

struct route_message {
        const struct rtmsg *header;
        const struct nlattr *attrs[RTA_MAX + 1];
        struct prefix prefix;
        uint32_t table;
};

static bool parse_route(const struct nlmsghdr *message, struct route_message *out)
{
        struct attrs attrs = {.list = out->attrs, .max = RTA_MAX};

        memset(out, 0, sizeof(*out));
        if (!has_header(message, sizeof(*out->header)))
                return false;
        out->header = mnl_nlmsg_get_payload(message);
        (void)mnl_attr_parse(message, sizeof(*out->header), on_attr, &attrs);
        if (!get_u32(out->attrs[RTA_TABLE], &out->table))
                out->table = out->header->rtm_table;
        return get_prefix(out->attrs[RTA_DST], out->header->rtm_family, out->header->rtm_dst_len,
                          &out->prefix);
}

int decode_route(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib)
{
        struct route_message route;
        struct our_route ours;

        if (!parse_route(message, &route))
                return 0;
        if (route.table == scope->table && route.header->rtm_protocol == scope->protocol) {
                ours.prefix = route.prefix;
                (void)get_u32(route.attrs[RTA_NH_ID], &ours.group_id);
                return FIB_ADD(fib, our, ours, &ours);
        }
        /* Routes for some sources or services only are no part of what is mirrored. */
        if (route.table != RT_TABLE_MAIN || route.header->rtm_flags & RTM_F_CLONED ||
            route.header->rtm_src_len || route.header->rtm_tos ||
            !prefix_list_around(&scope->pools, &route.prefix))
                return 0;
        return add_main_route(route.header, route.attrs, &route.prefix, fib);
}

static uint32_t get_seconds(const struct nlattr *attr)
{
        uint32_t ticks;

        (void)get_u32(attr, &ticks);
        return ticks / USER_HZ;
}

static int add_group(uint32_t id, const struct nlattr *const *attrs, struct fib *fib)
{
        const struct nlattr *list[NHA_RES_GROUP_MAX + 1] = {NULL};
        struct attrs resilient = {.list = list, .max = NHA_RES_GROUP_MAX};
        const struct nexthop_grp *members = mnl_attr_get_payload(attrs[NHA_GROUP]);
        size_t count = mnl_attr_get_payload_len(attrs[NHA_GROUP]) / sizeof(*members);
        struct our_group group = {.id = id, .first = fib->member_count, .count = count};
        int r = 0;

        if (attrs[NHA_RES_GROUP])
                (void)mnl_attr_parse_nested(attrs[NHA_RES_GROUP], on_attr, &resilient);
        if (list[NHA_RES_GROUP_BUCKETS] &&
            mnl_attr_get_payload_len(list[NHA_RES_GROUP_BUCKETS]) == sizeof(uint16_t))
                group.buckets = mnl_attr_get_u16(list[NHA_RES_GROUP_BUCKETS]);
        group.idle_timer_s = get_seconds(list[NHA_RES_GROUP_IDLE_TIMER]);
        group.unbalanced_timer_s = get_seconds(list[NHA_RES_GROUP_UNBALANCED_TIMER]);
        for (size_t i = 0; i < count && r == 0; i++) {
                struct member member = {.hop_id = members[i].id, .weight = (uint16_t)(members[i].weight + 1)};

                r = FIB_ADD(fib, member, members, &member);
        }
        return r < 0 ? r : FIB_ADD(fib, group, groups, &group);
}

int decode_next_hop(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib)
{
        const struct nlattr *list[NHA_MAX + 1] = {NULL};
        struct attrs attrs = {.list = list, .max = NHA_MAX};
        const struct nhmsg *header = mnl_nlmsg_get_payload(message);
        struct our_hop hop = {0};

        if (!has_header(message, sizeof(*header)))
                return 0;
        (void)mnl_attr_parse(message, sizeof(*header), on_attr, &attrs);
        if (!get_u32(list[NHA_ID], &hop.id))
                return 0;
        if (header->nh_protocol != scope->protocol)
                return FIB_ADD(fib, foreign, foreign_ids, &hop.id);
        if (list[NHA_GROUP])
                return add_group(hop.id, list, fib);
        /* An object of ours that we would not have made stays recognisable: its gateway equals none. */
        (void)get_u32(list[NHA_OIF], &hop.hop.interface);
        (void)get_addr(list[NHA_GATEWAY], header->nh_family, &hop.hop.gateway);
        hop.hop.onlink = header->nh_flags & RTNH_F_ONLINK;
        return FIB_ADD(fib, hop, hops, &hop);
}

int decode_rule(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib)
{
        const struct nlattr *list[FRA_MAX + 1] = {NULL};
        struct attrs attrs = {.list = list, .max = FRA_MAX};
        const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
        struct prefix prefix;
        uint32_t table;

        if (!has_header(message, sizeof(*header)))
                return 0;
        (void)mnl_attr_parse(message, sizeof(*header), on_attr, &attrs);
        if (!get_u32(list[FRA_TABLE], &table))
                table = header->table;
        if (table != scope->table || !list[FRA_PROTOCOL] ||
            mnl_attr_get_payload_len(list[FRA_PROTOCOL]) != sizeof(uint8_t) ||
            mnl_attr_get_u8(list[FRA_PROTOCOL]) != scope->protocol ||
            !get_prefix(list[FRA_DST], header->family, header->dst_len, &prefix))
                return 0;
        return prefix_list_append(&fib->rules, &prefix);
}

enum relevance decode_relevance(const struct nlmsghdr *message, const struct scope *scope)
{
        struct route_message route;

        switch (message->nlmsg_type) {
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
                return parse_route(message, &route) &&
                               (route.table == RT_TABLE_MAIN || route.table == scope->table) &&
                               prefix_list_around(&scope->pools, &route.prefix)
                           ? RELEVANT
                           : RELEVANT_NOT;
        case RTM_NEWNEXTHOPBUCKET: /* flows that move to the next-hop that is to have them */
        case RTM_DELNEXTHOPBUCKET:
                return RELEVANT_NOT;
        default: /* links, rules, and next-hops, which routes may refer to */
                return RELEVANT_PERHAPS;
        }
}
