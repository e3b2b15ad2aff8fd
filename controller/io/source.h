/* Where objects come from: the API (kube_watch) or files (objects_dir). Both tell the same story to one
 * listener: per kind first a complete list, then changes, then perhaps another complete list. Nothing is told
 * of an incomplete list.
 *
 * An object that does not decode is never dropped for that: the listener keeps its last good version.
 */
#pragma once

#include "base/error.h"
#include "core/kube_decode.h"
#include "core/model.h"

struct source_listener {
        void *userdata;

        /* The complete truth about one kind. The list is sorted; the listener takes its contents (and leaves
         * it empty). `bad` lists objects that exist but do not decode, by name only (service and slice
         * members beyond `object` are empty): the listener keeps what it had of those. */
        void (*replace)(void *userdata, enum kube_kind kind, struct object_list *list,
                        const struct object_list *bad);

        /* One object is new or has changed. Takes the reference. */
        void (*put)(void *userdata, enum kube_kind kind, struct object *object);

        /* One object is gone. */
        void (*remove)(void *userdata, enum kube_kind kind, const char *namespace, const char *name);
};
