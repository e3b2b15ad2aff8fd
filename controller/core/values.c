#include "core/values.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

/* The object that `parent` has under `key`, as a copy of its own: YAML's aliases share objects. */
static int enter(json_t *parent, const char *key, json_t **out, struct error *error)
{
        json_t *child = json_object_get(parent, key);
        bool absent =
            !child || json_typeof(child) == JSON_NULL || json_typeof(child) == JSON_FALSE; /* "ipv6: false" */
        _cleanup_json_ json_t *own = absent ? json_object() : json_copy(child);

        if (!own)
                return error_oom(error);
        if (!json_is_object(own))
                return error_set(error, NULL, "\"%s\" is no mapping", key);
        if (json_object_set(parent, key, own) < 0)
                return error_oom(error);
        *out = own; /* the parent's now */
        return 0;
}

int values_set(json_t *values, const char *name, json_t *value, struct error *error)
{
        json_t *object = values;

        if (!json_is_object(values))
                return error_set(error, NULL, "the values are no mapping");
        for (;;) {
                size_t length = strcspn(name, ".");
                _cleanup_free_ char *key = strndup(name, length);
                int r;

                if (!key)
                        return error_oom(error);
                if (length == 0)
                        return error_set(error, NULL, "a name is empty");
                if (name[length] == '\0')
                        return json_object_set(object, key, value) < 0 ? error_oom(error) : 0;
                r = enter(object, key, &object, error);
                if (r < 0)
                        return r;
                name += length + 1;
        }
}
