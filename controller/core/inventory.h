/* The model as its source tells it: complete lists, single changes, and what the API answers to our writes,
 * which comes by another way and so may be older or newer than either. Services of other classes are left
 * out.
 */
#pragma once

#include "core/kube_decode.h"
#include "core/model.h"

/* Zero-initialised, but for the class: empty. */
struct inventory {
        const char *load_balancer_class; /* borrowed */
        struct model model;
};

/* What there is of a kind in that namespace (NULL: in all), as of began_ms (monotonic), when the list was
 * asked for. `list` is sorted; it is taken, and left empty. Of what is in `bad`, by name, the last good
 * version stays. Returns 0; or -ENOMEM, and the model is as before. */
int inventory_replace(struct inventory *inventory, enum kube_kind kind, const char *namespace,
                      int64_t began_ms, struct object_list *list, const struct object_list *bad);

/* One object is new or another. Takes the reference in any case. Returns whether a plan may be another one
 * for it: it, or what it replaces, is a Service of ours or an EndpointSlice of such; or -ENOMEM, and the
 * model is as before. */
int inventory_put(struct inventory *inventory, enum kube_kind kind, struct object *object);

/* One object is gone. Returns the same. */
bool inventory_remove(struct inventory *inventory, enum kube_kind kind, const char *namespace,
                      const char *name);

/* A Service as the API answered it to a write of ours at now_ms (monotonic, not 0). As inventory_put, except
 * that one which is not there does not come back. */
int inventory_answer(struct inventory *inventory, struct object *service, int64_t now_ms);
