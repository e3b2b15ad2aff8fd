#include "core/plan.h"

#include "core/claims.h"
#include "core/plan_servers.h"
#include "core/service_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARMUP_MS 500u /* in templates/virtual_server */

/* ---- what the services ask for ---- */

static int resolve_service(struct plan *plan, const struct config *config, const struct service *service)
{
        struct plan_service *ps = &plan->services[plan->n_services];

        *ps = (struct plan_service){0};
        plan->n_services++;
        if (asprintf(&ps->name, "%s/%s", service->object.namespace, service->object.name) < 0) {
                ps->name = NULL;
                return -ENOMEM;
        }
        return service_options_resolve(plan, config, service, ps);
}

/* Fills plan->services, and `sources` with the service each came from. */
static int resolve_services(struct plan *plan, const struct config *config, const struct model *model,
                            const struct service **sources)
{
        for (size_t i = 0; i < model->services.count; i++) {
                const struct service *service = object_service(model->services.objects[i]);
                int r;

                if (!service_is_of_class(service, config->load_balancer_class))
                        continue;
                sources[plan->n_services] = service;
                r = resolve_service(plan, config, service);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- what stands behind them ---- */

static int compare_slices(const void *a, const void *b)
{
        const struct endpoint_slice *x = *(const struct endpoint_slice *const *)a;
        const struct endpoint_slice *y = *(const struct endpoint_slice *const *)b;
        int order = strcmp(x->object.namespace, y->object.namespace);

        if (!order)
                order = strcmp(x->service, y->service);
        return order ? order : strcmp(x->object.name, y->object.name);
}

/* The model sorts slices by their own names; here they are wanted by the service they belong to. */
static int sort_slices(const struct model *model, const struct endpoint_slice ***out, size_t *count)
{
        const struct endpoint_slice **slices;
        size_t n = 0;

        slices = calloc(model->endpoint_slices.count + 1, sizeof(const struct endpoint_slice *));
        if (!slices)
                return -ENOMEM;
        for (size_t i = 0; i < model->endpoint_slices.count; i++) {
                const struct endpoint_slice *slice = object_endpoint_slice(model->endpoint_slices.objects[i]);

                if (slice->service && slice->family != AF_UNSPEC)
                        slices[n++] = slice;
        }
        qsort(slices, n, sizeof(const struct endpoint_slice *), compare_slices);
        *out = slices;
        *count = n;
        return 0;
}

static int compare_slice_to_service(const struct endpoint_slice *slice, const struct service *service)
{
        int order = strcmp(slice->object.namespace, service->object.namespace);

        return order ? order : strcmp(slice->service, service->object.name);
}

/* A tunnelled packet reaches the real server unchanged, so that the port cannot be translated on the way. */
static int check_tunnel_ports(struct plan *plan, struct virtual_server *vs)
{
        const struct plan_service *service = &plan->services[vs->service];

        for (size_t i = 0; vs->forwarding == FORWARDING_TUNNEL && i < vs->n_real_servers; i++) {
                int r;

                if (vs->real_servers[i].port == vs->port)
                        continue;
                vs->forwarding = FORWARDING_NAT;
                r = plan_add_problem(
                    plan, service->name, "TunnelImpossible",
                    "port %u differs from the target port %u, which a tunnel cannot translate; "
                    "using nat for it",
                    vs->port, vs->real_servers[i].port);
                if (r < 0 || !service->local_traffic)
                        return r;
                return plan_add_problem(plan, service->name, "SourceAddressLost",
                                        "externalTrafficPolicy: Local asks for the clients' addresses, which "
                                        "nat replaces on port %u",
                                        vs->port);
        }
        return 0;
}

/* Appends the virtual server of one VIP and port, even if nothing stands behind it: the port is taken. */
static int add_virtual_server(struct plan *plan, const struct claim *claim, const struct service_port *port,
                              const struct plan_servers_input *input)
{
        const struct plan_service *service = &plan->services[claim->service];
        struct virtual_server *vs = &plan->virtual_servers[plan->n_virtual_servers];
        int r;

        *vs = (struct virtual_server){
            .vip = claim->addr,
            .port = port->port,
            .protocol = port->protocol,
            .forwarding = service->forwarding,
            .scheduler = service->scheduler,
            /* UDP and SCTP servers do not answer a TCP connection: Kubernetes' readiness decides for them. */
            .checked = port->protocol == PROTOCOL_TCP && service->health_check.type != HEALTH_CHECK_NONE,
            .service = claim->service};
        plan->n_virtual_servers++;
        r = plan_servers_collect(plan, input, port, vs);
        return r < 0 ? r : check_tunnel_ports(plan, vs);
}

static int build_virtual_servers(struct plan *plan, const struct config *config, const struct model *model,
                                 const struct drains *drains, const struct service *const *sources,
                                 const struct claim_list *claims)
{
        _cleanup_free_ const struct endpoint_slice **slices = NULL;
        struct plan_servers_input input = {.config = config, .drains = drains};
        size_t n_slices = 0, begin = 0, total = 0;
        int r;

        for (size_t i = 0; i < claims->count; i++)
                total += sources[claims->claims[i].service]->n_ports;
        plan->virtual_servers = calloc(total + 1, sizeof(*plan->virtual_servers));
        if (!plan->virtual_servers)
                return -ENOMEM;
        r = sort_slices(model, &slices, &n_slices);
        if (r < 0)
                return r;
        /* Both are sorted by service: one merge walk. */
        for (size_t i = 0; i < claims->count; i++) {
                const struct claim *claim = &claims->claims[i];
                const struct service *service = sources[claim->service];
                size_t end;

                while (begin < n_slices && compare_slice_to_service(slices[begin], service) < 0)
                        begin++;
                for (end = begin; end < n_slices && compare_slice_to_service(slices[end], service) == 0;)
                        end++;
                input.slices = slices + begin;
                input.n_slices = end - begin;
                for (size_t j = 0; j < service->n_ports; j++) {
                        r = add_virtual_server(plan, claim, &service->ports[j], &input);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int compare_virtual_servers(const void *a, const void *b)
{
        const struct virtual_server *x = a, *y = b;
        int order = virtual_server_compare(x, y);

        if (!order && x->service != y->service)
                order = x->service < y->service ? -1 : 1;
        return order;
}

/* Services that share an address may not share a port: the first by name keeps it. */
static int sort_virtual_servers(struct plan *plan)
{
        size_t kept = 0;

        if (!plan->n_virtual_servers)
                return 0;
        qsort(plan->virtual_servers, plan->n_virtual_servers, sizeof(*plan->virtual_servers),
              compare_virtual_servers);
        for (size_t i = 1; i < plan->n_virtual_servers; i++) {
                struct virtual_server *first = &plan->virtual_servers[kept], *vs = &plan->virtual_servers[i];
                char vip[ADDR_TEXT_SIZE];
                int r;

                if (virtual_server_compare(first, vs) != 0) {
                        struct virtual_server moved = *vs;

                        vs->real_servers = NULL;
                        plan->virtual_servers[++kept] = moved;
                        continue;
                }
                r = plan_add_problem(plan, plan->services[vs->service].name, "PortInUse",
                                     "%s port %u on the shared address %s belongs to %s; left out",
                                     protocol_name(vs->protocol), vs->port, addr_format(&vs->vip, vip),
                                     plan->services[first->service].name);
                free(vs->real_servers);
                vs->real_servers = NULL;
                if (r < 0)
                        return r;
        }
        plan->n_virtual_servers = kept + 1;
        return 0;
}

static int compare_vips(const void *a, const void *b)
{
        const struct plan_vip *x = a, *y = b;
        int order = addr_compare(&x->addr, &y->addr);

        if (!order && x->service != y->service)
                order = x->service < y->service ? -1 : 1;
        return order;
}

static int collect_vips(struct plan *plan, const struct claim_list *claims)
{
        plan->vips = calloc(claims->count + 1, sizeof(*plan->vips));
        if (!plan->vips)
                return -ENOMEM;
        for (size_t i = 0; i < claims->count; i++)
                plan->vips[i] =
                    (struct plan_vip){.addr = claims->claims[i].addr, .service = claims->claims[i].service};
        qsort(plan->vips, claims->count, sizeof(*plan->vips), compare_vips);
        for (size_t i = 0; i < claims->count; i++)
                if (!plan->n_vips || !addr_equal(&plan->vips[plan->n_vips - 1].addr, &plan->vips[i].addr))
                        plan->vips[plan->n_vips++] = plan->vips[i];
        return 0;
}

/* Both are sorted by VIP. What keepalived's `warmup` of templates/virtual_server and a check that fails in
 * all its tries take together. */
static void note_first_checks(struct plan *plan)
{
        struct plan_vip *vip = plan->vips;

        for (size_t i = 0; i < plan->n_virtual_servers; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];
                const struct health_check *check = &plan->services[vs->service].health_check;
                const uint32_t ms = WARMUP_MS + check->timeout_ms * (2 * check->retries + 1);

                while (addr_compare(&vip->addr, &vs->vip) < 0)
                        vip++;
                if (vs->checked && strcmp(vs->scheduler, "mh") == 0 && vip->first_checks_ms < ms)
                        vip->first_checks_ms = ms;
        }
}

int plan_build(const struct config *config, const struct model *model, const struct drains *drains,
               enum plan_addresses addresses, struct plan **out)
{
        _cleanup_(claim_list_clear) struct claim_list claims = {0};
        _cleanup_free_ const struct service **sources = NULL;
        _cleanup_plan_ struct plan *plan = calloc(1, sizeof(*plan));
        int r;

        if (!plan)
                return -ENOMEM;
        plan->drained_ms = INT64_MAX;
        plan->services = calloc(model->services.count + 1, sizeof(*plan->services));
        sources = calloc(model->services.count + 1, sizeof(const struct service *));
        if (!plan->services || !sources)
                return -ENOMEM;
        r = resolve_services(plan, config, model, sources);
        if (r == 0)
                r = claims_resolve(plan, config, sources, addresses, &claims);
        if (r == 0 && addresses == PLAN_ADDRESSES_ASSIGN) {
                r = claims_assign(plan, sources, &claims);
                claims_keep_written(&claims);
        }
        if (r == 0)
                r = collect_vips(plan, &claims);
        if (r == 0)
                r = build_virtual_servers(plan, config, model, drains, sources, &claims);
        if (r == 0)
                r = sort_virtual_servers(plan);
        if (r < 0)
                return r;
        plan_compact(plan);
        note_first_checks(plan);
        *out = TAKE_PTR(plan);
        return 0;
}
