#include "io/ipvs_netlink.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_SIZE = 1024 };

#define MOST_ATTRIBUTES 32

struct attributes {
        const struct nlattr *by_type[MOST_ATTRIBUTES];
};

static int collect(const struct nlattr *attr, void *userdata)
{
        struct attributes *attributes = userdata;

        if (mnl_attr_get_type(attr) < MOST_ATTRIBUTES)
                attributes->by_type[mnl_attr_get_type(attr)] = attr;
        return MNL_CB_OK;
}

/* The attribute if it has at least that size, else NULL. */
static const void *payload(const struct attributes *attributes, uint16_t type, size_t size)
{
        const struct nlattr *attr = attributes->by_type[type];

        return attr && mnl_attr_get_payload_len(attr) >= size ? mnl_attr_get_payload(attr) : NULL;
}

static uint16_t get_u16(const struct attributes *attributes, uint16_t type)
{
        const void *value = payload(attributes, type, sizeof(uint16_t));
        uint16_t number = 0;

        if (value)
                memcpy(&number, value, sizeof(number));
        return number;
}

static uint32_t get_u32(const struct attributes *attributes, uint16_t type)
{
        const void *value = payload(attributes, type, sizeof(uint32_t));
        uint32_t number = 0;

        if (value)
                memcpy(&number, value, sizeof(number));
        return number;
}

/* What is inside the message's attribute of that type: false without it. */
static bool unwrap(const struct nlmsghdr *message, uint16_t type, struct attributes *out)
{
        struct attributes outer = {0};

        *out = (struct attributes){0};
        (void)mnl_attr_parse(message, sizeof(struct genlmsghdr), collect, &outer);
        if (outer.by_type[type])
                (void)mnl_attr_parse_nested(outer.by_type[type], collect, out);
        return outer.by_type[type] != NULL;
}

static struct nlmsghdr *begin_message(char *buffer, uint16_t type, uint16_t flags, uint8_t command,
                                      uint8_t version)
{
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct genlmsghdr *header;

        message->nlmsg_type = type;
        message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
        header->cmd = command;
        header->version = version;
        return message;
}

static int on_family(const struct nlmsghdr *message, void *userdata)
{
        struct ipvs_netlink *ipvs = userdata;
        struct attributes attributes = {0};

        (void)mnl_attr_parse(message, sizeof(struct genlmsghdr), collect, &attributes);
        ipvs->family = get_u16(&attributes, CTRL_ATTR_FAMILY_ID);
        return MNL_CB_OK;
}

int ipvs_netlink_open(struct ipvs_netlink *ipvs, struct ipvs_counts *counts)
{
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
        struct nlmsghdr *message = begin_message(buffer, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1);
        int r;

        *ipvs = (struct ipvs_netlink){.counts = counts};
        r = netlink_socket_open(&ipvs->socket, NETLINK_GENERIC);
        if (r < 0)
                return r;
        mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
        r = netlink_socket_talk(&ipvs->socket, message, on_family, ipvs);
        if (r == 0 && !ipvs->family)
                r = -ENOENT;
        if (r < 0)
                ipvs_netlink_close(ipvs);
        return r;
}

void ipvs_netlink_close(struct ipvs_netlink *ipvs)
{
        netlink_socket_close(&ipvs->socket);
}

static void count(const struct ipvs_netlink *ipvs, enum ipvs_operation operation, bool done)
{
        if (ipvs->counts && done)
                ipvs->counts->done[operation]++;
        else if (ipvs->counts)
                ipvs->counts->failed[operation]++;
}

/* ---- virtual servers */

static const uint16_t protocols[] = {
    [PROTOCOL_TCP] = IPPROTO_TCP, [PROTOCOL_UDP] = IPPROTO_UDP, [PROTOCOL_SCTP] = IPPROTO_SCTP};

static struct nlmsghdr *begin_request(const struct ipvs_netlink *ipvs, char *buffer, uint16_t flags,
                                      uint8_t command, const struct ipvs_virtual *key)
{
        struct nlmsghdr *message = begin_message(buffer, ipvs->family, flags, command, IPVS_GENL_VERSION);
        struct nlattr *nest = mnl_attr_nest_start(message, IPVS_CMD_ATTR_SERVICE);

        mnl_attr_put_u16(message, IPVS_SVC_ATTR_AF, key->vip.family);
        mnl_attr_put_u16(message, IPVS_SVC_ATTR_PROTOCOL, protocols[key->protocol]);
        mnl_attr_put(message, IPVS_SVC_ATTR_ADDR, sizeof(key->vip.bytes), key->vip.bytes);
        mnl_attr_put_u16(message, IPVS_SVC_ATTR_PORT, htons(key->port));
        mnl_attr_nest_end(message, nest);
        return message;
}

static bool read_address(const struct attributes *attributes, uint16_t type, struct addr *out)
{
        const size_t size = addr_bits(out) / 8u;
        const void *bytes = payload(attributes, type, size);

        if (bytes)
                memcpy(out->bytes, bytes, size);
        return bytes != NULL;
}

static int on_service(const struct nlmsghdr *message, void *userdata)
{
        struct ipvs_table *table = userdata;
        struct attributes service;
        struct ipvs_virtual virtual = {0};
        uint16_t protocol;
        int r;

        if (!unwrap(message, IPVS_CMD_ATTR_SERVICE, &service) || service.by_type[IPVS_SVC_ATTR_FWMARK])
                return MNL_CB_OK;
        virtual.vip.family = get_u16(&service, IPVS_SVC_ATTR_AF) == AF_INET6 ? AF_INET6 : AF_INET;
        protocol = get_u16(&service, IPVS_SVC_ATTR_PROTOCOL);
        while (virtual.protocol < PROTOCOL_SCTP && protocols[virtual.protocol] != protocol)
                virtual.protocol++;
        if (!read_address(&service, IPVS_SVC_ATTR_ADDR, &virtual.vip) ||
            protocols[virtual.protocol] != protocol || !service.by_type[IPVS_SVC_ATTR_SCHED_NAME])
                return MNL_CB_OK;
        virtual.port = ntohs(get_u16(&service, IPVS_SVC_ATTR_PORT));
        virtual.persistent = get_u32(&service, IPVS_SVC_ATTR_FLAGS) & IP_VS_SVC_F_PERSISTENT;
        (void)snprintf(virtual.scheduler, sizeof(virtual.scheduler), "%s",
                       mnl_attr_get_str(service.by_type[IPVS_SVC_ATTR_SCHED_NAME]));
        r = ipvs_table_add_virtual(table, &virtual);
        if (r < 0)
                errno = -r;
        return r < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

/* ---- real servers */

static bool read_real(const struct attributes *dest, uint8_t family, struct ipvs_real *out)
{
        struct ipvs_real real = {.addr.family = family};
        const uint32_t method = get_u32(dest, IPVS_DEST_ATTR_FWD_METHOD) & IP_VS_CONN_F_FWD_MASK;

        if (!read_address(dest, IPVS_DEST_ATTR_ADDR, &real.addr))
                return false;
        real.port = ntohs(get_u16(dest, IPVS_DEST_ATTR_PORT));
        real.forwarding_known = method == IP_VS_CONN_F_MASQ || method == IP_VS_CONN_F_TUNNEL;
        real.forwarding = method == IP_VS_CONN_F_TUNNEL ? FORWARDING_TUNNEL : FORWARDING_NAT;
        real.weight = get_u32(dest, IPVS_DEST_ATTR_WEIGHT);
        real.active = get_u32(dest, IPVS_DEST_ATTR_ACTIVE_CONNS);
        real.inactive = get_u32(dest, IPVS_DEST_ATTR_INACT_CONNS);
        *out = real;
        return true;
}

struct table_dump {
        struct ipvs_table *table;
        size_t virtual;
};

static int on_real(const struct nlmsghdr *message, void *userdata)
{
        const struct table_dump *dump = userdata;
        struct attributes dest;
        struct ipvs_real real;
        int r;

        if (!unwrap(message, IPVS_CMD_ATTR_DEST, &dest) ||
            !read_real(&dest, dump->table->virtuals[dump->virtual].vip.family, &real))
                return MNL_CB_OK;
        r = ipvs_table_add_real(dump->table, dump->virtual, &real);
        if (r < 0)
                errno = -r;
        return r < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

int ipvs_netlink_read(struct ipvs_netlink *ipvs, struct ipvs_table *out)
{
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        int r = netlink_socket_talk(
            &ipvs->socket,
            begin_message(buffer, ipvs->family, NLM_F_DUMP, IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION),
            on_service, &table);

        for (size_t i = 0; i < table.n_virtuals && r == 0; i++)
                r = netlink_socket_talk(
                    &ipvs->socket,
                    begin_request(ipvs, buffer, NLM_F_DUMP, IPVS_CMD_GET_DEST, &table.virtuals[i]), on_real,
                    &(struct table_dump){&table, i});
        count(ipvs, IPVS_OPERATION_READ, r == 0);
        if (r < 0)
                return r;
        ipvs_table_sort(&table);
        *out = table;
        table = (struct ipvs_table){0};
        return 0;
}

int ipvs_netlink_load(struct ipvs_counts *counts, struct ipvs_table *out, struct error *error)
{
        struct ipvs_netlink ipvs;
        int r = ipvs_netlink_open(&ipvs, counts);

        if (r == 0) {
                r = ipvs_netlink_read(&ipvs, out);
                ipvs_netlink_close(&ipvs);
        }
        if (r == -ENOENT)
                (void)error_set(error, NULL, "the kernel has no IPVS: run `modprobe ip_vs` on this node");
        else if (r < 0)
                (void)error_set(error, NULL, "the kernel's IPVS table: %s", strerror(-r));
        return r;
}

static void keep(struct ipvs_dest *known, const struct attributes *attributes)
{
        static const uint16_t kept[] = {
            IPVS_DEST_ATTR_ADDR,     IPVS_DEST_ATTR_PORT,     IPVS_DEST_ATTR_FWD_METHOD,
            IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_L_THRESH, IPVS_DEST_ATTR_ADDR_FAMILY,
            IPVS_DEST_ATTR_TUN_TYPE, IPVS_DEST_ATTR_TUN_PORT, IPVS_DEST_ATTR_TUN_FLAGS,
        };

        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
                const struct nlattr *attr = attributes->by_type[kept[i]];
                const size_t size = attr ? (attr->nla_len + 3u) & ~3u : 0;

                if (!attr || known->length + size > sizeof(known->attributes))
                        continue;
                memcpy(known->attributes + known->length, attr, attr->nla_len);
                known->length += size;
        }
}

struct dests_dump {
        struct ipvs_dests *dests;
        uint8_t family;
};

static int on_dest(const struct nlmsghdr *message, void *userdata)
{
        const struct dests_dump *dump = userdata;
        struct ipvs_dests *dests = dump->dests;
        struct attributes attributes;
        struct ipvs_dest dest = {0}, *grown;

        if (!unwrap(message, IPVS_CMD_ATTR_DEST, &attributes) ||
            !read_real(&attributes, dump->family, &dest.real))
                return MNL_CB_OK;
        keep(&dest, &attributes);
        grown = reallocarray(dests->dests, dests->count + 1, sizeof(*grown));
        if (!grown)
                return MNL_CB_ERROR;
        dests->dests = grown;
        dests->dests[dests->count++] = dest;
        return MNL_CB_OK;
}

_Static_assert(offsetof(struct ipvs_dest, real) == 0, "sorted and sought as real servers are");

int ipvs_netlink_read_dests(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key, struct ipvs_dests *out)
{
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
        struct ipvs_dests dests = {0};
        int r = netlink_socket_talk(&ipvs->socket,
                                    begin_request(ipvs, buffer, NLM_F_DUMP, IPVS_CMD_GET_DEST, key), on_dest,
                                    &(struct dests_dump){&dests, key->vip.family});

        if (r < 0) {
                ipvs_dests_clear(&dests);
                return r;
        }
        if (dests.count)
                qsort(dests.dests, dests.count, sizeof(*dests.dests), ipvs_real_compare);
        *out = dests;
        return 0;
}

void ipvs_dests_clear(struct ipvs_dests *dests)
{
        free(dests->dests);
        *dests = (struct ipvs_dests){0};
}

const struct ipvs_dest *ipvs_dests_find(const struct ipvs_dests *dests, const struct addr *addr,
                                        uint16_t port)
{
        const struct ipvs_real key = {.addr = *addr, .port = port};

        return dests->count
                   ? bsearch(&key, dests->dests, dests->count, sizeof(*dests->dests), ipvs_real_compare)
                   : NULL;
}

static enum ipvs_operation operation_of(uint8_t command)
{
        if (command == IPVS_CMD_NEW_DEST)
                return IPVS_OPERATION_ADD;
        return command == IPVS_CMD_DEL_DEST ? IPVS_OPERATION_REMOVE : IPVS_OPERATION_CHANGE;
}

int ipvs_netlink_change(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key, uint8_t command,
                        const struct ipvs_dest *dest, uint32_t weight)
{
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
        struct nlmsghdr *message = begin_request(ipvs, buffer, NLM_F_ACK, command, key);
        struct nlattr *nest = mnl_attr_nest_start(message, IPVS_CMD_ATTR_DEST);
        int r;

        memcpy(mnl_nlmsg_get_payload_tail(message), dest->attributes, dest->length);
        message->nlmsg_len += (uint32_t)dest->length;
        mnl_attr_put_u32(message, IPVS_DEST_ATTR_WEIGHT, weight);
        mnl_attr_nest_end(message, nest);
        r = netlink_socket_talk(&ipvs->socket, message, NULL, NULL);
        /* What is so already has been done by keepalived. */
        count(ipvs, operation_of(command), r == 0 || r == -EEXIST || r == -ENOENT);
        return r;
}

/* What keepalived says of one. */
static struct ipvs_dest describe(const struct ipvs_real *real)
{
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_SIZE];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct ipvs_dest dest = {.real = *real};

        mnl_attr_put(message, IPVS_DEST_ATTR_ADDR, sizeof(real->addr.bytes), real->addr.bytes);
        mnl_attr_put_u16(message, IPVS_DEST_ATTR_PORT, htons(real->port));
        mnl_attr_put_u32(message, IPVS_DEST_ATTR_FWD_METHOD,
                         real->forwarding == FORWARDING_TUNNEL ? IP_VS_CONN_F_TUNNEL : IP_VS_CONN_F_MASQ);
        mnl_attr_put_u32(message, IPVS_DEST_ATTR_U_THRESH, 0);
        mnl_attr_put_u32(message, IPVS_DEST_ATTR_L_THRESH, 0);
        dest.length = mnl_nlmsg_get_payload_len(message);
        memcpy(dest.attributes, mnl_nlmsg_get_payload(message), dest.length);
        return dest;
}

int ipvs_netlink_add(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key, const struct ipvs_real *real)
{
        const struct ipvs_dest dest = describe(real);
        int r = ipvs_netlink_change(ipvs, key, IPVS_CMD_NEW_DEST, &dest, real->weight);

        return r == -EEXIST ? 0 : r;
}

int ipvs_netlink_remove(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key,
                        const struct ipvs_real *real)
{
        const struct ipvs_dest dest = describe(real);
        int r = ipvs_netlink_change(ipvs, key, IPVS_CMD_DEL_DEST, &dest, 0);

        return r == -ENOENT ? 0 : r;
}
