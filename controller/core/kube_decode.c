#include "core/kube_decode.h"

#include "core/json_field.h"
#include "core/kube_decode_service.h"
#include "core/kube_decode_slice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIST_DEPTH_MAX 8 /* lists in lists */

struct kind {
        const char *name;
        const char *list_name;
        const char *version;
        int (*decode)(const json_t *json, struct object **out, struct error *error);
        void (*unref)(struct object *object);
};

static const struct kind kinds[KUBE_KIND_COUNT] = {
    [KUBE_KIND_SERVICE] = {"Service", "ServiceList", "v1", kube_decode_service, service_object_unref},
    [KUBE_KIND_ENDPOINT_SLICE] = {"EndpointSlice", "EndpointSliceList", "discovery.k8s.io/v1",
                                  kube_decode_slice, endpoint_slice_object_unref},
};

const char *kube_kind_name(enum kube_kind kind)
{
        return kinds[kind].name;
}

bool kube_is_list(enum kube_kind kind, const char *list_kind, const char *version)
{
        return strcmp(list_kind, kinds[kind].list_name) == 0 && strcmp(version, kinds[kind].version) == 0;
}

void (*kube_kind_unref(enum kube_kind kind))(struct object *)
{
        return kinds[kind].unref;
}

struct object_list *model_list(struct model *model, enum kube_kind kind)
{
        return kind == KUBE_KIND_SERVICE ? &model->services : &model->endpoint_slices;
}

/* "Kind namespace/name", of an object that need not be valid. */
static void set_where(enum kube_kind kind, const json_t *json, struct error *error)
{
        const json_t *metadata = json_object_get(json, "metadata");
        const char *namespace = json_string_value(json_object_get(metadata, "namespace"));
        const char *name = json_string_value(json_object_get(metadata, "name"));
        char where[sizeof(error->where)];

        (void)snprintf(where, sizeof(where), "%s %s/%s", kinds[kind].name, namespace ? namespace : "default",
                       name ? name : "?");
        error_at(error, where);
}

int kube_decode_object(enum kube_kind kind, const json_t *json, struct object **out, struct error *error)
{
        int r = kinds[kind].decode(json, out, error);

        if (r < 0)
                set_where(kind, json, error);
        return r;
}

static struct object *new_object(enum kube_kind kind)
{
        if (kind == KUBE_KIND_SERVICE) {
                struct service *service = service_new();

                return service ? &service->object : NULL;
        }

        struct endpoint_slice *slice = endpoint_slice_new();

        return slice ? &slice->object : NULL;
}

struct object *kube_named_object(enum kube_kind kind, const char *namespace, const char *name)
{
        struct object *object = new_object(kind);

        if (!object)
                return NULL;
        object->namespace = strdup(namespace ? namespace : "default");
        object->name = strdup(name);
        if (!object->namespace || !object->name) {
                kinds[kind].unref(object);
                return NULL;
        }
        return object;
}

struct collector {
        struct model *model;
        kube_decode_bad_fn *bad;
        void *userdata;
};

static int collect_object(const struct collector *collector, enum kube_kind kind, const json_t *json,
                          struct error *error)
{
        const char *namespace = NULL, *name = NULL;
        struct object *object = NULL;
        struct error reason;
        int r;

        r = kube_decode_object(kind, json, &object, &reason);
        if (r == -ENOMEM)
                return error_oom(error);
        if (r < 0) {
                (void)kube_decode_name(json, &namespace, &name);
                collector->bad(collector->userdata, kind, namespace, name, &reason);
                return 0;
        }
        r = object_list_append(model_list(collector->model, kind), object);
        if (r < 0) {
                kinds[kind].unref(object);
                return error_oom(error);
        }
        return 0;
}

static int collect_any(const struct collector *collector, const json_t *json, unsigned int depth,
                       struct error *error);

/* The items of a typed list carry no kind of their own, those of a plain List do. */
static int collect_items(const struct collector *collector, const struct kind *kind, const json_t *json,
                         unsigned int depth, struct error *error)
{
        const json_t *items = NULL, *item;
        size_t i;
        int r = json_field_array(json, "items", &items, error);

        json_array_foreach ((json_t *)items, i, item) {
                if (r < 0)
                        break;
                if (kind)
                        r = collect_object(collector, (enum kube_kind)(kind - kinds), item, error);
                else
                        r = collect_any(collector, item, depth + 1, error);
        }
        return r;
}

static int collect_any(const struct collector *collector, const json_t *json, unsigned int depth,
                       struct error *error)
{
        const char *kind = NULL, *version = NULL;
        int r;

        if ((r = json_field_string(json, "kind", &kind, error)) < 0 ||
            (r = json_field_string(json, "apiVersion", &version, error)) < 0)
                return r;
        if (!kind || !version)
                return error_set(error, NULL, "not a Kubernetes object: no kind or apiVersion");
        if (depth > LIST_DEPTH_MAX)
                return error_set(error, NULL, "lists are nested too deeply");
        if (strcmp(kind, "List") == 0 && strcmp(version, "v1") == 0)
                return collect_items(collector, NULL, json, depth, error);
        for (const struct kind *known = kinds; known < kinds + KUBE_KIND_COUNT; known++) {
                /* Other groups have kinds of these names too, as Knative has its Service. */
                if (strcmp(version, known->version) != 0)
                        continue;
                if (strcmp(kind, known->name) == 0)
                        return collect_object(collector, (enum kube_kind)(known - kinds), json, error);
                if (strcmp(kind, known->list_name) == 0)
                        return collect_items(collector, known, json, depth, error);
        }
        return 0;
}

int kube_decode_any(const json_t *json, struct model *model, kube_decode_bad_fn *bad, void *userdata,
                    struct error *error)
{
        const struct collector collector = {.model = model, .bad = bad, .userdata = userdata};

        return collect_any(&collector, json, 0, error);
}
