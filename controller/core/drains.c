#include "core/drains.h"

#include "base/sorted.h"

#include <errno.h>
#include <string.h>

struct key {
        const char *namespace, *service;
        const struct addr *addr;
};

static int compare_key(const void *a, const void *b)
{
        const struct key *key = a;
        const struct drain *drain = b;
        int order = strcmp(key->namespace, drain->slice->object.namespace);

        if (!order)
                order = strcmp(key->service, drain->slice->service);
        return order ? order : addr_compare(key->addr, &drain->addr);
}

static int compare(const void *a, const void *b)
{
        const struct drain *x = a;
        const struct key key = {x->slice->object.namespace, x->slice->service, &x->addr};

        return compare_key(&key, b);
}

int64_t drains_since(const struct drains *drains, const char *namespace, const char *service,
                     const struct addr *addr)
{
        const struct key key = {namespace, service, addr};
        size_t at;

        return sorted_find(&key, drains->drains, drains->count, sizeof(*drains->drains), compare_key, &at)
                   ? drains->drains[at].since_ms
                   : INT64_MAX;
}

static size_t count_draining(const struct model *model)
{
        size_t count = 0;

        for (size_t i = 0; i < model->endpoint_slices.count; i++) {
                const struct endpoint_slice *slice = object_endpoint_slice(model->endpoint_slices.objects[i]);

                for (size_t j = 0; slice->service && j < slice->n_endpoints; j++)
                        count += slice->endpoints[j].state == ENDPOINT_DRAINING;
        }
        return count;
}

/* Those of one slice, behind the `count` that are there. Returns their new number. */
static size_t collect(const struct drains *before, struct endpoint_slice *slice, int64_t now_ms,
                      struct drain *out, size_t count)
{
        for (size_t i = 0; slice->service && i < slice->n_endpoints; i++) {
                const struct addr *addr = &slice->endpoints[i].addr;
                int64_t since_ms;

                if (slice->endpoints[i].state != ENDPOINT_DRAINING)
                        continue;
                since_ms = drains_since(before, slice->object.namespace, slice->service, addr);
                out[count++] = (struct drain){.slice = endpoint_slice_ref(slice),
                                              .addr = *addr,
                                              .since_ms = since_ms < now_ms ? since_ms : now_ms};
        }
        return count;
}

int drains_update(struct drains *drains, const struct model *model, int64_t now_ms)
{
        struct drains now = {.now_ms = now_ms};
        size_t n_draining = count_draining(model);

        if (n_draining) {
                now.drains = calloc(n_draining, sizeof(*now.drains));
                if (!now.drains)
                        return -ENOMEM;
                for (size_t i = 0; i < model->endpoint_slices.count; i++)
                        now.count = collect(drains, object_endpoint_slice(model->endpoint_slices.objects[i]),
                                            now_ms, now.drains, now.count);
                qsort(now.drains, now.count, sizeof(*now.drains), compare);
        }
        drains_clear(drains);
        *drains = now;
        return 0;
}

void drains_clear(struct drains *drains)
{
        for (size_t i = 0; i < drains->count; i++)
                endpoint_slice_unref(drains->drains[i].slice);
        free(drains->drains);
        *drains = (struct drains){0};
}
