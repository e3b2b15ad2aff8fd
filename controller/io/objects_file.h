/* One file of a directory of Kubernetes objects: what it last held that was good. */
#pragma once

#include "base/error.h"
#include "core/kube_decode.h"
#include "core/model.h"

#include <stdbool.h>
#include <sys/stat.h>

/* What tells one state of a file from the next without reading it. */
struct file_identity {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec modified;
};

struct file_identity file_identity_of(const struct stat *status);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

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
