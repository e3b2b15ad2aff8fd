#include "app/guard.h"

#include <errno.h>
#include <stdlib.h>

struct guard {
        struct guard_listener listener;
        struct source_filter *filter;
        struct plan *plan; /* waits for its rules */
        bool closing;
};

static void pass_on(struct guard *guard)
{
        struct plan *plan = TAKE_PTR(guard->plan);

        for (size_t i = 0; i < plan->n_vips; i++)
                plan->vips[i].unguarded = !source_filter_guards(guard->filter, &plan->vips[i].addr);
        plan_compact(plan);
        guard->listener.guarded(guard->listener.userdata, plan);
}

static void on_settled(void *userdata)
{
        struct guard *guard = userdata;

        if (guard->plan)
                pass_on(guard);
        else
                guard->listener.changed(guard->listener.userdata);
}

int guard_new(struct ev_loop *loop, const char *program, const char *run_dir,
              const struct guard_listener *listener, struct guard **out, struct error *error)
{
        struct guard *guard = calloc(1, sizeof(*guard));
        const struct source_filter_listener filter_listener = {guard, on_settled};
        int r;

        if (!guard)
                return error_oom(error);
        guard->listener = *listener;
        r = source_filter_new(loop, program, run_dir, &filter_listener, &guard->filter, error);
        if (r < 0) {
                free(guard);
                return r;
        }
        *out = guard;
        return 0;
}

int guard_want(struct guard *guard, struct plan *plan, const struct served_plans *served)
{
        struct source_rules v4 = {0}, v6 = {0};

        if (source_rules_render(plan, served, AF_INET, &v4) < 0 ||
            source_rules_render(plan, served, AF_INET6, &v6) < 0) {
                source_rules_clear(&v4);
                plan_free(plan);
                return -ENOMEM;
        }
        guard->closing = v4.closing || v6.closing;
        plan_free(guard->plan);
        guard->plan = plan;
        source_filter_want(guard->filter, AF_INET, &v4);
        source_filter_want(guard->filter, AF_INET6, &v6);
        if (source_filter_is_settled(guard->filter))
                pass_on(guard);
        return 0;
}

const struct plan *guard_plan(const struct guard *guard)
{
        return guard->plan;
}

bool guard_is_closing(const struct guard *guard)
{
        return guard->closing;
}

void guard_free(struct guard *guard)
{
        if (!guard)
                return;
        source_filter_free(guard->filter);
        plan_free(guard->plan);
        free(guard);
}
