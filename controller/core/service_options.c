#include "core/service_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MAX_S 86400u

static int resolve_forwarding(struct plan *plan, struct plan_service *ps, const char *text)
{
        if (!text || forwarding_parse(text, &ps->forwarding) == 0)
                return 0;
        return plan_add_problem(plan, ps->name, "BadAnnotation", "%s must be nat or tunnel; using %s",
                                annotation_key(ANNOTATION_FORWARDING),
                                ps->forwarding == FORWARDING_TUNNEL ? "tunnel" : "nat");
}

/* The router spreads a client's connections over all LB pods, and IPVS remembers a client in each for itself:
 * only what computes the server from the client's address gives the same one everywhere. */
static bool is_same_in_all_pods(const char *scheduler)
{
        return strcmp(scheduler, "mh") == 0 || strcmp(scheduler, "sh") == 0;
}

static int resolve_scheduler(struct plan *plan, const struct config *config, struct plan_service *ps,
                             const char *text)
{
        const char *fallback = ps->forwarding == FORWARDING_TUNNEL || ps->persistence_timeout_s ? "mh"
                               : config->default_scheduler ? config->default_scheduler
                                                           : "rr";

        ps->scheduler = text ? scheduler_lookup(text) : scheduler_lookup(fallback);
        if (!ps->scheduler) {
                ps->scheduler = scheduler_lookup(fallback);
                return plan_add_problem(plan, ps->name, "BadAnnotation",
                                        "%s must be a scheduler of IPVS; using %s",
                                        annotation_key(ANNOTATION_SCHEDULER), ps->scheduler);
        }
        if (!ps->persistence_timeout_s || is_same_in_all_pods(ps->scheduler))
                return 0;
        return plan_add_problem(
            plan, ps->name, "AffinityPerPod",
            "sessionAffinity: ClientIP holds in each load balancer pod for itself with %s; "
            "mh, the default, chooses the same server in all",
            ps->scheduler);
}

static int resolve_health_check(struct plan *plan, const struct config *config, const struct service *service,
                                struct plan_service *ps)
{
        const char *text = service->annotations[ANNOTATION_HEALTH_CHECK];
        int r;

        ps->health_check = config->default_health_check;
        ps->health_check.path = NULL;
        /* "Publish" means that connections are wanted whether the pods are ready or not. */
        if (service->not_ready_addresses && !text) {
                ps->health_check.type = HEALTH_CHECK_NONE;
                return 0;
        }
        if (config->default_health_check.path) {
                ps->health_check.path = strdup(config->default_health_check.path);
                if (!ps->health_check.path)
                        return -ENOMEM;
        }
        r = text ? health_check_parse(text, &ps->health_check) : 0;
        if (r != -EINVAL)
                return r;
        return plan_add_problem(plan, ps->name, "BadAnnotation",
                                "%s must be tcp, none or http:/path; using the default",
                                annotation_key(ANNOTATION_HEALTH_CHECK));
}

static int resolve_template(struct plan *plan, struct plan_service *ps, const char *text)
{
        if (!text)
                return 0;
        /* A plain name: it must not reach out of the template directory. */
        if (!token_is_safe(text) || strpbrk(text, "/.:"))
                return plan_add_problem(plan, ps->name, "BadAnnotation",
                                        "%s must be the name of a template; using virtual_server",
                                        annotation_key(ANNOTATION_TEMPLATE));
        ps->template = strdup(text);
        return ps->template ? 0 : -ENOMEM;
}

/* Whole seconds, digits only. */
static int resolve_drain(struct plan *plan, struct plan_service *ps, const char *text)
{
        char *end = NULL;
        unsigned long seconds;

        ps->drain_ms = -1;
        if (!text)
                return 0;
        seconds = strtoul(text, &end, 10);
        if (text[0] >= '0' && text[0] <= '9' && !*end && seconds <= DRAIN_MAX_S) {
                ps->drain_ms = (int64_t)seconds * 1000;
                return 0;
        }
        return plan_add_problem(
            plan, ps->name, "BadAnnotation",
            "%s must be a whole number of seconds up to %u; a pod drains until it is gone",
            annotation_key(ANNOTATION_DRAIN_SECONDS), DRAIN_MAX_S);
}

static int compare_prefixes(const void *a, const void *b)
{
        return prefix_compare(a, b);
}

static bool has_range(const struct plan_service *ps, uint8_t family)
{
        for (size_t i = 0; i < ps->n_source_ranges; i++)
                if (ps->source_ranges[i].addr.family == family)
                        return true;
        return false;
}

/* A family that no range is of is closed, and so is a range that cannot be read: the field says who may
 * connect, and nobody else may. (kube-proxy opens the service when it has dropped the last range.) */
static int check_ranges(struct plan *plan, const struct service *service, const struct plan_service *ps)
{
        static const struct {
                uint8_t family;
                const char *name;
        } families[] = {{AF_INET, "IPv4"}, {AF_INET6, "IPv6"}};
        int r = 0;

        if (service->bad_source_range)
                r = plan_add_problem(plan, ps->name, "BadSourceRange",
                                     "spec.loadBalancerSourceRanges[%u] is no CIDR; it lets nobody in",
                                     service->bad_source_range - 1);
        for (size_t i = 0; i < 2 && r == 0; i++)
                if ((i ? service->ipv6 : service->ipv4) && !has_range(ps, families[i].family))
                        r = plan_add_problem(plan, ps->name, "NoSourceAllowed",
                                             "spec.loadBalancerSourceRanges has no %s range: nobody may "
                                             "connect to the %s address",
                                             families[i].name, families[i].name);
        return r;
}

static int resolve_source_ranges(struct plan *plan, const struct service *service, struct plan_service *ps)
{
        size_t kept = 0;

        if (!service->n_source_ranges && !service->bad_source_range)
                return 0;
        ps->restricted = true;
        ps->source_ranges = calloc(service->n_source_ranges + 1, sizeof(*ps->source_ranges));
        if (!ps->source_ranges)
                return -ENOMEM;
        if (service->n_source_ranges) {
                memcpy(ps->source_ranges, service->source_ranges,
                       service->n_source_ranges * sizeof(*ps->source_ranges));
                qsort(ps->source_ranges, service->n_source_ranges, sizeof(*ps->source_ranges),
                      compare_prefixes);
        }
        for (size_t i = 0; i < service->n_source_ranges; i++)
                if (!kept || prefix_compare(&ps->source_ranges[kept - 1], &ps->source_ranges[i]) != 0)
                        ps->source_ranges[kept++] = ps->source_ranges[i];
        ps->n_source_ranges = kept;
        return check_ranges(plan, service, ps);
}

static int resolve_traffic(struct plan *plan, const struct service *service, struct plan_service *ps)
{
        ps->local_traffic = service->local_traffic;
        if (!ps->local_traffic || ps->forwarding == FORWARDING_TUNNEL)
                return 0;
        return plan_add_problem(plan, ps->name, "SourceAddressLost",
                                "externalTrafficPolicy: Local asks for the clients' addresses, which nat "
                                "replaces; %s: tunnel keeps them",
                                annotation_key(ANNOTATION_FORWARDING));
}

int service_options_resolve(struct plan *plan, const struct config *config, const struct service *service,
                            struct plan_service *ps)
{
        int r;

        ps->forwarding = config->default_forwarding;
        ps->persistence_timeout_s = service->affinity_timeout_s;
        r = resolve_forwarding(plan, ps, service->annotations[ANNOTATION_FORWARDING]);
        if (r == 0)
                r = resolve_scheduler(plan, config, ps, service->annotations[ANNOTATION_SCHEDULER]);
        if (r == 0)
                r = resolve_health_check(plan, config, service, ps);
        if (r == 0)
                r = resolve_template(plan, ps, service->annotations[ANNOTATION_TEMPLATE]);
        if (r == 0)
                r = resolve_drain(plan, ps, service->annotations[ANNOTATION_DRAIN_SECONDS]);
        if (r == 0)
                r = resolve_source_ranges(plan, service, ps);
        if (r == 0)
                r = resolve_traffic(plan, service, ps);
        return r;
}
