#include "io/objects_file.h"

#include "base/log.h"
#include "io/files.h"

#include <errno.h>
#include <string.h>

struct loading {
        const char *path;
        struct model bad;
        bool out_of_memory;
};

static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        struct loading *loading = userdata;
        struct object *object;

        log_warning("objects_dir", "bad object; its last good version stays", LOG_TEXT("file", loading->path),
                    LOG_ERROR_FIELDS(error));
        if (!name)
                return;
        object = kube_named_object(kind, namespace, name);
        if (!object || object_list_append(model_list(&loading->bad, kind), object) < 0) {
                loading->out_of_memory = true;
                if (object)
                        kube_kind_unref(kind)(object);
        }
}

static void swap_models(struct model *a, struct model *b)
{
        struct model previous = *a;

        *a = *b;
        *b = previous;
}

int objects_file_load(struct objects_file *file, const char *path, struct error *error)
{
        _cleanup_model_ struct model model = {0};
        struct loading loading = {.path = path};
        int r;

        r = files_read_objects(path, &model, note_bad, &loading, error);
        if (r == 0 && loading.out_of_memory)
                r = error_oom(error);
        if (r == 0) {
                for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                        object_list_sort(model_list(&model, kind), kube_kind_unref(kind));
                        object_list_sort(model_list(&loading.bad, kind), kube_kind_unref(kind));
                }
                swap_models(&file->model, &model);
                swap_models(&file->bad, &loading.bad);
        }
        model_clear(&loading.bad);
        return r;
}

void objects_file_clear(struct objects_file *file)
{
        free(file->name);
        model_clear(&file->model);
        model_clear(&file->bad);
        *file = (struct objects_file){0};
}
