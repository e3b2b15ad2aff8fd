#include "core/model.h"

#include "base/sorted.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

const char *protocol_name(enum protocol protocol)
{
        switch (protocol) {
        case PROTOCOL_UDP:
                return "UDP";
        case PROTOCOL_SCTP:
                return "SCTP";
        case PROTOCOL_TCP:
        default:
                return "TCP";
        }
}

const char *annotation_key(enum annotation annotation)
{
        static const char *const keys[ANNOTATION_COUNT] = {
            [ANNOTATION_FORWARDING] = "coracle.lb/forwarding",
            [ANNOTATION_SCHEDULER] = "coracle.lb/scheduler",
            [ANNOTATION_HEALTH_CHECK] = "coracle.lb/health-check",
            [ANNOTATION_ADDRESS] = "coracle.lb/address",
            [ANNOTATION_TEMPLATE] = "coracle.lb/template",
            [ANNOTATION_DRAIN_SECONDS] = "coracle.lb/drain-seconds",
            [ANNOTATION_SHARE] = "coracle.lb/share",
        };

        return keys[annotation];
}

static void service_ports_free(struct service_port *ports, size_t count)
{
        for (size_t i = 0; i < count; i++)
                free(ports[i].name);
        free(ports);
}

static bool drop_reference(struct object *object)
{
        if (--object->references > 0)
                return false;
        free(object->namespace);
        free(object->name);
        return true;
}

bool service_is_of_class(const struct service *service, const char *load_balancer_class)
{
        return service->is_load_balancer && service->load_balancer_class &&
               strcmp(service->load_balancer_class, load_balancer_class) == 0;
}

struct service *service_new(void)
{
        struct service *service = calloc(1, sizeof(*service));

        if (service)
                service->object.references = 1;
        return service;
}

struct service *service_ref(struct service *service)
{
        service->object.references++;
        return service;
}

void service_unref(struct service *service)
{
        if (!service || !drop_reference(&service->object))
                return;
        free(service->resource_version);
        free(service->uid);
        free(service->load_balancer_class);
        free(service->load_balancer_ip);
        for (size_t i = 0; i < ANNOTATION_COUNT; i++)
                free(service->annotations[i]);
        free(service->status_addrs);
        free(service->source_ranges);
        service_ports_free(service->ports, service->n_ports);
        free(service);
}

struct endpoint_slice *endpoint_slice_new(void)
{
        struct endpoint_slice *slice = calloc(1, sizeof(*slice));

        if (slice)
                slice->object.references = 1;
        return slice;
}

struct endpoint_slice *endpoint_slice_ref(struct endpoint_slice *slice)
{
        slice->object.references++;
        return slice;
}

void endpoint_slice_unref(struct endpoint_slice *slice)
{
        if (!slice || !drop_reference(&slice->object))
                return;
        free(slice->service);
        service_ports_free(slice->ports, slice->n_ports);
        free(slice->endpoints);
        free(slice);
}

void service_object_unref(struct object *object)
{
        service_unref(object_service(object));
}

void endpoint_slice_object_unref(struct object *object)
{
        endpoint_slice_unref(object_endpoint_slice(object));
}

static int compare_names(const char *a_namespace, const char *a_name, const char *b_namespace,
                         const char *b_name)
{
        int order = strcmp(a_namespace, b_namespace);

        return order ? order : strcmp(a_name, b_name);
}

int object_compare(const struct object *a, const struct object *b)
{
        return compare_names(a->namespace, a->name, b->namespace, b->name);
}

/* Room for `count` objects and as much again: object_list_sort merges there and so cannot fail. */
static int reserve(struct object_list *list, size_t count)
{
        size_t capacity = list->capacity;
        struct object **objects;

        if (capacity / 2 >= count)
                return 0;
        if (count > SIZE_MAX / 8 / sizeof(*objects))
                return -ENOMEM;
        capacity = count < 8 ? 16 : count * 3;
        objects = reallocarray(list->objects, capacity, sizeof(*objects));
        if (!objects)
                return -ENOMEM;
        list->objects = objects;
        list->capacity = capacity;
        return 0;
}

int object_list_append(struct object_list *list, struct object *object)
{
        int r = reserve(list, list->count + 1);

        if (r < 0)
                return r;
        list->objects[list->count++] = object;
        return 0;
}

/* Merges two neighbouring runs into `out`; of equals the left one comes first. */
static void merge_runs(struct object **left, struct object **middle, struct object **end, struct object **out)
{
        struct object **right = middle;

        while (left < middle && right < end)
                *out++ = object_compare(*right, *left) < 0 ? *right++ : *left++;
        memcpy(out, left, (size_t)(middle - left) * sizeof(*out));
        out += middle - left;
        memcpy(out, right, (size_t)(end - right) * sizeof(*out));
}

static bool is_sorted(const struct object_list *list)
{
        for (size_t i = 1; i < list->count; i++)
                if (object_compare(list->objects[i - 1], list->objects[i]) > 0)
                        return false;
        return true;
}

/* Stable, unlike qsort(3), because the last of several with one name counts. */
static void merge_sort(struct object_list *list)
{
        struct object **from = list->objects, **to = list->objects + list->count;
        size_t count = list->count;

        for (size_t width = 1; width < count; width *= 2) {
                struct object **previous = from;

                for (size_t start = 0; start < count; start += 2 * width) {
                        size_t middle = start + width < count ? start + width : count;
                        size_t end = start + 2 * width < count ? start + 2 * width : count;

                        merge_runs(from + start, from + middle, from + end, to + start);
                }
                from = to;
                to = previous;
        }
        if (from != list->objects)
                memcpy(list->objects, from, count * sizeof(*from));
}

void object_list_sort(struct object_list *list, void (*unref)(struct object *))
{
        size_t kept = 0;

        if (list->count < 2)
                return;
        if (!is_sorted(list))
                merge_sort(list);
        for (size_t i = 0; i < list->count; i++) {
                struct object *object = list->objects[i];

                if (i + 1 < list->count && object_compare(object, list->objects[i + 1]) == 0)
                        unref(object);
                else
                        list->objects[kept++] = object;
        }
        list->count = kept;
}

struct key {
        const char *namespace, *name;
};

static int compare_key(const void *a, const void *b)
{
        const struct key *key = a;
        const struct object *const *object = b;

        return compare_names(key->namespace, key->name, (*object)->namespace, (*object)->name);
}

static bool find(const struct object_list *list, const char *namespace, const char *name, size_t *at)
{
        const struct key key = {namespace, name};

        return sorted_find(&key, list->objects, list->count, sizeof(*list->objects), compare_key, at);
}

struct object *object_list_find(const struct object_list *list, const char *namespace, const char *name)
{
        size_t i;

        return find(list, namespace, name, &i) ? list->objects[i] : NULL;
}

int object_list_put(struct object_list *list, struct object *object, void (*unref)(struct object *))
{
        size_t i;
        int r;

        if (find(list, object->namespace, object->name, &i)) {
                unref(list->objects[i]);
                list->objects[i] = object;
                return 0;
        }
        r = reserve(list, list->count + 1);
        if (r < 0)
                return r;
        memmove(list->objects + i + 1, list->objects + i, (list->count - i) * sizeof(*list->objects));
        list->objects[i] = object;
        list->count++;
        return 0;
}

bool object_list_remove(struct object_list *list, const char *namespace, const char *name,
                        void (*unref)(struct object *))
{
        size_t i;

        if (!find(list, namespace, name, &i))
                return false;
        unref(list->objects[i]);
        list->count--;
        memmove(list->objects + i, list->objects + i + 1, (list->count - i) * sizeof(*list->objects));
        return true;
}

void object_list_clear(struct object_list *list, void (*unref)(struct object *))
{
        for (size_t i = 0; i < list->count; i++)
                unref(list->objects[i]);
        free(list->objects);
        *list = (struct object_list){0};
}

void model_clear(struct model *model)
{
        object_list_clear(&model->services, service_object_unref);
        object_list_clear(&model->endpoint_slices, endpoint_slice_object_unref);
}
