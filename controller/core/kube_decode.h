/* Kubernetes JSON to model objects. Only what the model holds is looked at; unknown members are ignored, as
 * the API's compatibility rules ask for, but a known member of the wrong type is an error that names the
 * object.
 */
#pragma once

#include "base/error.h"
#include "core/model.h"

#include <jansson.h>

/* The kinds we follow. */
enum kube_kind {
        KUBE_KIND_SERVICE,
        KUBE_KIND_ENDPOINT_SLICE,
        KUBE_KIND_COUNT,
};

/* "Service", "EndpointSlice". */
const char *kube_kind_name(enum kube_kind kind);

/* Whether kind and apiVersion are those of a typed list of this kind, e.g. ServiceList of v1. */
bool kube_is_list(enum kube_kind kind, const char *list_kind, const char *version);

/* The `unref` that fits the kind, for the object_list functions. */
void (*kube_kind_unref(enum kube_kind kind))(struct object *);

/* The list of that kind. */
struct object_list *model_list(struct model *model, enum kube_kind kind);

/* Decodes one object of a known kind (objects in lists carry no kind). `json` is borrowed.
 * Returns 0 and *out with one reference; or -EINVAL/-ENOMEM with *error set, its `where` being
 * "Kind namespace/name" as far as it is known. */
int kube_decode_object(enum kube_kind kind, const json_t *json, struct object **out, struct error *error);

/* metadata.namespace (NULL if absent) and metadata.name, borrowed from json; for objects that are deleted or
 * that failed to decode. Returns 0 or -EINVAL. */
int kube_decode_name(const json_t *json, const char **namespace, const char **name);

/* A new object that has its names only, as for a list of bad ones; `namespace` NULL means "default". Returns
 * one reference, or NULL if out of memory. */
struct object *kube_named_object(enum kube_kind kind, const char *namespace, const char *name);

/* Decodes whatever `kubectl get -o json` or a manifest holds: an object, a List or ServiceList or
 * EndpointSliceList, nested if need be. Objects of other kinds are passed over. Appends to the lists of
 * *model, which are then unsorted. A bad object is reported to `bad` (with its names if it has any, else
 * NULL) and passed over, so that one bad object never takes the others with it. Returns 0, or -EINVAL/-ENOMEM
 * for what is no Kubernetes object at all. */
typedef void kube_decode_bad_fn(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                                const struct error *error);
int kube_decode_any(const json_t *json, struct model *model, kube_decode_bad_fn *bad, void *userdata,
                    struct error *error);
