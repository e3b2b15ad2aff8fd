/* Since when endpoints have been draining: what the objects do not say. Kept beside the model, because the
 * time of each new version of a slice is not the time that counts.
 */
#pragma once

#include "core/model.h"

/* Of one Service: two pods of different Services may have the address of their node. */
struct drain {
        struct endpoint_slice *slice; /* a reference; says whose it is */
        struct addr addr;
        int64_t since_ms;
};

/* Zero-initialised is empty. */
struct drains {
        struct drain *drains; /* sorted by the Service's namespace and name, then address */
        size_t count;
        int64_t now_ms; /* monotonic; of the last update */
};

/* Those of the model's endpoints that drain: new ones since now, the others since then. 0; or -ENOMEM: they
 * stay as they were. */
int drains_update(struct drains *drains, const struct model *model, int64_t now_ms);

/* Since when; INT64_MAX if it does not drain. */
int64_t drains_since(const struct drains *drains, const char *namespace, const char *service,
                     const struct addr *addr);

void drains_clear(struct drains *drains);
