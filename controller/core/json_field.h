/* Members of JSON objects by type: absent and null are one thing, a wrong type is an error that names the
 * member. All values are borrowed from `object`, which may be NULL (then everything is absent).
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* These return 0, with *out untouched if the member is absent; or -EINVAL with *error set. */
int json_field_object(const json_t *object, const char *key, const json_t **out, struct error *error);
int json_field_array(const json_t *object, const char *key, const json_t **out, struct error *error);
int json_field_bool(const json_t *object, const char *key, bool *out, struct error *error);

/* A string that holds a NUL byte is refused. The API takes such texts, as values of annotations; so JSON is
 * read with JSON_ALLOW_NUL, and they matter only where somebody looks at them. */
int json_field_string(const json_t *object, const char *key, const char **out, struct error *error);

/* A whole number from min to max. */
int json_field_integer(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
                       struct error *error);

/* As json_field_string, but a copy, to be freed. -ENOMEM is possible too. *out must be NULL before. */
int json_field_dup(const json_t *object, const char *key, char **out, struct error *error);

/* Puts "KEY[INDEX]." before the error's text, or "KEY." if index is negative. Returns `r`, so that a caller
 * can `return json_error_within("ports", i, r, error)`. Does nothing when r is 0. */
int json_error_within(const char *key, int64_t index, int r, struct error *error);
