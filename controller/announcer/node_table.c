#include "announcer/node_table.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum {
        READ_TRIES = 5,   /* a dump that others' changes disturb is begun again */
        ID_TRIES = 100,   /* ids that somebody else has */
        USER_HZ = 100,    /* the kernel's unit of timers */
        IPV6_METRIC = 67, /* before what people add without one, which gets 1024. IPv4's default is 0 */
};

static size_t addr_size(const struct addr *addr)
{
        return addr_bits(addr) / 8u;
}

int node_table_open(struct node_table *table)
{
        int on = 1, r = netlink_socket_open(&table->netlink, NETLINK_ROUTE);

        /* Lets the kernel filter a dump by protocol; without it (before 4.20) we filter ourselves. */
        if (r == 0)
                (void)mnl_socket_setsockopt(table->netlink.mnl, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
        return r;
}

static void clear(struct node_table *table)
{
        free(table->hops);
        free(table->groups);
        free(table->routes);
        table->hops = NULL;
        table->groups = NULL;
        table->routes = NULL;
        table->n_hops = table->n_groups = table->n_routes = 0;
}

void node_table_close(struct node_table *table)
{
        clear(table);
        netlink_socket_close(&table->netlink);
}

/* ---- reading */

/* Makes room for one more of `size` bytes. Grows by one: there are as many as there are LB pods on a node. */
static void *append(void *array, size_t *count, size_t size)
{
        char **items = array;
        char *grown = realloc(*items, (*count + 1) * size);

        if (!grown)
                return NULL;
        *items = grown;
        memset(grown + *count * size, 0, size);
        return grown + (*count)++ * size;
}

static int collect_attr(const struct nlattr *attr, void *userdata)
{
        const struct nlattr **attrs = userdata;

        if (mnl_attr_get_type(attr) <= RTA_MAX)
                attrs[mnl_attr_get_type(attr)] = attr;
        return MNL_CB_OK;
}

/* False: not of this family. */
static bool read_addr(const struct nlattr *attr, uint8_t family, struct addr *out)
{
        out->family = family;
        if (mnl_attr_get_payload_len(attr) != addr_size(out))
                return false;
        memcpy(out->bytes, mnl_attr_get_payload(attr), addr_size(out));
        return true;
}

static int read_group(struct node_table *table, uint32_t id, const struct nlattr *attr)
{
        const struct nexthop_grp *members = mnl_attr_get_payload(attr);
        size_t count = mnl_attr_get_payload_len(attr) / sizeof(*members);
        struct node_group *group = append(&table->groups, &table->n_groups, sizeof(*group));

        if (!group)
                return MNL_CB_ERROR;
        group->id = id;
        for (; group->count < count && group->count < NODE_GROUP_MEMBERS_MAX; group->count++)
                group->members[group->count] =
                    (struct node_member){members[group->count].id, members[group->count].weight};
        return MNL_CB_OK;
}

static int on_nexthop(const struct nlmsghdr *message, void *userdata)
{
        const struct nhmsg *nexthop = mnl_nlmsg_get_payload(message);
        const struct nlattr *attrs[RTA_MAX + 1] = {0};
        struct node_table *table = userdata;
        struct node_hop *hop, found = {0};

        if (nexthop->nh_protocol != NODE_ROUTES_PROTOCOL)
                return MNL_CB_OK;
        (void)mnl_attr_parse(message, sizeof(*nexthop), collect_attr, attrs);
        if (!attrs[NHA_ID])
                return MNL_CB_OK;
        found.id = mnl_attr_get_u32(attrs[NHA_ID]);
        if (attrs[NHA_GROUP])
                return read_group(table, found.id, attrs[NHA_GROUP]);
        if (!attrs[NHA_GATEWAY] || !read_addr(attrs[NHA_GATEWAY], nexthop->nh_family, &found.gateway))
                return MNL_CB_OK;
        hop = append(&table->hops, &table->n_hops, sizeof(*hop));
        if (!hop)
                return MNL_CB_ERROR;
        *hop = found;
        return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *userdata)
{
        const struct rtmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *attrs[RTA_MAX + 1] = {0};
        struct node_table *table = userdata;
        struct node_route *route, found = {.pool.length = header->rtm_dst_len};

        if (header->rtm_protocol != NODE_ROUTES_PROTOCOL || header->rtm_table != RT_TABLE_MAIN)
                return MNL_CB_OK;
        (void)mnl_attr_parse(message, sizeof(*header), collect_attr, attrs);
        if (!attrs[RTA_NH_ID] || !attrs[RTA_DST] ||
            !read_addr(attrs[RTA_DST], header->rtm_family, &found.pool.addr))
                return MNL_CB_OK;
        found.group = mnl_attr_get_u32(attrs[RTA_NH_ID]);
        route = append(&table->routes, &table->n_routes, sizeof(*route));
        if (!route)
                return MNL_CB_ERROR;
        *route = found;
        return MNL_CB_OK;
}

static int dump_nexthops(struct node_table *table)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

        message->nlmsg_type = RTM_GETNEXTHOP;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        (void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        return netlink_socket_talk(&table->netlink, message, on_nexthop, table);
}

static struct rtmsg *put_route_header(struct nlmsghdr *message, uint16_t type, uint16_t flags, uint8_t family)
{
        struct rtmsg *route;

        message->nlmsg_type = type;
        message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
        route->rtm_family = family;
        return route;
}

static int dump_routes(struct node_table *table, uint8_t family)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct rtmsg *route = put_route_header(message, RTM_GETROUTE, NLM_F_DUMP, family);
        int r;

        route->rtm_table = RT_TABLE_MAIN;
        route->rtm_protocol = NODE_ROUTES_PROTOCOL;
        r = netlink_socket_talk(&table->netlink, message, on_route, table);
        return r == -ENOENT ? 0 : r; /* the namespace never had a route: there is no main table yet */
}

int node_table_read(struct node_table *table)
{
        int r = -EINTR;

        for (int i = 0; i < READ_TRIES && r == -EINTR; i++) {
                clear(table);
                r = dump_nexthops(table);
                if (r == 0)
                        r = dump_routes(table, AF_INET);
                if (r == 0)
                        r = dump_routes(table, AF_INET6);
        }
        if (r < 0)
                clear(table);
        return r;
}

struct node_hop *node_table_find_hop(const struct node_table *table, uint32_t id)
{
        for (size_t i = 0; i < table->n_hops; i++)
                if (table->hops[i].id == id)
                        return &table->hops[i];
        return NULL;
}

struct node_hop *node_table_find_gateway(const struct node_table *table, const struct addr *gateway)
{
        for (size_t i = 0; i < table->n_hops; i++)
                if (addr_equal(&table->hops[i].gateway, gateway))
                        return &table->hops[i];
        return NULL;
}

struct node_group *node_table_find_group(const struct node_table *table, uint32_t id)
{
        for (size_t i = 0; i < table->n_groups; i++)
                if (table->groups[i].id == id)
                        return &table->groups[i];
        return NULL;
}

struct node_route *node_table_find_route(const struct node_table *table, const struct prefix *pool)
{
        for (size_t i = 0; i < table->n_routes; i++)
                if (prefix_compare(&table->routes[i].pool, pool) == 0)
                        return &table->routes[i];
        return NULL;
}

/* ---- changing */

static int on_route_to(const struct nlmsghdr *message, void *userdata)
{
        const struct nlattr *attrs[RTA_MAX + 1] = {0};
        uint32_t *device = userdata;

        (void)mnl_attr_parse(message, sizeof(struct rtmsg), collect_attr, attrs);
        if (attrs[RTA_OIF])
                *device = mnl_attr_get_u32(attrs[RTA_OIF]);
        return MNL_CB_OK;
}

static int change(struct node_table *table, struct nlmsghdr *message)
{
        return table->read_only ? -EROFS : netlink_socket_talk(&table->netlink, message, NULL, NULL);
}

/* The interface on which the node reaches an address. */
static int find_device(struct node_table *table, const struct addr *addr, uint32_t *device)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct rtmsg *route = put_route_header(message, RTM_GETROUTE, NLM_F_ACK, addr->family);
        int r;

        route->rtm_dst_len = addr_bits(addr);
        mnl_attr_put(message, RTA_DST, addr_size(addr), addr->bytes);
        *device = 0;
        r = netlink_socket_talk(&table->netlink, message, on_route_to, device);
        return r == 0 && !*device ? -ENETUNREACH : r;
}

static struct nhmsg *put_nexthop_header(struct nlmsghdr *message, uint16_t flags)
{
        struct nhmsg *nexthop;

        message->nlmsg_type = RTM_NEWNEXTHOP;
        message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | flags);
        nexthop = mnl_nlmsg_put_extra_header(message, sizeof(*nexthop));
        nexthop->nh_protocol = NODE_ROUTES_PROTOCOL;
        return nexthop;
}

/* Sends a nexthop message whose first attribute is its id, with the first id that nobody has. */
static int add_object(struct node_table *table, struct nlmsghdr *message, uint32_t *id)
{
        struct nlattr *attr = mnl_nlmsg_get_payload_offset(message, sizeof(struct nhmsg));
        int r = -EEXIST;

        *id = NODE_TABLE_FIRST_ID;
        for (int i = 0; i < ID_TRIES && r == -EEXIST; i++, ++*id) {
                while (node_table_find_hop(table, *id) || node_table_find_group(table, *id))
                        ++*id;
                memcpy(mnl_attr_get_payload(attr), id, sizeof(*id));
                r = change(table, message);
                if (r == 0)
                        return 0;
        }
        return r;
}

int node_table_add_hop(struct node_table *table, const struct addr *gateway, uint32_t *id)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct nhmsg *nexthop = put_nexthop_header(message, NLM_F_EXCL);
        uint32_t device;
        int r;

        r = find_device(table, gateway, &device);
        if (r < 0)
                return r;
        nexthop->nh_family = gateway->family;
        mnl_attr_put_u32(message, NHA_ID, 0);
        mnl_attr_put_u32(message, NHA_OIF, device);
        mnl_attr_put(message, NHA_GATEWAY, addr_size(gateway), gateway->bytes);
        return add_object(table, message, id);
}

static void put_resilience(struct nlmsghdr *message)
{
        struct nlattr *nest;

        mnl_attr_put_u16(message, NHA_GROUP_TYPE, NEXTHOP_GRP_TYPE_RES);
        nest = mnl_attr_nest_start(message, NHA_RES_GROUP);
        mnl_attr_put_u16(message, NHA_RES_GROUP_BUCKETS, NODE_GROUP_BUCKETS);
        mnl_attr_put_u32(message, NHA_RES_GROUP_IDLE_TIMER, NODE_GROUP_IDLE_S * USER_HZ);
        mnl_attr_put_u32(message, NHA_RES_GROUP_UNBALANCED_TIMER, 0); /* never by force */
        mnl_attr_nest_end(message, nest);
}

static int send_group(struct node_table *table, struct node_group *group)
{
        _Alignas(struct nlmsghdr) char buffer[1024];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct nexthop_grp members[NODE_GROUP_MEMBERS_MAX] = {0};

        (void)put_nexthop_header(message, group->id ? NLM_F_REPLACE : NLM_F_EXCL);
        for (size_t i = 0; i < group->count; i++) {
                members[i].id = group->members[i].hop;
                members[i].weight = group->members[i].weight;
        }
        mnl_attr_put_u32(message, NHA_ID, group->id);
        mnl_attr_put(message, NHA_GROUP, group->count * sizeof(*members), members);
        if (!table->plain)
                put_resilience(message);
        return group->id ? change(table, message) : add_object(table, message, &group->id);
}

int node_table_put_group(struct node_table *table, struct node_group *group)
{
        const uint32_t id = group->id;
        int r = send_group(table, group);

        if (table->plain || (r != -EINVAL && r != -EOPNOTSUPP))
                return r;
        /* Perhaps the kernel is older; if not, nothing is lost by asking. */
        table->plain = true;
        group->id = id;
        if (send_group(table, group) == 0)
                return 0;
        table->plain = false;
        return r;
}

int node_table_add_route(struct node_table *table, const struct prefix *pool, uint32_t group)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct rtmsg *route =
            put_route_header(message, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, pool->addr.family);

        route->rtm_dst_len = pool->length;
        route->rtm_table = RT_TABLE_MAIN;
        route->rtm_protocol = NODE_ROUTES_PROTOCOL;
        route->rtm_scope = RT_SCOPE_UNIVERSE;
        route->rtm_type = RTN_UNICAST;
        mnl_attr_put(message, RTA_DST, addr_size(&pool->addr), pool->addr.bytes);
        mnl_attr_put_u32(message, RTA_NH_ID, group);
        if (pool->addr.family == AF_INET6)
                mnl_attr_put_u32(message, RTA_PRIORITY, IPV6_METRIC);
        return change(table, message);
}

int node_table_remove(struct node_table *table, uint32_t id)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        int r;

        message->nlmsg_type = RTM_DELNEXTHOP;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        (void)mnl_nlmsg_put_extra_header(message, sizeof(struct nhmsg));
        mnl_attr_put_u32(message, NHA_ID, id);
        r = change(table, message);
        return r == -ENOENT ? 0 : r;
}
