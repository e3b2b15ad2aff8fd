#include "core/plan_servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of two entries for one address and port the ready one comes first, and stays. */
static int compare_real_servers(const void *a, const void *b)
{
        const struct real_server *x = a, *y = b;
        int order = real_server_compare(x, y);

        return order ? order : (int)y->weight - (int)x->weight;
}

static void sort_real_servers(struct virtual_server *vs)
{
        size_t kept = 0;

        if (!vs->n_real_servers)
                return;
        qsort(vs->real_servers, vs->n_real_servers, sizeof(*vs->real_servers), compare_real_servers);
        for (size_t i = 1; i < vs->n_real_servers; i++)
                if (real_server_compare(&vs->real_servers[kept], &vs->real_servers[i]) != 0)
                        vs->real_servers[++kept] = vs->real_servers[i];
        vs->n_real_servers = kept + 1;
}

static bool slice_port_matches(const struct service_port *slice_port, const struct service_port *port)
{
        return slice_port->protocol == port->protocol && strcmp(slice_port->name, port->name) == 0;
}

/* The kernel takes no server whose address is not that of one host; and a service address is this pod's own.
 */
static bool is_possible(const struct config *config, const struct addr *addr)
{
        return addr_is_unicast(addr) && !config_pool_of(config, addr);
}

struct collection {
        size_t capacity;
        size_t n_impossible;
        struct addr impossible; /* the last of them */
};

static int add_real_servers(const struct config *config, struct virtual_server *vs,
                            const struct endpoint_slice *slice, uint16_t port, struct collection *collection)
{
        if (vs->n_real_servers + slice->n_endpoints > collection->capacity) {
                size_t needed = vs->n_real_servers + slice->n_endpoints;
                size_t wanted = collection->capacity ? 2 * needed : needed; /* most services have one slice */
                struct real_server *grown = reallocarray(vs->real_servers, wanted, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                vs->real_servers = grown;
                collection->capacity = wanted;
        }
        for (size_t i = 0; i < slice->n_endpoints; i++) {
                const struct endpoint *endpoint = &slice->endpoints[i];

                if (endpoint->state == ENDPOINT_DOWN || endpoint->addr.family != vs->vip.family)
                        continue;
                if (!is_possible(config, &endpoint->addr)) {
                        collection->n_impossible++;
                        collection->impossible = endpoint->addr;
                        continue;
                }
                vs->real_servers[vs->n_real_servers++] = (struct real_server){
                    .addr = endpoint->addr, .port = port, .weight = endpoint->state == ENDPOINT_READY};
        }
        return 0;
}

/* Takes out what has drained for as long as it may, and notes when the next one will have. */
static void end_drains(struct plan *plan, struct virtual_server *vs, const struct endpoint_slice *slice,
                       const struct drains *drains)
{
        int64_t drain_ms = plan->services[vs->service].drain_ms;
        size_t kept = 0;

        for (size_t i = 0; i < vs->n_real_servers; i++) {
                const struct real_server *rs = &vs->real_servers[i];

                if (!rs->weight) {
                        int64_t since_ms =
                            drains_since(drains, slice->object.namespace, slice->service, &rs->addr);
                        int64_t end_ms = since_ms == INT64_MAX ? since_ms : since_ms + drain_ms;

                        if (end_ms <= drains->now_ms)
                                continue;
                        if (end_ms < plan->drained_ms)
                                plan->drained_ms = end_ms;
                }
                vs->real_servers[kept++] = *rs;
        }
        vs->n_real_servers = kept;
}

static bool is_any_ready(const struct virtual_server *vs)
{
        for (size_t i = 0; i < vs->n_real_servers; i++)
                if (vs->real_servers[i].weight)
                        return true;
        return false;
}

/* When nothing is ready any more, the draining ones are better than nothing, for however long: kube-proxy
 * does the same (KEP-1669). */
static void revive(struct virtual_server *vs)
{
        for (size_t i = 0; i < vs->n_real_servers; i++)
                vs->real_servers[i].weight = 1;
}

static int tell_impossible(struct plan *plan, const struct virtual_server *vs,
                           const struct collection *collection)
{
        char text[ADDR_TEXT_SIZE];

        if (!collection->n_impossible)
                return 0;
        return plan_add_problem(
            plan, plan->services[vs->service].name, "EndpointImpossible",
            "%zu endpoints of port %u, such as %s, are no addresses of servers, or are service "
            "addresses themselves; left out",
            collection->n_impossible, vs->port, addr_format(&collection->impossible, text));
}

int plan_servers_collect(struct plan *plan, const struct plan_servers_input *input,
                         const struct service_port *port, struct virtual_server *vs)
{
        const struct plan_service *service = &plan->services[vs->service];
        struct collection collection = {0};

        for (size_t i = 0; i < input->n_slices; i++) {
                const struct endpoint_slice *slice = input->slices[i];

                for (size_t j = 0; slice->family == vs->vip.family && j < slice->n_ports; j++)
                        if (slice_port_matches(&slice->ports[j], port) &&
                            add_real_servers(input->config, vs, slice, slice->ports[j].port, &collection) < 0)
                                return -ENOMEM;
        }
        sort_real_servers(vs);
        if (!is_any_ready(vs))
                revive(vs);
        else if (input->drains && service->drain_ms >= 0)
                end_drains(plan, vs, input->slices[0], input->drains);
        return tell_impossible(plan, vs, &collection);
}
