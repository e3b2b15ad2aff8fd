#include "core/inventory.h"

#include "core/kube_meta.h"

#include <errno.h>
#include <string.h>

static struct object *object_ref(enum kube_kind kind, struct object *object)
{
        if (kind == KUBE_KIND_SERVICE)
                (void)service_ref(object_service(object));
        else
                (void)endpoint_slice_ref(object_endpoint_slice(object));
        return object;
}

/* ---- lists ---- */

/* Adds what a list does not speak of. 0 or -ENOMEM. */
static int keep(enum kube_kind kind, struct object *object, struct object_list *list)
{
        if (object_list_append(list, object_ref(kind, object)) == 0)
                return 0;
        kube_kind_unref(kind)(object);
        return -ENOMEM;
}

/* The objects that exist but do not decode, and those of other namespaces. The list is not sorted then. */
static int keep_unlisted(enum kube_kind kind, const struct object_list *held, const char *namespace,
                         const struct object_list *bad, struct object_list *list)
{
        int r = 0;

        for (size_t i = 0; i < bad->count && r == 0; i++) {
                struct object *object =
                    object_list_find(held, bad->objects[i]->namespace, bad->objects[i]->name);

                if (object)
                        r = keep(kind, object, list);
        }
        for (size_t i = 0; i < held->count && namespace && r == 0; i++)
                if (strcmp(held->objects[i]->namespace, namespace) != 0)
                        r = keep(kind, held->objects[i], list);
        return r;
}

static void drop_foreign(const char *load_balancer_class, struct object_list *services)
{
        size_t kept = 0;

        for (size_t i = 0; i < services->count; i++) {
                struct service *service = object_service(services->objects[i]);

                if (service_is_of_class(service, load_balancer_class))
                        services->objects[kept++] = &service->object;
                else
                        service_unref(service);
        }
        services->count = kept;
}

static bool is_older(const struct service *a, const struct service *b)
{
        return a->resource_version && b->resource_version &&
               kube_version_is_older(a->resource_version, b->resource_version);
}

/* A list tells how things were when it began: what the API has answered to our writes since then stays. Of
 * those Services only, for versions begin anew when etcd is restored. */
static void keep_answered(const struct object_list *held, int64_t began_ms, struct object_list *list)
{
        for (size_t i = 0; i < held->count; i++) {
                struct service *service = object_service(held->objects[i]);
                const struct service *listed;

                if (!service->answered_ms || service->answered_ms < began_ms)
                        continue;
                listed =
                    object_service(object_list_find(list, service->object.namespace, service->object.name));
                if (listed && is_older(listed, service)) /* so that it takes its place, and no memory */
                        (void)object_list_put(list, &service_ref(service)->object, service_object_unref);
        }
}

int inventory_replace(struct inventory *inventory, enum kube_kind kind, const char *namespace,
                      int64_t began_ms, struct object_list *list, const struct object_list *bad)
{
        struct object_list *held = model_list(&inventory->model, kind);
        int r;

        if (kind == KUBE_KIND_SERVICE) {
                drop_foreign(inventory->load_balancer_class, list);
                keep_answered(held, began_ms, list);
        }
        r = keep_unlisted(kind, held, namespace, bad, list);
        if (r < 0) {
                object_list_clear(list, kube_kind_unref(kind));
                return r;
        }
        object_list_sort(list, kube_kind_unref(kind));
        object_list_clear(held, kube_kind_unref(kind));
        *held = *list;
        *list = (struct object_list){0};
        return 0;
}

/* ---- changes ---- */

static struct service *find_service(const struct inventory *inventory, const char *namespace,
                                    const char *name)
{
        return object_service(object_list_find(&inventory->model.services, namespace, name));
}

/* NULL does not. */
static bool matters(const struct inventory *inventory, enum kube_kind kind, struct object *object)
{
        if (!object || kind == KUBE_KIND_SERVICE)
                return object;

        const char *service = object_endpoint_slice(object)->service;

        return service && find_service(inventory, object->namespace, service);
}

/* The same has been told before, or something newer: an answer may be quicker than the watch. */
static bool is_known(const struct inventory *inventory, const struct service *service)
{
        const struct service *held = find_service(inventory, service->object.namespace, service->object.name);

        if (!held || !held->resource_version || !service->resource_version)
                return false;
        return strcmp(service->resource_version, held->resource_version) == 0 || is_older(service, held);
}

bool inventory_remove(struct inventory *inventory, enum kube_kind kind, const char *namespace,
                      const char *name)
{
        struct object_list *held = model_list(&inventory->model, kind);
        bool news = matters(inventory, kind, object_list_find(held, namespace, name));

        return object_list_remove(held, namespace, name, kube_kind_unref(kind)) && news;
}

int inventory_put(struct inventory *inventory, enum kube_kind kind, struct object *object)
{
        struct object_list *held = model_list(&inventory->model, kind);
        bool news;
        int r;

        if (kind == KUBE_KIND_SERVICE && is_known(inventory, object_service(object))) {
                service_object_unref(object);
                return false;
        }
        if (kind == KUBE_KIND_SERVICE &&
            !service_is_of_class(object_service(object), inventory->load_balancer_class)) {
                news = inventory_remove(inventory, kind, object->namespace, object->name);
                service_object_unref(object);
                return news;
        }
        news = matters(inventory, kind, object) ||
               matters(inventory, kind, object_list_find(held, object->namespace, object->name));
        r = object_list_put(held, object, kube_kind_unref(kind));
        if (r < 0)
                kube_kind_unref(kind)(object);
        return r < 0 ? r : news;
}

int inventory_answer(struct inventory *inventory, struct object *service, int64_t now_ms)
{
        if (!find_service(inventory, service->namespace, service->name)) {
                service_object_unref(service);
                return false;
        }
        object_service(service)->answered_ms = now_ms;
        return inventory_put(inventory, KUBE_KIND_SERVICE, service);
}
