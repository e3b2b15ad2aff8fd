#include "resilient/mirror.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

static const char *const verbs[] = {
    [ADD_HOP] = "next-hop added",     [ADD_GROUP] = "group added",       [CHANGE_GROUP] = "group changed",
    [SET_ROUTE] = "route set",        [SET_THROW] = "route left plain",  [DELETE_ROUTE] = "route deleted",
    [DELETE_GROUP] = "group deleted", [DELETE_HOP] = "next-hop deleted", [ADD_RULE] = "rule added",
    [DELETE_RULE] = "rule deleted",
};

static void describe(const struct operation *operation, char text[static PREFIX_TEXT_SIZE])
{
        text[0] = '\0';
        if (operation->prefix.addr.family)
                (void)prefix_format(&operation->prefix, text);
        else if (operation->hop.gateway.family)
                (void)addr_format(&operation->hop.gateway, text);
}

static void log_operation(const struct operation *operation)
{
        char text[PREFIX_TEXT_SIZE];

        describe(operation, text);
        log_info("mirror", verbs[operation->kind], LOG_TEXT("for", text), LOG_INT("id", operation->id),
                 LOG_INT("next_hops", operation->count));
}

/* A failure that stays the same is said once. */
static void complain(struct mirror *mirror, const struct error *error)
{
        if (strcmp(mirror->last_error.what, error->what) == 0 &&
            strcmp(mirror->last_error.where, error->where) == 0)
                return;
        mirror->last_error = *error;
        log_error("mirror", "cannot follow the main table", LOG_ERROR_FIELDS(error));
}

struct refused {
        struct next_hop *hops;
        size_t hop_count, hop_capacity;
};

static void refused_clear(struct refused *refused)
{
        free(refused->hops);
}

static void note_failure(const struct operation *operation, int r, struct error *error)
{
        char text[PREFIX_TEXT_SIZE];

        describe(operation, text);
        if (!error->what[0])
                (void)error_set(error, text, "not %s: %s", verbs[operation->kind], strerror(-r));
}

/* Does what is planned; *error holds the first failure. Returns whether a new plan is needed, because the
 * kernel has refused next-hops that this one counts on. */
static bool apply(struct mirror *mirror, const struct mirror_config *config, const struct mirror_plan *plan,
                  struct refused *refused, struct error *error)
{
        size_t known = refused->hop_count;

        for (size_t i = 0; i < plan->operation_count; i++) {
                const struct operation *operation = &plan->operations[i];
                int r;

                if (operation->kind != ADD_HOP && refused->hop_count > known)
                        return true;
                r = netlink_apply(mirror->netlink, config, operation, plan->members);
                if (r == 0)
                        log_operation(operation);
                else
                        note_failure(operation, r, error);
                if (r < 0 && operation->kind == ADD_HOP && FIB_ADD(refused, hop, hops, &operation->hop) < 0)
                        return false;
        }
        return refused->hop_count > known;
}

/* What the plan starts from: the kernel, without the routes that are not to be mirrored. */
static int read_fib(struct mirror *mirror, const struct mirror_config *config, const struct refused *refused,
                    struct fib *fib, struct error *error)
{
        int r = netlink_read(mirror->netlink, fib, error);

        if (r < 0)
                return r;
        if (fib->route_count == FIB_ROUTES_MAX)
                (void)error_set(error, "pools", "%d routes or more: none is mirrored", FIB_ROUTES_MAX);
        if (fib->route_count == FIB_ROUTES_MAX || !config->pools.count)
                fib->route_count = 0;
        for (size_t i = 0; i < refused->hop_count; i++)
                fib_drop_hop(fib, &refused->hops[i]);
        return 0;
}

/* Next-hops that the kernel refuses are left out until the next round: their link may be down. */
static int follow(struct mirror *mirror, int64_t now_ms, int64_t *next_ms, struct error *error)
{
        _cleanup_(refused_clear) struct refused refused = {0};
        bool again = true;

        while (again) {
                _cleanup_fib_ struct fib fib = {0};
                _cleanup_plan_ struct mirror_plan plan = {0};
                int r = read_fib(mirror, mirror->config, &refused, &fib, error);

                if (r < 0)
                        return r;
                if (park_update(&mirror->park, &fib, now_ms, next_ms) < 0 ||
                    mirror_plan_build(mirror->config, &fib, &mirror->park, &plan) < 0)
                        return error_oom(error);
                if (plan.crowded)
                        (void)error_set(error, "pools", "more than %d prefixes: the rest is not mirrored",
                                        PLAN_GROUPS_MAX);
                again = apply(mirror, mirror->config, &plan, &refused, error);
        }
        return error->what[0] ? -EIO : 0;
}

int mirror_update(struct mirror *mirror, int64_t now_ms, int64_t *next_ms)
{
        struct error error = {0};
        int r;

        *next_ms = -1;
        r = follow(mirror, now_ms, next_ms, &error);
        if (r < 0) {
                complain(mirror, &error);
        } else if (mirror->last_error.what[0]) {
                mirror->last_error = (struct error){0};
                log_info("mirror", "follows the main table again");
        }
        return r;
}

int mirror_remove(struct mirror *mirror, struct error *error)
{
        _cleanup_fib_ struct fib fib = {0};
        _cleanup_plan_ struct mirror_plan plan = {0};
        struct refused refused = {0};
        struct mirror_config nothing = *mirror->config;
        int r;

        nothing.pools = (struct prefix_list){0};
        park_clear(&mirror->park);
        r = read_fib(mirror, &nothing, &refused, &fib, error);
        if (r < 0)
                return r;
        if (mirror_plan_build(&nothing, &fib, &mirror->park, &plan) < 0)
                return error_oom(error);
        (void)apply(mirror, &nothing, &plan, &refused, error);
        return error->what[0] ? -EIO : 0;
}
