#include "core/manifest.h"

#include "core/yaml.h"

#include <errno.h>
#include <string.h>

static bool is_json(const char *text, size_t length)
{
        size_t i = 0;

        while (i < length && strchr(" \t\r\n", text[i]) && text[i])
                i++;
        return i < length && text[i] == '{';
}

static int decode_json(const char *file, const char *text, size_t length, struct model *model,
                       kube_decode_bad_fn *bad, void *userdata, struct error *error)
{
        _cleanup_json_ json_t *json = NULL;
        json_error_t reason;
        int r;

        json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
        if (!json && json_error_code(&reason) == json_error_out_of_memory)
                return error_oom(error);
        if (!json)
                return error_set_line(error, file, reason.line > 0 ? (size_t)reason.line : 0, "%s",
                                      reason.text);
        r = kube_decode_any(json, model, bad, userdata, error);
        if (r < 0)
                error_at(error, file);
        return r;
}

static int decode_yaml(const char *file, const char *text, size_t length, struct model *model,
                       kube_decode_bad_fn *bad, void *userdata, struct error *error)
{
        _cleanup_yaml_lines_ struct yaml_lines *lines = NULL;
        _cleanup_json_ json_t *documents = NULL;
        const json_t *document;
        size_t i;
        int r;

        r = yaml_parse(file, text, length, &documents, &lines, error);
        if (r < 0)
                return r;
        json_array_foreach (documents, i, document) {
                if (json_is_null(document))
                        continue;
                r = kube_decode_any(document, model, bad, userdata, error);
                if (r < 0) {
                        struct error inner = *error;

                        (void)error_set_line(error, file, yaml_line_of(lines, document), "%s", inner.what);
                        return r;
                }
        }
        return 0;
}

int manifest_decode(const char *file, const char *text, size_t length, struct model *model,
                    kube_decode_bad_fn *bad, void *userdata, struct error *error)
{
        if (is_json(text, length))
                return decode_json(file, text, length, model, bad, userdata, error);
        return decode_yaml(file, text, length, model, bad, userdata, error);
}
