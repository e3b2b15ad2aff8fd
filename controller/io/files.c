#include "io/files.h"

#include "base/fileio.h"
#include "core/manifest.h"
#include "core/values.h"
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

        return r < 0 ? r : config_parse(path, text.text, text.length, out, error);
}

int files_read_template(const char *path, struct template **out, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_CONFIG_MAX, &text, error);

        return r < 0 ? r : template_parse(path, text.text, text.length, out, error);
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

int files_read_values(const char *path, json_t **values, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_json_ json_t *documents = NULL;
        int r = file_read(path, FILES_CONFIG_MAX, &text, error);

        if (r < 0)
                return r;
        r = yaml_parse(path, text.text, text.length, &documents, NULL, error);
        if (r < 0)
                return r;
        if (json_array_size(documents) != 1)
                return error_set(error, path, "must hold one document");
        *values = json_incref(json_array_get(documents, 0));
        return 0;
}

static int read_value(const char *name, const char *text, json_t **value, struct error *error)
{
        _cleanup_json_ json_t *documents = NULL;
        _cleanup_free_ char *secret = NULL;
        int r;

        if (*text == '@') {
                r = files_read_password(text + 1, &secret, error);
                if (r < 0)
                        return r;
                *value = json_string(secret);
                return *value ? 0 : error_oom(error);
        }
        r = yaml_parse(name, text, strlen(text), &documents, NULL, error);
        if (r < 0)
                return r;
        if (json_array_size(documents) != 1)
                return error_set(error, NULL, "there is no value");
        *value = json_incref(json_array_get(documents, 0));
        return 0;
}

int files_set_value(json_t *values, const char *setting, struct error *error)
{
        const char *equals = strchr(setting, '=');
        _cleanup_json_ json_t *value = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        if (!equals)
                return error_set(error, setting, "must be NAME=VALUE or NAME=@FILE");
        name = strndup(setting, (size_t)(equals - setting));
        if (!name)
                return error_oom(error);
        r = read_value(name, equals + 1, &value, error);
        if (r == 0)
                r = values_set(values, name, value, error);
        if (r < 0)
                error_at(error, name);
        return r;
}

int files_read_objects(const char *path, struct model *model, kube_decode_bad_fn *bad, void *userdata,
                       struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_OBJECTS_MAX, &text, error);

        if (r < 0)
                return r;
        return manifest_decode(path, text.text, text.length, model, bad, userdata, error);
}

int files_read_secret(const char *path, char **out, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, FILES_CONFIG_MAX, &text, error);

        if (r < 0)
                return r;
        text.text[strcspn(text.text, "\r\n")] = '\0';
        if (!*text.text)
                return error_set(error, path, "is empty");
        *out = strdup(text.text);
        return *out ? 0 : error_oom(error);
}

int files_read_password(const char *path, char **out, struct error *error)
{
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=._:-";
        _cleanup_free_ char *password = NULL;
        int r = files_read_secret(path, &password, error);

        if (!password)
                return r;
        if (password[strspn(password, allowed)] != '\0' || strlen(password) > FILES_PASSWORD_MAX)
                return error_set(error, path,
                                 "a password is 1 to %d of the characters A-Z a-z 0-9 + / = . _ : -",
                                 FILES_PASSWORD_MAX);
        *out = TAKE_PTR(password);
        return 0;
}
