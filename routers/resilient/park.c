#include "resilient/park.h"

#include "base/array.h"

static int compare(const void *a, const void *b)
{
        const struct parked *x = a, *y = b;

        return prefix_compare(&x->prefix, &y->prefix);
}

const struct parked *park_find(const struct park *park, const struct prefix *prefix)
{
        struct parked key = {.prefix = *prefix};

        return park->count ? bsearch(&key, park->items, park->count, sizeof(key), compare) : NULL;
}

/* Returns whether it is still to be remembered. */
static bool update_one(struct parked *parked, const struct fib *fib, int64_t now_ms)
{
        bool back = fib_find_route(fib, &parked->prefix) != NULL;

        if (back != parked->back) {
                parked->back = back;
                parked->until_ms = now_ms + (back ? PARK_SETTLE_MS : PARK_KEEP_MS);
        }
        return now_ms < parked->until_ms && fib_find_group(fib, parked->group_id);
}

int park_update(struct park *park, const struct fib *fib, int64_t now_ms, int64_t *next_ms)
{
        size_t kept = 0, known;
        int r = 0;

        for (size_t i = 0; i < park->count; i++)
                if (update_one(&park->items[i], fib, now_ms))
                        park->items[kept++] = park->items[i];
        park->count = known = kept;
        for (size_t i = 0; i < fib->our_count; i++) {
                const struct our_route *ours = &fib->ours[i];
                struct park sorted = {.items = park->items, .count = known};
                struct parked new = {
                    .prefix = ours->prefix, .group_id = ours->group_id, .until_ms = now_ms + PARK_KEEP_MS};

                if (!fib_find_group(fib, ours->group_id) || fib_find_route(fib, &ours->prefix) ||
                    park_find(&sorted, &ours->prefix))
                        continue;
                r = array_reserve(&park->items, &park->capacity, park->count, sizeof(new));
                if (r < 0)
                        break;
                park->items[park->count++] = new;
        }
        if (park->count)
                qsort(park->items, park->count, sizeof(*park->items), compare);
        *next_ms = -1;
        for (size_t i = 0; i < park->count; i++)
                if (*next_ms < 0 || park->items[i].until_ms < *next_ms)
                        *next_ms = park->items[i].until_ms;
        return r;
}

void park_clear(struct park *park)
{
        free(park->items);
        *park = (struct park){0};
}
