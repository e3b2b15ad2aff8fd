#include "core/view.h"

#include <stdio.h>
#include <string.h>

const char *forwarding_name(enum forwarding forwarding)
{
        return forwarding == FORWARDING_TUNNEL ? "tunnel" : "nat";
}

/* A member is lost only if memory is; the flag is looked at once, at the end. */
static void set(json_t *object, const char *key, json_t *value, bool *failed)
{
        if (json_object_set_new_nocheck(object, key, value) < 0)
                *failed = true;
}

static void set_addr(json_t *object, const char *key, const struct addr *addr, bool *failed)
{
        char text[ADDR_TEXT_SIZE];

        set(object, key, json_string_nocheck(addr_format(addr, text)), failed);
}

/* Seconds as keepalived writes them: "2", "0.2". A string, because templates take no floating numbers. */
static void set_seconds(json_t *object, const char *key, uint32_t ms, bool *failed)
{
        char text[24];
        int length = snprintf(text, sizeof(text), "%u.%03u", ms / 1000, ms % 1000);

        while (length > 0 && text[length - 1] == '0')
                text[--length] = '\0';
        if (length > 0 && text[length - 1] == '.')
                text[--length] = '\0';
        set(object, key, json_string_nocheck(text), failed);
}

/* The health check of one type as an object that all real servers share, or false. */
static json_t *view_check(const struct health_check *check, enum health_check_type type, bool *failed)
{
        json_t *object;

        if (check->type != type)
                return json_false();
        object = json_object();
        set_seconds(object, "timeout", check->timeout_ms, failed);
        set(object, "retries", json_integer(check->retries), failed);
        if (type == HEALTH_CHECK_HTTP)
                set(object, "path", json_string_nocheck(check->path), failed);
        return object;
}

static json_t *view_real_server(const struct real_server *rs, json_t *tcp_check, json_t *http_check,
                                bool *failed)
{
        json_t *object = json_object();

        set_addr(object, "address", &rs->addr, failed);
        set(object, "port", json_integer(rs->port), failed);
        set(object, "weight", json_integer(rs->weight), failed);
        /* A draining server may have closed its port already; taking it out for that would cut its flows. */
        set(object, "tcp_check", rs->weight ? json_incref(tcp_check) : json_false(), failed);
        set(object, "http_check", rs->weight ? json_incref(http_check) : json_false(), failed);
        return object;
}

json_t *view_virtual_server(const struct plan *plan, const struct virtual_server *vs)
{
        static const struct health_check unchecked = {.type = HEALTH_CHECK_NONE};
        const struct plan_service *service = &plan->services[vs->service];
        const struct health_check *check = vs->checked ? &service->health_check : &unchecked;
        _cleanup_json_ json_t *object = json_object(), *tcp_check = NULL, *http_check = NULL;
        json_t *real_servers = json_array();
        bool failed = false;

        set(object, "service", json_string_nocheck(service->name), &failed);
        set_addr(object, "vip", &vs->vip, &failed);
        set(object, "ipv6", json_boolean(vs->vip.family == AF_INET6), &failed);
        set(object, "port", json_integer(vs->port), &failed);
        set(object, "protocol", json_string_nocheck(protocol_name(vs->protocol)), &failed);
        set(object, "scheduler", json_string_nocheck(vs->scheduler), &failed);
        set(object, "mh", json_boolean(strcmp(vs->scheduler, "mh") == 0), &failed);
        set(object, "forwarding", json_string_nocheck(forwarding_name(vs->forwarding)), &failed);
        set(object, "nat", json_boolean(vs->forwarding == FORWARDING_NAT), &failed);
        set(object, "tunnel", json_boolean(vs->forwarding == FORWARDING_TUNNEL), &failed);
        set(object, "persistence_timeout",
            service->persistence_timeout_s ? json_integer(service->persistence_timeout_s) : json_false(),
            &failed);
        set_seconds(object, "check_interval", service->health_check.interval_ms, &failed);
        tcp_check = view_check(check, HEALTH_CHECK_TCP, &failed);
        http_check = view_check(check, HEALTH_CHECK_HTTP, &failed);
        for (size_t i = 0; i < vs->n_real_servers; i++) {
                json_t *rs = view_real_server(&vs->real_servers[i], tcp_check, http_check, &failed);

                failed |= json_array_append_new(real_servers, rs) < 0;
        }
        set(object, "real_servers", real_servers, &failed);
        return failed ? NULL : TAKE_PTR(object);
}

json_t *view_plan(const struct plan *plan)
{
        _cleanup_json_ json_t *object = json_object();
        json_t *list = json_array();
        bool failed = false;

        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                failed |=
                    json_array_append_new(list, view_virtual_server(plan, &plan->virtual_servers[i])) < 0;
        set(object, "virtual_servers", list, &failed);
        return failed ? NULL : TAKE_PTR(object);
}

/* RFC 6286: any number that no other speaker of the AS has. The pod's IPv4 address is one; without it the end
 * of its IPv6 address, which tells the pods of a cluster apart in practice. */
static struct addr router_id(const struct addr_pair *pod)
{
        struct addr id = {.family = AF_INET};

        if (pod->v4.family == AF_INET)
                return pod->v4;
        memcpy(id.bytes, pod->v6.bytes + sizeof(pod->v6.bytes) - 4, 4);
        return id;
}

static void set_addr_or_false(json_t *object, const char *key, const struct addr *addr, bool *failed)
{
        if (addr->family == AF_UNSPEC)
                set(object, key, json_false(), failed);
        else
                set_addr(object, key, addr, failed);
}

static json_t *view_neighbor(const struct bgp_neighbor *neighbor, const struct addr_pair *pod)
{
        _cleanup_json_ json_t *object = json_object();
        bool failed = false;

        set_addr(object, "address", &neighbor->address, &failed);
        set_addr(object, "local_address", neighbor->address.family == AF_INET6 ? &pod->v6 : &pod->v4,
                 &failed);
        set(object, "as", json_integer(neighbor->as), &failed);
        return failed ? NULL : TAKE_PTR(object);
}

json_t *view_exabgp(const struct config *config, const struct addr_pair *pod, const struct addr_pair *node,
                    const char *password)
{
        const struct bgp_config *bgp = &config->bgp;
        _cleanup_json_ json_t *object = json_object();
        const struct addr id = router_id(pod);
        json_t *neighbors = json_array();
        bool failed = false;

        set_addr(object, "router_id", &id, &failed);
        set_addr_or_false(object, "pod_address", &pod->v4, &failed);
        set_addr_or_false(object, "pod_address6", &pod->v6, &failed);
        set_addr_or_false(object, "next_hop", &node->v4, &failed);
        set_addr_or_false(object, "next_hop6", &node->v6, &failed);
        set(object, "local_as", json_integer(bgp->local_as), &failed);
        set(object, "hold_time", json_integer(bgp->hold_time_s), &failed);
        set(object, "password", password ? json_string(password) : json_false(), &failed);
        for (size_t i = 0; i < bgp->n_reflectors; i++)
                failed |= json_array_append_new(neighbors, view_neighbor(&bgp->reflectors[i], pod)) < 0;
        set(object, "neighbors", neighbors, &failed);
        return failed ? NULL : TAKE_PTR(object);
}
