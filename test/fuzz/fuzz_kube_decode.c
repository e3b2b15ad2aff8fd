/* JSON of the API to the model: as a list or manifest, and as one object of each kind. */
#include "core/kube_decode.h"

#include "fuzz.h"

static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        (void)userdata;
        (void)namespace;
        (void)name;
        FUZZ_ASSERT(kind < KUBE_KIND_COUNT && error->what[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_json_ json_t *json = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
        _cleanup_model_ struct model model = {0};
        const char *namespace, *name;
        struct error error;

        if (!json)
                return 0;
        (void)kube_decode_name(json, &namespace, &name);
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                struct object *object = NULL;

                if (kube_decode_object(kind, json, &object, &error) == 0) {
                        FUZZ_ASSERT(object->references == 1 && object->namespace && object->name);
                        kube_kind_unref(kind)(object);
                } else {
                        FUZZ_ASSERT(!object && error.what[0]);
                }
        }
        (void)kube_decode_any(json, &model, note_bad, NULL, &error);
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                struct object_list *list = model_list(&model, kind);

                object_list_sort(list, kube_kind_unref(kind));
                for (size_t i = 1; i < list->count; i++)
                        FUZZ_ASSERT(object_compare(list->objects[i - 1], list->objects[i]) < 0);
        }
        return 0;
}
