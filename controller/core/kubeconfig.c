#include "core/kubeconfig.h"

#include "core/json_field.h"
#include "core/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void wipe(char *text)
{
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

void kubeconfig_clear(struct kubeconfig *config)
{
        free(config->server);
        free(config->ca_file);
        free(config->ca_data);
        free(config->certificate_file);
        free(config->certificate_data);
        free(config->key_file);
        wipe(config->key_data);
        free(config->token_file);
        wipe(config->token);
        *config = (struct kubeconfig){0};
}

int base64_decode(const char *text, char **out)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char *data = malloc(strlen(text) / 4 * 3 + 4);
        size_t length = 0, digits = 0, padding = 0;
        unsigned int bits = 0;
        bool bad = false;

        if (!data)
                return -ENOMEM;
        for (const char *c = text; *c && !bad; c++) {
                const char *digit = *c == '=' ? NULL : strchr(alphabet, *c);

                if (strchr(" \t\r\n", *c))
                        continue;
                if (*c == '=')
                        padding++;
                bad = padding ? (*c != '=' || padding > 2) : !digit;
                if (bad || padding)
                        continue;
                bits = bits << 6 | (unsigned int)(digit - alphabet);
                digits++;
                if (digits % 4 != 1)
                        data[length++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
        }
        data[length] = '\0';
        /* The last bits of a cut group are of no byte, and must be zero. */
        bad = bad || (digits + padding) % 4 != 0 || memchr(data, '\0', length) != NULL ||
              (digits % 4 == 2 && (bits & 15)) || (digits % 4 == 3 && (bits & 3));
        if (bad) {
                explicit_bzero(data, length);
                free(data);
                return -EINVAL;
        }
        *out = data;
        return 0;
}

/* ---- lists of {name: …, KIND: {…}} ---- */

static int find_named(const json_t *document, const char *list, const char *kind, const char *name,
                      const json_t **out, struct error *error)
{
        const json_t *items = NULL;
        int r = json_field_array(document, list, &items, error);
        json_t *item;
        size_t i;

        if (r < 0)
                return r;
        json_array_foreach ((json_t *)items, i, item) {
                const char *item_name = json_string_value(json_object_get(item, "name"));

                if (!item_name || strcmp(item_name, name) != 0)
                        continue;
                r = json_field_object(item, kind, out, error);
                if (r == 0 && !*out)
                        return error_set(error, NULL, "%s \"%s\" is empty", kind, name);
                return r;
        }
        return error_set(error, NULL, "there is no %s \"%s\"", kind, name);
}

/* What we do not do, and what would be done if it were ignored. */
static int refuse(const json_t *object, const char *const (*refused)[2], struct error *error)
{
        for (; (*refused)[0]; refused++) {
                const json_t *value = json_object_get(object, (*refused)[0]);

                if (value && !json_is_null(value) && !json_is_false(value) &&
                    !(json_is_string(value) && !json_string_length(value)))
                        return error_set(error, NULL, "%s %s", (*refused)[0], (*refused)[1]);
        }
        return 0;
}

/* KEY-data, base64, or KEY: a path. */
static int read_file_or_data(const json_t *object, const char *key, const char *data_key, char **file,
                             char **data, struct error *error)
{
        const char *encoded = NULL;
        int r = json_field_string(object, data_key, &encoded, error);

        if (r < 0)
                return r;
        if (!encoded || !*encoded)
                return json_field_dup(object, key, file, error);
        r = base64_decode(encoded, data);
        if (r == -ENOMEM)
                return error_oom(error);
        return r < 0 ? error_set(error, NULL, "%s is no base64 of a text", data_key) : 0;
}

static int read_cluster(const json_t *cluster, struct kubeconfig *config, struct error *error)
{
        static const char *const refused[][2] = {
            {"insecure-skip-tls-verify",
             "is refused: give certificate-authority(-data), so that the server can be verified"},
            {"tls-server-name", "is not supported: the certificate must be valid for the server's address"},
            {"proxy-url", "is not supported"},
            {NULL, NULL},
        };
        int r = refuse(cluster, refused, error);

        if (r == 0)
                r = json_field_dup(cluster, "server", &config->server, error);
        if (r == 0 && !config->server)
                r = error_set(error, NULL, "the cluster has no server");
        if (r == 0)
                r = read_file_or_data(cluster, "certificate-authority", "certificate-authority-data",
                                      &config->ca_file, &config->ca_data, error);
        return r;
}

static int read_user(const json_t *user, struct kubeconfig *config, struct error *error)
{
        static const char *const refused[][2] = {
            {"exec", "plugins are not run by a daemon: give a token, a tokenFile or a client certificate"},
            {"auth-provider",
             "plugins are not run by a daemon: give a token, a tokenFile or a client certificate"},
            {"username", "and password are not supported, and not by Kubernetes either"},
            {"password", "and username are not supported, and not by Kubernetes either"},
            {"as", "(impersonation) is not supported"},
            {"as-uid", "(impersonation) is not supported"},
            {"as-groups", "(impersonation) is not supported"},
            {"as-user-extra", "(impersonation) is not supported"},
            {NULL, NULL},
        };
        int r = refuse(user, refused, error);

        if (r == 0)
                r = read_file_or_data(user, "client-certificate", "client-certificate-data",
                                      &config->certificate_file, &config->certificate_data, error);
        if (r == 0)
                r = read_file_or_data(user, "client-key", "client-key-data", &config->key_file,
                                      &config->key_data, error);
        if (r == 0 &&
            (config->certificate_file || config->certificate_data) != (config->key_file || config->key_data))
                r = error_set(error, NULL,
                              "a client-certificate and its client-key are only of use together");
        if (r == 0)
                r = json_field_dup(user, "tokenFile", &config->token_file, error);
        if (r == 0 && !config->token_file)
                r = json_field_dup(user, "token", &config->token, error);
        return r;
}

static int read_document(const json_t *document, struct kubeconfig *config, struct error *error)
{
        const json_t *context = NULL, *cluster = NULL, *user = NULL;
        const char *name = NULL, *cluster_name = NULL, *user_name = NULL;
        int r;

        if (!json_is_object(document))
                return error_set(error, NULL, "must be a mapping");
        r = json_field_string(document, "current-context", &name, error);
        if (r < 0)
                return r;
        if (!name || !*name)
                return error_set(error, NULL, "there is no current-context");
        r = find_named(document, "contexts", "context", name, &context, error);
        if (r == 0)
                r = json_field_string(context, "cluster", &cluster_name, error);
        if (r == 0)
                r = json_field_string(context, "user", &user_name, error);
        if (r < 0)
                return r;
        if (!cluster_name)
                return error_set(error, NULL, "context \"%s\" names no cluster", name);
        r = find_named(document, "clusters", "cluster", cluster_name, &cluster, error);
        if (r == 0)
                r = read_cluster(cluster, config, error);
        if (r == 0 && user_name && *user_name) {
                r = find_named(document, "users", "user", user_name, &user, error);
                if (r == 0)
                        r = read_user(user, config, error);
        }
        return r;
}

int kubeconfig_parse(const char *file, const char *text, size_t length, struct kubeconfig *out,
                     struct error *error)
{
        _cleanup_kubeconfig_ struct kubeconfig config = {0};
        _cleanup_json_ json_t *documents = NULL;
        int r = yaml_parse(file, text, length, &documents, NULL, error);

        if (r < 0)
                return r;
        if (json_array_size(documents) != 1)
                return error_set(error, file, "must hold one YAML document, not %zu",
                                 json_array_size(documents));
        *error = (struct error){{0}, {0}};
        r = read_document(json_array_get(documents, 0), &config, error);
        if (r < 0) {
                error_at(error, file);
                return r;
        }
        *out = config;
        config = (struct kubeconfig){0};
        return 0;
}
