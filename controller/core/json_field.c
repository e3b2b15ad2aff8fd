#include "core/json_field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The member, or NULL if it is absent or null. */
static const json_t *field(const json_t *object, const char *key)
{
        const json_t *value = object ? json_object_get(object, key) : NULL;

        return json_is_null(value) ? NULL : value;
}

int json_field_object(const json_t *object, const char *key, const json_t **out, struct error *error)
{
        const json_t *value = field(object, key);

        if (!value)
                return 0;
        if (!json_is_object(value))
                return error_set(error, NULL, "%s must be an object", key);
        *out = value;
        return 0;
}

int json_field_array(const json_t *object, const char *key, const json_t **out, struct error *error)
{
        const json_t *value = field(object, key);

        if (!value)
                return 0;
        if (!json_is_array(value))
                return error_set(error, NULL, "%s must be an array", key);
        *out = value;
        return 0;
}

int json_field_bool(const json_t *object, const char *key, bool *out, struct error *error)
{
        const json_t *value = field(object, key);

        if (!value)
                return 0;
        if (!json_is_boolean(value))
                return error_set(error, NULL, "%s must be true or false", key);
        *out = json_is_true(value);
        return 0;
}

int json_field_string(const json_t *object, const char *key, const char **out, struct error *error)
{
        const json_t *value = field(object, key);

        if (!value)
                return 0;
        if (!json_is_string(value))
                return error_set(error, NULL, "%s must be a string", key);
        if (strlen(json_string_value(value)) != json_string_length(value))
                return error_set(error, NULL, "%s must not contain a NUL byte", key);
        *out = json_string_value(value);
        return 0;
}

int json_field_integer(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
                       struct error *error)
{
        const json_t *value = field(object, key);

        if (!value)
                return 0;
        if (!json_is_integer(value))
                return error_set(error, NULL, "%s must be a whole number", key);
        if (json_integer_value(value) < min || json_integer_value(value) > max)
                return error_set(error, NULL,
                                 "%s must be from %" PRId64 " to %" PRId64 ", not %" JSON_INTEGER_FORMAT, key,
                                 min, max, json_integer_value(value));
        *out = json_integer_value(value);
        return 0;
}

int json_field_dup(const json_t *object, const char *key, char **out, struct error *error)
{
        const char *text = NULL;
        int r = json_field_string(object, key, &text, error);

        if (r < 0 || !text)
                return r;
        *out = strdup(text);
        return *out ? 0 : error_oom(error);
}

int json_error_within(const char *key, int64_t index, int r, struct error *error)
{
        struct error inner;

        if (r == 0)
                return 0;
        inner = *error;
        if (index < 0)
                (void)error_set(error, inner.where, "%s.%s", key, inner.what);
        else
                (void)error_set(error, inner.where, "%s[%" PRId64 "].%s", key, index, inner.what);
        return r;
}
