#include "core/kube_list.h"

#include "core/json_field.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_kind(enum kube_kind kind, const json_t *json, struct error *error)
{
        const char *found = NULL, *version = NULL;
        int r;

        if ((r = json_field_string(json, "kind", &found, error)) < 0 ||
            (r = json_field_string(json, "apiVersion", &version, error)) < 0)
                return r;
        if (!found || !version || !kube_is_list(kind, found, version))
                return error_set(error, NULL, "a list of kind \"%.60s\" where one of %s was asked for",
                                 found ? found : "", kube_kind_name(kind));
        return 0;
}

static int read_metadata(const json_t *json, struct kube_list *list, struct error *error)
{
        const char *resource_version = NULL, *continue_token = NULL;
        const json_t *metadata = NULL;
        int r;

        if ((r = json_field_object(json, "metadata", &metadata, error)) < 0 ||
            (r = json_field_string(metadata, "resourceVersion", &resource_version, error)) < 0 ||
            (r = json_field_string(metadata, "continue", &continue_token, error)) < 0)
                return r;
        if (!resource_version || !*resource_version ||
            strlen(resource_version) >= sizeof(list->resource_version))
                return error_set(error, NULL, "a list without a usable resourceVersion");
        if (list->pages++ == 0)
                memcpy(list->resource_version, resource_version, strlen(resource_version) + 1);
        free(list->continue_token);
        list->continue_token = NULL;
        if (!continue_token || !*continue_token)
                return 0;
        if (list->pages >= KUBE_LIST_PAGES_MAX)
                return error_set(error, NULL, "a list of more than %d pages", KUBE_LIST_PAGES_MAX);
        list->continue_token = strdup(continue_token);
        return list->continue_token ? 0 : error_oom(error);
}

struct collecting {
        struct kube_list *list;
        enum kube_kind kind;
        kube_decode_bad_fn *bad;
        void *userdata;
};

static int append(struct object_list *list, enum kube_kind kind, struct object *object, struct error *error)
{
        if (object && object_list_append(list, object) == 0)
                return 0;
        if (object)
                kube_kind_unref(kind)(object);
        return error_oom(error);
}

static int collect_bad(const struct collecting *collecting, const json_t *item, const struct error *reason,
                       struct error *error)
{
        const char *namespace = NULL, *name = NULL;
        enum kube_kind kind = collecting->kind;

        (void)kube_decode_name(item, &namespace, &name);
        collecting->bad(collecting->userdata, kind, namespace, name, reason);
        if (!name)
                return 0;
        return append(model_list(&collecting->list->bad, kind), kind,
                      kube_named_object(kind, namespace, name), error);
}

static int collect_item(void *userdata, const json_t *item, struct error *error)
{
        const struct collecting *collecting = userdata;
        struct object *object = NULL;
        struct error reason;
        int r = kube_decode_object(collecting->kind, item, &object, &reason);

        if (r == -ENOMEM)
                return error_oom(error);
        if (r < 0)
                return collect_bad(collecting, item, &reason, error);
        return append(model_list(&collecting->list->objects, collecting->kind), collecting->kind, object,
                      error);
}

int kube_list_feed(struct kube_list *list, enum kube_kind kind, const char *data, size_t length,
                   kube_decode_bad_fn *bad, void *userdata, struct error *error)
{
        struct collecting collecting = {.list = list, .kind = kind, .bad = bad, .userdata = userdata};

        list->page.member = "items";
        return json_items_feed(&list->page, data, length, collect_item, &collecting, error);
}

int kube_list_end_page(struct kube_list *list, enum kube_kind kind, struct error *error)
{
        _cleanup_json_ json_t *frame = NULL;
        int r;

        list->page.member = "items";
        if ((r = json_items_finish(&list->page, &frame, error)) < 0 ||
            (r = check_kind(kind, frame, error)) < 0 || (r = read_metadata(frame, list, error)) < 0)
                return r;
        json_items_reset(&list->page);
        if (!list->continue_token) {
                object_list_sort(model_list(&list->objects, kind), kube_kind_unref(kind));
                object_list_sort(model_list(&list->bad, kind), kube_kind_unref(kind));
        }
        return 0;
}

void kube_list_drop_page(struct kube_list *list)
{
        json_items_reset(&list->page);
}

void kube_list_clear(struct kube_list *list)
{
        model_clear(&list->objects);
        model_clear(&list->bad);
        json_items_reset(&list->page);
        free(list->continue_token);
        *list = (struct kube_list){0};
}

const char *kube_status_message(const char *text, char *out, size_t size)
{
        _cleanup_json_ json_t *json = json_loads(text, 0, NULL);
        const char *message = json_string_value(json_object_get(json, "message"));

        if (!message)
                message = text;
        (void)snprintf(out, size, "%.*s", (int)strcspn(message, "\r\n"), message);
        return out;
}
