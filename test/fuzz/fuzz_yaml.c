/* A YAML file: every value that comes out can be written as JSON and has a line within the text. */
#include "core/yaml.h"

#include "fuzz.h"

static void check(const struct yaml_lines *lines, const json_t *value, size_t last_line)
{
        const json_t *member;
        const char *key;
        size_t i;

        FUZZ_ASSERT(yaml_line_of(lines, value) <= last_line);
        json_object_foreach ((json_t *)(uintptr_t)value, key, member)
                check(lines, member, last_line);
        json_array_foreach (value, i, member)
                check(lines, member, last_line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_json_ json_t *documents = NULL;
        _cleanup_yaml_lines_ struct yaml_lines *lines = NULL;
        _cleanup_free_ char *text = NULL;
        struct error error;
        const json_t *document;
        size_t i;

        if (yaml_parse("fuzz", (const char *)data, size, &documents, &lines, &error) < 0) {
                FUZZ_ASSERT(!documents && !lines && error.what[0]);
                return 0;
        }
        json_array_foreach (documents, i, document) {
                FUZZ_ASSERT(yaml_line_of(lines, document) > 0 || json_is_boolean(document));
                check(lines, document, size + 1);
        }
        text = json_dumps(documents, JSON_COMPACT);
        FUZZ_ASSERT(text);
        return 0;
}
