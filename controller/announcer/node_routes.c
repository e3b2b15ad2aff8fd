#include "announcer/node_routes.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/time.h>

struct node_routes {
        struct mnl_socket *socket;
        uint32_t sequence;
        struct addr gateway4, gateway6;
        struct prefix_list present; /* while a dump runs: routes of ours */
        bool out_of_memory;
};

static size_t addr_size(const struct addr *addr)
{
        return addr_bits(addr) / 8u;
}

static const struct addr *gateway_of(const struct node_routes *routes, uint8_t family)
{
        return family == AF_INET6 ? &routes->gateway6 : &routes->gateway4;
}

/* The socket belongs to the namespace it was made in, wherever the process is later. */
static struct mnl_socket *open_socket_in(const char *netns_path, struct error *error)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int there = open(netns_path, O_RDONLY | O_CLOEXEC);
        struct mnl_socket *socket;
        int errnum;

        if (here < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0) {
                errnum = errno;
                (void)error_set(error, netns_path, "cannot enter the network namespace: %s",
                                strerror(errnum));
                errno = errnum;
                return NULL;
        }
        socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        errnum = errno;
        if (setns(here, CLONE_NEWNET) < 0) {
                errnum = errno;
                if (socket)
                        (void)mnl_socket_close(socket);
                socket = NULL;
        }
        if (!socket)
                (void)error_set(error, netns_path, "cannot open netlink there: %s", strerror(errnum));
        errno = errnum;
        return socket;
}

int node_routes_new(const char *netns_path, const struct addr *gateway4, const struct addr *gateway6,
                    struct node_routes **out, struct error *error)
{
        const struct timeval timeout = {.tv_sec = 1}; /* the kernel answers at once; never hang on it */
        _cleanup_(node_routes_free_p) struct node_routes *routes = calloc(1, sizeof(*routes));
        int on = 1, errnum;

        if (!routes)
                return error_oom(error);
        routes->gateway4 = *gateway4;
        routes->gateway6 = *gateway6;
        routes->socket = open_socket_in(netns_path, error);
        if (!routes->socket)
                return -errno;
        /* Lets the kernel filter a dump by protocol; without it (before 4.20) we filter ourselves. */
        (void)mnl_socket_setsockopt(routes->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
        if (mnl_socket_bind(routes->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
            setsockopt(mnl_socket_get_fd(routes->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
                       sizeof(timeout)) < 0) {
                errnum = errno;
                (void)error_set(error, netns_path, "cannot set up netlink: %s", strerror(errnum));
                return -errnum;
        }
        *out = TAKE_PTR(routes);
        return 0;
}

/* Sends one request and runs its answers through `callback`. Returns 0 or a negative errno. */
static int talk(struct node_routes *routes, struct nlmsghdr *request, mnl_cb_t callback)
{
        _Alignas(struct nlmsghdr) char answer[32768];
        unsigned int port = mnl_socket_get_portid(routes->socket);
        ssize_t n;
        int r = MNL_CB_OK;

        request->nlmsg_seq = ++routes->sequence;
        if (mnl_socket_sendto(routes->socket, request, request->nlmsg_len) < 0)
                return -errno;
        while (r > MNL_CB_STOP) {
                n = mnl_socket_recvfrom(routes->socket, answer, sizeof(answer));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                r = mnl_cb_run(answer, (size_t)n, routes->sequence, port, callback, routes);
                if (r < 0 && errno == EPROTO)
                        r = MNL_CB_OK; /* the late answer to a request that we gave up on */
        }
        return r < 0 ? -errno : 0;
}

static struct rtmsg *put_route(struct nlmsghdr *message, uint16_t type, uint16_t flags, uint8_t family)
{
        struct rtmsg *route;

        message->nlmsg_type = type;
        message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
        route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
        route->rtm_family = family;
        route->rtm_table = RT_TABLE_MAIN;
        route->rtm_protocol = NODE_ROUTES_PROTOCOL;
        return route;
}

/* Adds or removes one. With NLM_F_CREATE alone the kernel puts it beside (IPv4: before) those of other pods.
 */
static int change_route(struct node_routes *routes, bool add, const struct prefix *pool)
{
        _Alignas(struct nlmsghdr) char buffer[512];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        const struct addr *gateway = gateway_of(routes, pool->addr.family);
        struct rtmsg *route;
        int r;

        route = put_route(message, add ? RTM_NEWROUTE : RTM_DELROUTE,
                          add ? NLM_F_ACK | NLM_F_CREATE : NLM_F_ACK, pool->addr.family);
        route->rtm_dst_len = pool->length;
        route->rtm_scope = RT_SCOPE_UNIVERSE;
        route->rtm_type = RTN_UNICAST;
        mnl_attr_put(message, RTA_DST, addr_size(&pool->addr), pool->addr.bytes);
        mnl_attr_put(message, RTA_GATEWAY, addr_size(gateway), gateway->bytes);
        r = talk(routes, message, NULL);
        if ((add && r == -EEXIST) || (!add && r == -ESRCH))
                return 0;
        return r;
}

static bool is_gateway(const struct nlattr *attr, const struct addr *gateway)
{
        return mnl_attr_get_payload_len(attr) == addr_size(gateway) &&
               memcmp(mnl_attr_get_payload(attr), gateway->bytes, addr_size(gateway)) == 0;
}

/* A dumped route: what it leads to, and whether through this pod. */
struct found {
        struct prefix prefix;
        const struct addr *gateway;
        bool ours;
};

static int on_attr(const struct nlattr *attr, void *userdata);

/* IPv6 dumps the routes of several pods as one with several next-hops. */
static void walk_next_hops(const struct nlattr *multipath, struct found *found)
{
        const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
        int left = mnl_attr_get_payload_len(multipath);

        while (RTNH_OK(hop, left)) {
                int length = (int)RTNH_ALIGN(hop->rtnh_len);

                (void)mnl_attr_parse_payload(hop + 1, hop->rtnh_len - sizeof(*hop), on_attr, found);
                left -= length;
                hop = (const struct rtnexthop *)((const char *)hop + length);
        }
}

static int on_attr(const struct nlattr *attr, void *userdata)
{
        struct found *found = userdata;
        size_t size = addr_size(&found->prefix.addr);

        switch (mnl_attr_get_type(attr)) {
        case RTA_DST:
                if (mnl_attr_get_payload_len(attr) == size)
                        memcpy(found->prefix.addr.bytes, mnl_attr_get_payload(attr), size);
                break;
        case RTA_GATEWAY:
                found->ours |= is_gateway(attr, found->gateway);
                break;
        case RTA_MULTIPATH:
                walk_next_hops(attr, found);
                break;
        default:
                break;
        }
        return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *userdata)
{
        struct node_routes *routes = userdata;
        const struct rtmsg *route = mnl_nlmsg_get_payload(message);
        struct found found = {
            .prefix = {.addr.family = route->rtm_family, .length = route->rtm_dst_len},
            .gateway = gateway_of(routes, route->rtm_family),
        };

        if (route->rtm_protocol != NODE_ROUTES_PROTOCOL || route->rtm_table != RT_TABLE_MAIN)
                return MNL_CB_OK;
        (void)mnl_attr_parse(message, sizeof(*route), on_attr, &found);
        if (found.ours && prefix_list_append(&routes->present, &found.prefix) < 0)
                routes->out_of_memory = true;
        return MNL_CB_OK;
}

static int dump(struct node_routes *routes, uint8_t family)
{
        _Alignas(struct nlmsghdr) char buffer[256];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        int r;

        (void)put_route(message, RTM_GETROUTE, NLM_F_DUMP, family);
        r = talk(routes, message, on_route);
        return r == -ENOENT ? 0 : r; /* the namespace never had a route: there is no main table yet */
}

/* Adds what is missing and removes what is too much, of one family. Returns the first failure. */
static int repair(struct node_routes *routes, uint8_t family, const struct prefix_list *pools,
                  const struct prefix **failed)
{
        int result = 0, r;

        for (size_t i = 0; i < routes->present.count; i++) {
                if (prefix_list_contains(pools, &routes->present.prefixes[i]))
                        continue;
                r = change_route(routes, false, &routes->present.prefixes[i]);
                if (r < 0 && result == 0) {
                        result = r;
                        *failed = &routes->present.prefixes[i];
                }
        }
        for (size_t i = 0; i < pools->count; i++) {
                if (pools->prefixes[i].addr.family != family ||
                    prefix_list_contains(&routes->present, &pools->prefixes[i]))
                        continue;
                r = change_route(routes, true, &pools->prefixes[i]);
                if (r < 0 && result == 0) {
                        result = r;
                        *failed = &pools->prefixes[i];
                }
        }
        return result;
}

static int set_family(struct node_routes *routes, uint8_t family, const struct prefix_list *pools,
                      struct error *error)
{
        const struct prefix *failed = NULL;
        char text[PREFIX_TEXT_SIZE];
        int r;

        if (gateway_of(routes, family)->family == AF_UNSPEC)
                return 0;
        prefix_list_clear(&routes->present);
        routes->out_of_memory = false;
        r = dump(routes, family);
        if (r == 0 && routes->out_of_memory)
                return error_oom(error);
        if (r < 0) {
                (void)error_set(error, "node routes", "cannot list: %s", strerror(-r));
                return r;
        }
        prefix_list_sort(&routes->present);
        r = repair(routes, family, pools, &failed);
        if (r < 0)
                (void)error_set(error, prefix_format(failed, text), "cannot change the node's route: %s",
                                strerror(-r));
        return r;
}

int node_routes_set(struct node_routes *routes, const struct prefix_list *pools, struct error *error)
{
        int r4 = set_family(routes, AF_INET, pools, error), r6 = set_family(routes, AF_INET6, pools, error);

        return r4 < 0 ? r4 : r6;
}

void node_routes_free(struct node_routes *routes)
{
        if (!routes)
                return;
        if (routes->socket)
                (void)mnl_socket_close(routes->socket);
        prefix_list_clear(&routes->present);
        free(routes);
}
