/* Service v1, from JSON. */
#pragma once

#include "base/error.h"
#include "core/model.h"

#include <jansson.h>

/* As kube_decode_object, for KUBE_KIND_SERVICE; error->where is left to it. */
int kube_decode_service(const json_t *json, struct object **out, struct error *error);
