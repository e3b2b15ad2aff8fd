#include "core/kube_list.h"

#include "core/json_field.h"

#include <stdio.h>
#include <string.h>

/* kube_decode_any passes over what it does not know, which here would make an empty list of a wrong one. */
static int check_kind(enum kube_kind kind, const json_t *json, struct error *error)
{
        const char *found = NULL, *version = NULL;
        const json_t *items = json_object_get(json, "items");
        int r;

        if ((r = json_field_string(json, "kind", &found, error)) < 0 ||
            (r = json_field_string(json, "apiVersion", &version, error)) < 0)
                return r;
        if (!found || !version || !kube_is_list(kind, found, version))
                return error_set(error, NULL, "a list of kind \"%.60s\" where one of %s was asked for",
                                 found ? found : "", kube_kind_name(kind));
        /* An empty Go slice may come as null. */
        if (!json_is_array(items) && !json_is_null(items))
                return error_set(error, NULL, "a list of %s without items", kube_kind_name(kind));
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
        kube_decode_bad_fn *bad;
        void *userdata;
        bool out_of_memory;
};

static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        struct collecting *collecting = userdata;
        struct object *object;

        collecting->bad(collecting->userdata, kind, namespace, name, error);
        if (!name)
                return;
        object = kube_named_object(kind, namespace, name);
        if (!object || object_list_append(model_list(&collecting->list->bad, kind), object) < 0) {
                collecting->out_of_memory = true;
                if (object)
                        kube_kind_unref(kind)(object);
        }
}

int kube_list_add_page(struct kube_list *list, enum kube_kind kind, const char *text, size_t length,
                       kube_decode_bad_fn *bad, void *userdata, struct error *error)
{
        struct collecting collecting = {.list = list, .bad = bad, .userdata = userdata};
        _cleanup_json_ json_t *json = NULL;
        json_error_t reason;
        int r;

        json = json_loadb(text, length, 0, &reason);
        if (!json && json_error_code(&reason) == json_error_out_of_memory)
                return error_oom(error);
        if (!json)
                return error_set(error, NULL, "a list is not JSON: %s", reason.text);
        if ((r = check_kind(kind, json, error)) < 0 ||
            (r = kube_decode_any(json, &list->objects, note_bad, &collecting, error)) < 0 ||
            (r = read_metadata(json, list, error)) < 0)
                return r;
        if (collecting.out_of_memory)
                return error_oom(error);
        if (!list->continue_token) {
                object_list_sort(model_list(&list->objects, kind), kube_kind_unref(kind));
                object_list_sort(model_list(&list->bad, kind), kube_kind_unref(kind));
        }
        return 0;
}

void kube_list_clear(struct kube_list *list)
{
        model_clear(&list->objects);
        model_clear(&list->bad);
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
