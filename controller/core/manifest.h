/* What a file of Kubernetes objects holds: JSON as `kubectl get -o json` writes it, or YAML, of one or
 * several documents. */
#pragma once

#include "base/error.h"
#include "core/kube_decode.h"
#include "core/model.h"

#include <stddef.h>

/* Decodes the text, JSON if it begins with a brace, else YAML. `file` is used in errors only. Appends to the
 * lists of *model, which are then unsorted; documents without content are passed over. Bad objects are
 * reported as by kube_decode_any.
 * Returns 0, or -EINVAL/-ENOMEM with *error set (where: file:line); *model then holds a part. */
int manifest_decode(const char *file, const char *text, size_t length, struct model *model,
                    kube_decode_bad_fn *bad, void *userdata, struct error *error);
