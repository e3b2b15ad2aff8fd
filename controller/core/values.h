/* The values of a template, as a tree of objects: what a command line puts over those of a file. */
#pragma once

#include "base/error.h"

#include <jansson.h>

/* Puts `value` (borrowed) under a dotted name: "router.name" is the member `name` of the object `router`,
 * which is made if it is absent, false or null. Returns 0; or -EINVAL/-ENOMEM with *error set, also when the
 * name leads through something that is no object. */
int values_set(json_t *values, const char *name, json_t *value, struct error *error);
