/* One YAML scalar to a JSON value, by the YAML 1.2 core schema
 * (https://yaml.org/spec/1.2.2/#103-core-schema).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* `text` is terminated; `plain` when it stood without quotes; `tag` as resolved by libyaml, NULL for none.
 * Returns 0 and a new value; -EINVAL with *problem a constant sentence; or -ENOMEM. */
int yaml_scalar_decode(const char *text, size_t length, bool plain, const char *tag, json_t **out,
                       const char **problem);
