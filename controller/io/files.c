#include "io/files.h"

#include "base/fileio.h"
#include "core/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int files_read_config(const char *path, struct config **out, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_CONFIG_MAX, &text, error);

        return r < 0 ? r : config_parse(path, text.text ? text.text : "", text.length, out, error);
}

int files_read_template(const char *path, struct template **out, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_CONFIG_MAX, &text, error);

        return r < 0 ? r : template_parse(path, text.text ? text.text : "", text.length, out, error);
}

static bool is_template_name(const char *name)
{
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

        return strcmp(name, IPVS_FRAME_TEMPLATE) == 0 || (*name && name[strspn(name, allowed)] == '\0');
}

static bool is_required(const char *name)
{
        return strcmp(name, IPVS_FRAME_TEMPLATE) == 0 || strcmp(name, IPVS_SERVICE_TEMPLATE) == 0;
}

static int add_template(const char *directory, const char *name, struct template_set *set,
                        struct error *error)
{
        _cleanup_template_ struct template *template = NULL;
        char path[PATH_MAX];
        int r;

        if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
                return error_set(error, directory, "path too long");
        r = files_read_template(path, &template, error);
        if (r < 0)
                return r;
        if (template_set_add(set, name, template) < 0)
                return error_oom(error);
        template = NULL; /* the set has it */
        return 0;
}

static void closedir_p(DIR **dir)
{
        if (*dir)
                (void)closedir(*dir);
}

int files_read_templates(const char *directory, struct template_set *set, files_bad_fn *bad, void *userdata,
                         struct error *error)
{
        _cleanup_(closedir_p) DIR *dir = opendir(directory);
        struct dirent *entry;

        if (!dir) {
                int r = -errno;

                (void)error_set(error, directory, "cannot open the templates' directory: %s",
                                strerror(errno));
                return r;
        }
        while ((entry = readdir(dir))) {
                struct error template_error = {0};
                int r;

                if (entry->d_type == DT_DIR || !is_template_name(entry->d_name))
                        continue;
                r = add_template(directory, entry->d_name, set, &template_error);
                if (r == -EISDIR)
                        continue; /* where readdir does not tell the type */
                if (r < 0 && (r == -ENOMEM || is_required(entry->d_name))) {
                        *error = template_error;
                        return r;
                }
                if (r < 0)
                        bad(userdata, &template_error);
        }
        if (!template_set_find(set, IPVS_FRAME_TEMPLATE) || !template_set_find(set, IPVS_SERVICE_TEMPLATE))
                return error_set(error, directory, "the templates %s and %s must be here",
                                 IPVS_FRAME_TEMPLATE, IPVS_SERVICE_TEMPLATE);
        return 0;
}

static bool looks_like_json(const char *name, const char *text, size_t length)
{
        size_t name_length = strlen(name);

        if (name_length > 5 && strcmp(name + name_length - 5, ".json") == 0)
                return true;
        for (size_t i = 0; i < length; i++)
                if (!strchr(" \t\r\n", text[i]))
                        return text[i] == '{' || text[i] == '[';
        return false;
}

int files_parse_documents(const char *name, const char *text, size_t length, json_t **documents,
                          struct error *error)
{
        _cleanup_json_ json_t *array = NULL, *document = NULL;
        json_error_t json_error;

        if (!looks_like_json(name, text, length))
                return yaml_parse(name, text, length, documents, NULL, error);
        document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &json_error);
        if (!document)
                return error_set_line(error, name, json_error.line > 0 ? (size_t)json_error.line : 1, "%s",
                                      json_error.text);
        array = json_array();
        if (json_array_append(array, document) < 0)
                return error_oom(error);
        *documents = TAKE_PTR(array);
        return 0;
}

int files_read_documents(const char *path, json_t **documents, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_OBJECTS_MAX, &text, error);

        return r < 0 ? r
                     : files_parse_documents(path, text.text ? text.text : "", text.length, documents, error);
}

int files_read_secret(const char *path, char **out, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_CONFIG_MAX, &text, error);

        if (r < 0)
                return r;
        if (text.text)
                text.text[strcspn(text.text, "\r\n")] = '\0';
        if (!text.text || !*text.text)
                return error_set(error, path, "is empty");
        *out = strdup(text.text);
        return *out ? 0 : error_oom(error);
}
