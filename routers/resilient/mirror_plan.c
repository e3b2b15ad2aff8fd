#include "resilient/mirror_plan.h"

#include <errno.h>

enum group_use {
        GROUP_UNUSED,
        GROUP_FOLLOWS, /* the route that it is for */
        GROUP_KEPT,    /* as it is: its route has gone, or has just come back */
};

struct builder {
        const struct mirror_config *config;
        const struct fib *fib;
        const struct park *park;
        struct mirror_plan *plan;
        struct our_hop *hops; /* those that are wanted, sorted by what they are */
        size_t hop_count;
        uint32_t *taken; /* sorted: ids that new objects must not have */
        size_t taken_count, taken_next;
        uint32_t next_id;
        enum group_use *use; /* per fib group */
        size_t mirrored;
};

static void builder_clear(struct builder *builder)
{
        free(builder->hops);
        free(builder->taken);
        free(builder->use);
}

static int compare_hops(const void *a, const void *b)
{
        return next_hop_compare(&((const struct our_hop *)a)->hop, &((const struct our_hop *)b)->hop);
}

static int compare_ids(const void *a, const void *b)
{
        const uint32_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static int compare_members(const void *a, const void *b)
{
        return compare_ids(&((const struct member *)a)->hop_id, &((const struct member *)b)->hop_id);
}

/* An array of count items, never NULL for want of items. */
static void *array(size_t count, size_t size)
{
        return calloc(count ? count : 1, size);
}

static int collect_taken(struct builder *builder)
{
        const struct fib *fib = builder->fib;
        size_t n = 0;

        builder->taken = array(fib->foreign_count + fib->group_count + fib->hop_count, sizeof(uint32_t));
        if (!builder->taken)
                return -ENOMEM;
        for (size_t i = 0; i < fib->foreign_count; i++)
                builder->taken[n++] = fib->foreign_ids[i];
        for (size_t i = 0; i < fib->group_count; i++)
                builder->taken[n++] = fib->groups[i].id;
        for (size_t i = 0; i < fib->hop_count; i++)
                builder->taken[n++] = fib->hops[i].id;
        if (n)
                qsort(builder->taken, n, sizeof(*builder->taken), compare_ids);
        builder->taken_count = n;
        builder->next_id = PLAN_FIRST_ID;
        return 0;
}

static uint32_t new_id(struct builder *builder)
{
        while (builder->taken_next < builder->taken_count &&
               builder->taken[builder->taken_next] <= builder->next_id) {
                if (builder->taken[builder->taken_next] == builder->next_id)
                        builder->next_id++;
                builder->taken_next++;
        }
        return builder->next_id++;
}

static int add_operation(struct builder *builder, const struct operation *operation)
{
        return FIB_ADD(builder->plan, operation, operations, operation);
}

/* The next-hops of all routes, with the ids that they have or get. */
static int plan_hops(struct builder *builder)
{
        const struct fib *fib = builder->fib;
        size_t n = 0, kept = 0;
        int r = 0;

        builder->hops = array(fib->path_count, sizeof(*builder->hops));
        if (!builder->hops)
                return -ENOMEM;
        for (size_t i = 0; i < fib->route_count; i++)
                for (size_t j = 0; j < fib->routes[i].count && !fib->routes[i].plain; j++)
                        builder->hops[n++].hop = fib->paths[fib->routes[i].first + j].hop;
        if (!n)
                return 0;
        qsort(builder->hops, n, sizeof(*builder->hops), compare_hops);
        for (size_t i = 1; i < n; i++)
                if (compare_hops(&builder->hops[kept], &builder->hops[i]) != 0)
                        builder->hops[++kept] = builder->hops[i];
        builder->hop_count = kept + 1;
        for (size_t i = 0; i < builder->hop_count && r == 0; i++) {
                struct our_hop *hop = &builder->hops[i];
                const struct our_hop *there =
                    fib->hop_count ? bsearch(hop, fib->hops, fib->hop_count, sizeof(*hop), compare_hops)
                                   : NULL;

                hop->id = there ? there->id : new_id(builder);
                if (!there)
                        r = add_operation(
                            builder, &(struct operation){.kind = ADD_HOP, .id = hop->id, .hop = hop->hop});
        }
        return r;
}

static uint32_t hop_id(const struct builder *builder, const struct next_hop *hop)
{
        struct our_hop key = {.hop = *hop};
        const struct our_hop *found =
            bsearch(&key, builder->hops, builder->hop_count, sizeof(key), compare_hops);

        return found ? found->id : 0;
}

/* Appends the members that the route's group should have. */
static int add_members(struct builder *builder, const struct main_route *route, size_t *first)
{
        struct mirror_plan *plan = builder->plan;
        int r;

        *first = plan->member_count;
        for (size_t i = 0; i < route->count; i++) {
                const struct path *path = &builder->fib->paths[route->first + i];

                r = FIB_ADD(
                    plan, member, members,
                    (&(struct member){.hop_id = hop_id(builder, &path->hop), .weight = path->weight}));
                if (r < 0)
                        return r;
        }
        qsort(&plan->members[*first], route->count, sizeof(*plan->members), compare_members);
        return 0;
}

static bool same_members(const struct member *a, size_t a_count, const struct member *b, size_t b_count)
{
        if (a_count != b_count)
                return false;
        for (size_t i = 0; i < a_count; i++)
                if (a[i].hop_id != b[i].hop_id || a[i].weight != b[i].weight)
                        return false;
        return true;
}

static bool is_subset(const struct member *part, size_t part_count, const struct member *all, size_t count)
{
        for (size_t i = 0; i < part_count; i++)
                if (!bsearch(&part[i], all, count, sizeof(*all), compare_members))
                        return false;
        return true;
}

/* The group that the route has or had, if it can be used. */
static const struct our_group *find_group(const struct builder *builder, const struct our_route *ours,
                                          const struct parked *parked)
{
        uint32_t id = ours && ours->group_id ? ours->group_id : parked ? parked->group_id : 0;
        const struct our_group *group = fib_find_group(builder->fib, id);

        if (!group || group->buckets != builder->config->buckets)
                return NULL; /* the number of buckets cannot be changed */
        return builder->use[group - builder->fib->groups] == GROUP_UNUSED ? group : NULL;
}

static int plan_mirrored(struct builder *builder, const struct main_route *route,
                         const struct our_route *ours)
{
        const struct mirror_config *config = builder->config;
        const struct parked *parked = park_find(builder->park, &route->prefix);
        const struct our_group *group = find_group(builder, ours, parked);
        struct operation set_group = {.kind = ADD_GROUP, .prefix = route->prefix, .count = route->count};
        const struct member *wanted;
        bool change = true;
        int r;

        r = add_members(builder, route, &set_group.first);
        if (r < 0)
                return r;
        wanted = &builder->plan->members[set_group.first];
        if (group) {
                const struct member *there = &builder->fib->members[group->first];
                bool wait = parked && parked->back && is_subset(wanted, route->count, there, group->count);

                builder->use[group - builder->fib->groups] = wait ? GROUP_KEPT : GROUP_FOLLOWS;
                change = !wait && (!same_members(wanted, route->count, there, group->count) ||
                                   group->idle_timer_s != config->idle_timer_s ||
                                   group->unbalanced_timer_s != config->unbalanced_timer_s);
                set_group.kind = CHANGE_GROUP;
        }
        set_group.id = group ? group->id : new_id(builder);
        if (change)
                r = add_operation(builder, &set_group);
        if (r == 0 && (!ours || ours->group_id != set_group.id))
                r = add_operation(
                    builder,
                    &(struct operation){.kind = SET_ROUTE, .id = set_group.id, .prefix = route->prefix});
        return r;
}

static int plan_route(struct builder *builder, const struct main_route *route, const struct our_route *ours)
{
        if (!route)
                return add_operation(builder,
                                     &(struct operation){.kind = DELETE_ROUTE, .prefix = ours->prefix});
        if (!route->plain && builder->mirrored++ < PLAN_GROUPS_MAX)
                return plan_mirrored(builder, route, ours);
        builder->plan->crowded |= !route->plain;
        if (ours && !ours->group_id)
                return 0;
        return add_operation(builder, &(struct operation){.kind = SET_THROW, .prefix = route->prefix});
}

static int plan_routes(struct builder *builder)
{
        const struct fib *fib = builder->fib;
        size_t i = 0, j = 0;
        int r = 0;

        while (r == 0 && (i < fib->route_count || j < fib->our_count)) {
                int order = i == fib->route_count ? 1
                            : j == fib->our_count
                                ? -1
                                : prefix_compare(&fib->routes[i].prefix, &fib->ours[j].prefix);

                r = plan_route(builder, order <= 0 ? &fib->routes[i] : NULL,
                               order >= 0 ? &fib->ours[j] : NULL);
                i += order <= 0;
                j += order >= 0;
        }
        return r;
}

/* What nothing refers to any more. */
static int plan_leftovers(struct builder *builder)
{
        const struct fib *fib = builder->fib;
        _cleanup_free_ uint32_t *used = array(builder->hop_count + fib->member_count, sizeof(*used));
        size_t n = 0;
        int r = 0;

        if (!used)
                return -ENOMEM;
        for (size_t i = 0; i < builder->park->count; i++) {
                const struct our_group *group = fib_find_group(fib, builder->park->items[i].group_id);

                if (group && !builder->park->items[i].back)
                        builder->use[group - fib->groups] = GROUP_KEPT;
        }
        for (size_t i = 0; i < builder->hop_count; i++)
                used[n++] = builder->hops[i].id;
        for (size_t i = 0; i < fib->group_count && r == 0; i++) {
                const struct our_group *group = &fib->groups[i];

                for (size_t j = 0; builder->use[i] == GROUP_KEPT && j < group->count; j++)
                        used[n++] = fib->members[group->first + j].hop_id;
                if (builder->use[i] == GROUP_UNUSED)
                        r = add_operation(builder,
                                          &(struct operation){.kind = DELETE_GROUP, .id = group->id});
        }
        if (n)
                qsort(used, n, sizeof(*used), compare_ids);
        for (size_t i = 0; i < fib->hop_count && r == 0; i++)
                if (!n || !bsearch(&fib->hops[i].id, used, n, sizeof(*used), compare_ids))
                        r = add_operation(builder,
                                          &(struct operation){.kind = DELETE_HOP, .id = fib->hops[i].id});
        return r;
}

/* Those of `list` that are not in `other`. */
static int plan_rules(struct builder *builder, enum operation_kind kind, const struct prefix_list *list,
                      const struct prefix_list *other)
{
        int r = 0;

        for (size_t i = 0; i < list->count && r == 0; i++)
                if (!prefix_list_contains(other, &list->prefixes[i]))
                        r = add_operation(builder,
                                          &(struct operation){.kind = kind, .prefix = list->prefixes[i]});
        return r;
}

int mirror_plan_build(const struct mirror_config *config, const struct fib *fib, const struct park *park,
                      struct mirror_plan *out)
{
        _cleanup_plan_ struct mirror_plan plan = {0};
        _cleanup_(builder_clear) struct builder builder = {
            .config = config,
            .fib = fib,
            .park = park,
            .plan = &plan,
            .use = array(fib->group_count, sizeof(enum group_use)),
        };
        int r = builder.use ? collect_taken(&builder) : -ENOMEM;

        /* Whatever is taken away, traffic falls back on the main table first. */
        if (r == 0)
                r = plan_rules(&builder, DELETE_RULE, &fib->rules, &config->pools);
        if (r == 0)
                r = plan_hops(&builder);
        if (r == 0)
                r = plan_routes(&builder);
        if (r == 0)
                r = plan_leftovers(&builder);
        if (r == 0)
                r = plan_rules(&builder, ADD_RULE, &config->pools, &fib->rules);
        if (r < 0)
                return r;
        *out = plan;
        plan = (struct mirror_plan){0};
        return 0;
}

void mirror_plan_clear(struct mirror_plan *plan)
{
        free(plan->operations);
        free(plan->members);
        *plan = (struct mirror_plan){0};
}
