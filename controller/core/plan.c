#include "core/plan.h"

#include "base/sorted.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int real_server_compare(const struct real_server *a, const struct real_server *b)
{
        int order = addr_compare(&a->addr, &b->addr);

        return order ? order : (int)a->port - (int)b->port;
}

int virtual_server_compare(const struct virtual_server *a, const struct virtual_server *b)
{
        int order = addr_compare(&a->vip, &b->vip);

        if (!order)
                order = (int)a->protocol - (int)b->protocol;
        return order ? order : (int)a->port - (int)b->port;
}

void assignment_clear(struct assignment *assignment)
{
        free(assignment->namespace);
        free(assignment->name);
        free(assignment->resource_version);
        free(assignment->addrs);
        *assignment = (struct assignment){0};
}

void plan_free(struct plan *plan)
{
        if (!plan)
                return;
        for (size_t i = 0; i < plan->n_services; i++) {
                free(plan->services[i].name);
                free(plan->services[i].template);
                free(plan->services[i].health_check.path);
                free(plan->services[i].source_ranges);
        }
        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                free(plan->virtual_servers[i].real_servers);
        for (size_t i = 0; i < plan->n_assignments; i++)
                assignment_clear(&plan->assignments[i]);
        plan_forget_problems(plan, 0);
        free(plan->assignments);
        free(plan->services);
        free(plan->virtual_servers);
        free(plan->vips);
        free(plan->problems);
        free(plan);
}

void plan_forget_problems(struct plan *plan, size_t count)
{
        while (plan->n_problems > count) {
                plan->n_problems--;
                free(plan->problems[plan->n_problems].service);
                free(plan->problems[plan->n_problems].message);
        }
}

int plan_add_problem(struct plan *plan, const char *service, const char *reason, const char *format, ...)
{
        struct problem *problems, problem = {.reason = reason};
        va_list args;
        int length;

        /* Grows by doubling: the count is a power of two exactly when the room is used up. */
        if ((plan->n_problems & (plan->n_problems - 1)) == 0) {
                problems = reallocarray(plan->problems, plan->n_problems ? 2 * plan->n_problems : 1,
                                        sizeof(*problems));
                if (!problems)
                        return -ENOMEM;
                plan->problems = problems;
        }
        problem.service = strdup(service);
        va_start(args, format);
        length = vasprintf(&problem.message, format, args);
        va_end(args);
        if (!problem.service || length < 0) {
                free(problem.service);
                if (length >= 0)
                        free(problem.message);
                return -ENOMEM;
        }
        plan->problems[plan->n_problems++] = problem;
        return 0;
}

static int compare_reals(const void *a, const void *b)
{
        return real_server_compare(a, b);
}

const struct real_server *virtual_server_find(const struct virtual_server *vs, const struct addr *addr,
                                              uint16_t port)
{
        const struct real_server key = {.addr = *addr, .port = port};
        size_t at;

        return sorted_find(&key, vs->real_servers, vs->n_real_servers, sizeof(key), compare_reals, &at)
                   ? &vs->real_servers[at]
                   : NULL;
}

static int compare_virtuals(const void *a, const void *b)
{
        return virtual_server_compare(a, b);
}

struct virtual_server *plan_find(const struct plan *plan, const struct addr *vip, enum protocol protocol,
                                 uint16_t port)
{
        const struct virtual_server key = {.vip = *vip, .protocol = protocol, .port = port};
        size_t at;

        return sorted_find(&key, plan->virtual_servers, plan->n_virtual_servers, sizeof(key),
                           compare_virtuals, &at)
                   ? &plan->virtual_servers[at]
                   : NULL;
}

int plan_hold(struct plan *plan, size_t index, const struct plan *other)
{
        struct virtual_server *vs = &plan->virtual_servers[index];
        const struct virtual_server *held = other ? plan_find(other, &vs->vip, vs->protocol, vs->port) : NULL;
        struct real_server *copy = NULL;

        if (held) {
                copy = reallocarray(NULL, held->n_real_servers, sizeof(*copy));
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, held->real_servers, held->n_real_servers * sizeof(*copy));
                vs->forwarding = held->forwarding;
                vs->scheduler = held->scheduler;
                vs->checked = held->checked;
        }
        free(vs->real_servers);
        vs->real_servers = copy;
        vs->n_real_servers = held ? held->n_real_servers : 0;
        return 0;
}

bool plan_is_whole(const struct plan *plan)
{
        for (size_t i = 0; i < plan->n_vips; i++)
                if (plan->vips[i].unguarded)
                        return false;
        return true;
}

void plan_compact(struct plan *plan)
{
        size_t kept = 0, v = 0;

        for (size_t i = 0; i < plan->n_virtual_servers; i++) {
                struct virtual_server *vs = &plan->virtual_servers[i];

                while (v < plan->n_vips && addr_compare(&plan->vips[v].addr, &vs->vip) < 0)
                        v++;
                if (vs->n_real_servers && !(v < plan->n_vips && addr_equal(&plan->vips[v].addr, &vs->vip) &&
                                            plan->vips[v].unguarded))
                        plan->virtual_servers[kept++] = *vs;
                else
                        free(vs->real_servers);
        }
        plan->n_virtual_servers = kept;
}
