#include "core/service_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int resolve_forwarding(struct plan *plan, struct plan_service *ps, const char *text)
{
        if (!text || forwarding_parse(text, &ps->forwarding) == 0)
                return 0;
        return plan_add_problem(plan, ps->name, "BadAnnotation", "%s must be nat or tunnel; using %s",
                                annotation_key(ANNOTATION_FORWARDING),
                                ps->forwarding == FORWARDING_TUNNEL ? "tunnel" : "nat");
}

static int resolve_scheduler(struct plan *plan, const struct config *config, struct plan_service *ps,
                             const char *text)
{
        const char *fallback = ps->forwarding == FORWARDING_TUNNEL ? "mh"
                               : config->default_scheduler         ? config->default_scheduler
                                                                   : "rr";

        ps->scheduler = text ? scheduler_lookup(text) : scheduler_lookup(fallback);
        if (ps->scheduler)
                return 0;
        ps->scheduler = scheduler_lookup(fallback);
        return plan_add_problem(plan, ps->name, "BadAnnotation", "%s must be a scheduler of IPVS; using %s",
                                annotation_key(ANNOTATION_SCHEDULER), ps->scheduler);
}

static int resolve_health_check(struct plan *plan, const struct config *config, struct plan_service *ps,
                                const char *text)
{
        int r;

        ps->health_check = config->default_health_check;
        ps->health_check.path = NULL;
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
                r = resolve_health_check(plan, config, ps, service->annotations[ANNOTATION_HEALTH_CHECK]);
        if (r == 0)
                r = resolve_template(plan, ps, service->annotations[ANNOTATION_TEMPLATE]);
        return r;
}
