#include "resilient/fib.h"

#include <string.h>

#define WEIGHT_MAX 256

static int compare_numbers(uint32_t a, uint32_t b)
{
        return (a > b) - (a < b);
}

int next_hop_compare(const struct next_hop *a, const struct next_hop *b)
{
        int r = addr_compare(&a->gateway, &b->gateway);

        if (r == 0)
                r = compare_numbers(a->interface, b->interface);
        return r != 0 ? r : a->onlink - b->onlink;
}

static int compare_routes(const void *a, const void *b)
{
        const struct main_route *x = a, *y = b;
        int r = prefix_compare(&x->prefix, &y->prefix);

        if (r == 0)
                r = compare_numbers(x->metric, y->metric);
        /* The kernel's order, which is that of the paths, decides between equals. */
        return r != 0 ? r : (x->first > y->first) - (x->first < y->first);
}

static int compare_paths(const void *a, const void *b)
{
        const struct path *x = a, *y = b;

        return next_hop_compare(&x->hop, &y->hop);
}

static int compare_hops(const void *a, const void *b)
{
        const struct our_hop *x = a, *y = b;
        int r = next_hop_compare(&x->hop, &y->hop);

        return r != 0 ? r : compare_numbers(x->id, y->id);
}

static int compare_groups(const void *a, const void *b)
{
        const struct our_group *x = a, *y = b;

        return compare_numbers(x->id, y->id);
}

static int compare_members(const void *a, const void *b)
{
        const struct member *x = a, *y = b;

        return compare_numbers(x->hop_id, y->hop_id);
}

static int compare_ours(const void *a, const void *b)
{
        const struct our_route *x = a, *y = b;

        return prefix_compare(&x->prefix, &y->prefix);
}

static int compare_ids(const void *a, const void *b)
{
        return compare_numbers(*(const uint32_t *)a, *(const uint32_t *)b);
}

static void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
        if (count)
                qsort(items, count, size, compare);
}

/* Two LB pods behind one node have the same next-hop, and a group holds each only once. */
static void merge_paths(struct fib *fib, struct main_route *route)
{
        struct path *paths;
        size_t kept = 0;

        if (!route->count)
                return;
        paths = &fib->paths[route->first];
        sort(paths, route->count, sizeof(*paths), compare_paths);
        for (size_t i = 1; i < route->count; i++) {
                if (next_hop_compare(&paths[kept].hop, &paths[i].hop) != 0) {
                        paths[++kept] = paths[i];
                } else {
                        unsigned int sum = (unsigned int)paths[kept].weight + paths[i].weight;

                        paths[kept].weight = (uint16_t)(sum > WEIGHT_MAX ? WEIGHT_MAX : sum);
                }
        }
        route->count = kept + 1;
}

void fib_sort(struct fib *fib)
{
        size_t kept = 0;

        sort(fib->routes, fib->route_count, sizeof(*fib->routes), compare_routes);
        for (size_t i = 0; i < fib->route_count; i++) {
                if (i && prefix_compare(&fib->routes[kept - 1].prefix, &fib->routes[i].prefix) == 0)
                        continue;
                fib->routes[kept++] = fib->routes[i];
        }
        fib->route_count = kept;
        for (size_t i = 0; i < fib->route_count; i++)
                merge_paths(fib, &fib->routes[i]);
        sort(fib->hops, fib->hop_count, sizeof(*fib->hops), compare_hops);
        sort(fib->groups, fib->group_count, sizeof(*fib->groups), compare_groups);
        for (size_t i = 0; i < fib->group_count; i++)
                if (fib->groups[i].count)
                        sort(&fib->members[fib->groups[i].first], fib->groups[i].count, sizeof(*fib->members),
                             compare_members);
        sort(fib->ours, fib->our_count, sizeof(*fib->ours), compare_ours);
        sort(fib->foreign_ids, fib->foreign_count, sizeof(*fib->foreign_ids), compare_ids);
        prefix_list_sort(&fib->rules);
}

void fib_drop_hop(struct fib *fib, const struct next_hop *hop)
{
        for (size_t i = 0; i < fib->route_count; i++) {
                struct main_route *route = &fib->routes[i];
                struct path *paths;
                size_t kept = 0;

                if (!route->count)
                        continue;
                paths = &fib->paths[route->first];
                for (size_t j = 0; j < route->count; j++)
                        if (next_hop_compare(&paths[j].hop, hop) != 0)
                                paths[kept++] = paths[j];
                route->count = kept;
                route->plain |= kept == 0;
        }
}

const struct our_group *fib_find_group(const struct fib *fib, uint32_t id)
{
        struct our_group key = {.id = id};

        return fib->group_count ? bsearch(&key, fib->groups, fib->group_count, sizeof(key), compare_groups)
                                : NULL;
}

static int compare_route_prefix(const void *key, const void *item)
{
        return prefix_compare(key, &((const struct main_route *)item)->prefix);
}

const struct main_route *fib_find_route(const struct fib *fib, const struct prefix *prefix)
{
        return fib->route_count ? bsearch(prefix, fib->routes, fib->route_count, sizeof(*fib->routes),
                                          compare_route_prefix)
                                : NULL;
}

void fib_clear(struct fib *fib)
{
        free(fib->routes);
        free(fib->paths);
        free(fib->hops);
        free(fib->groups);
        free(fib->members);
        free(fib->ours);
        free(fib->foreign_ids);
        prefix_list_clear(&fib->rules);
        *fib = (struct fib){0};
}
