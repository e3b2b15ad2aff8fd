/* One file of a directory of Kubernetes objects: what it last held that was good. */
#pragma once

#include "base/error.h"
#include "base/file_identity.h"
#include "core/kube_decode.h"
#include "core/model.h"

struct objects_file {
        char *name;                    /* in its directory; owned */
        struct file_identity identity; /* of what was read last, good or not */
        struct model model;            /* sorted */
        struct model bad;              /* names only: objects that are there but do not decode; sorted */
};

/* Reads and decodes the file. Returns 0; each bad object has been logged. Or a negative errno with *error
 * set, and model and bad as they were: one half of a file is not the truth. */
int objects_file_load(struct objects_file *file, const char *path, struct error *error);

/* Frees all it holds. */
void objects_file_clear(struct objects_file *file);
