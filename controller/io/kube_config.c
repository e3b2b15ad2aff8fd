#include "io/kube_config.h"

#include "base/fileio.h"
#include "core/addr.h"
#include "core/kube_meta.h"
#include "core/kubeconfig.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void kube_config_clear(struct kube_config *config)
{
        free(config->server);
        free(config->token_file);
        free(config->ca_file);
        free(config->certificate_file);
        free(config->key_file);
        for (unsigned int i = 0; i < config->n_memory_files; i++)
                (void)close(config->memory_files[i]);
        *config = (struct kube_config){0};
}

static bool is_port(const char *text)
{
        size_t length = strspn(text, "0123456789");

        return length > 0 && length <= 5 && !text[length] && strtoul(text, NULL, 10) - 1 < 65535;
}

/* What a host may consist of, a literal address in brackets included. */
static bool is_authority(const char *text)
{
        return *text &&
               !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]")];
}

int kube_config_in_cluster(const char *directory, struct kube_config *out, struct error *error)
{
        _cleanup_kube_config_ struct kube_config config = {0};
        const char *host = getenv("KUBERNETES_SERVICE_HOST");
        const char *port = getenv("KUBERNETES_SERVICE_PORT");
        struct addr addr;
        bool is_ipv6;

        if (!host || !*host || !port || !*port)
                return error_set(error, "KUBERNETES_SERVICE_HOST",
                                 "not set: not in a pod; give --server URL, or --objects DIR");
        if (!is_port(port))
                return error_set(error, "KUBERNETES_SERVICE_PORT", "is no port: \"%s\"", port);
        is_ipv6 = addr_parse(host, &addr) == 0 && addr.family == AF_INET6;
        if (!is_ipv6 && (!is_authority(host) || strpbrk(host, ":[]")))
                return error_set(error, "KUBERNETES_SERVICE_HOST", "is no host: \"%s\"", host);
        if (!directory)
                directory = KUBE_SERVICE_ACCOUNT_DIR;
        if (asprintf(&config.server, is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port) < 0)
                config.server = NULL;
        if (asprintf(&config.token_file, "%s/token", directory) < 0)
                config.token_file = NULL;
        if (asprintf(&config.ca_file, "%s/ca.crt", directory) < 0)
                config.ca_file = NULL;
        if (!config.server || !config.token_file || !config.ca_file)
                return error_oom(error);
        *out = config;
        config = (struct kube_config){0};
        return 0;
}

int kube_config_namespace(const char *directory, char **out, struct error *error)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error ignored;

        if (asprintf(&path, "%s/namespace", directory ? directory : KUBE_SERVICE_ACCOUNT_DIR) < 0) {
                path = NULL;
                return error_oom(error);
        }
        if (file_read(path, KUBE_NAMESPACE_MAX, &text, &ignored) < 0 || !text.length)
                *out = strdup("default");
        else
                *out = TAKE_PTR(text.text);
        return *out ? 0 : error_oom(error);
}

static int copy_text(char **out, const char *text)
{
        *out = text ? strdup(text) : NULL;
        return text && !*out ? -1 : 0;
}

int kube_config_explicit(const char *server, const char *token_file, const char *ca_file,
                         struct kube_config *out, struct error *error)
{
        _cleanup_kube_config_ struct kube_config config = {0};
        bool is_https = strncmp(server, "https://", 8) == 0;
        char *authority;

        if (!is_https && strncmp(server, "http://", 7) != 0)
                return error_set(error, server, "the API's address must begin with https:// (or http://)");
        if (token_file && !is_https)
                return error_set(error, server, "a token is only sent by https");
        if (copy_text(&config.server, server) < 0 || copy_text(&config.token_file, token_file) < 0 ||
            copy_text(&config.ca_file, ca_file) < 0)
                return error_oom(error);
        authority = config.server + (is_https ? 8 : 7);
        if (*authority && authority[strlen(authority) - 1] == '/')
                authority[strlen(authority) - 1] = '\0';
        if (!is_authority(authority))
                return error_set(error, server, "the API's address must be HOST or HOST:PORT, no path");
        *out = config;
        config = (struct kube_config){0};
        return 0;
}

/* ---- kubeconfig files ---- */

#define KUBECONFIG_MAX (1u << 20) /* bytes */

/* A file that only we have; *out is its path. */
static int make_memory_file(struct kube_config *config, const char *data, char **out, struct error *error)
{
        size_t length = strlen(data), written = 0;
        int fd = memfd_create("coracle-kubeconfig", MFD_CLOEXEC);

        if (fd < 0)
                return error_set(error, NULL, "no file in memory: %s", strerror(errno));
        config->memory_files[config->n_memory_files++] = fd;
        while (written < length) {
                ssize_t n = write(fd, data + written, length - written);

                if (n < 0)
                        return error_set(error, NULL, "no file in memory: %s", strerror(errno));
                written += (size_t)n;
        }
        if (asprintf(out, "/proc/self/fd/%d", fd) < 0) {
                *out = NULL;
                return error_oom(error);
        }
        return 0;
}

/* The path of `data` in memory, or of `file` as seen from the kubeconfig's directory; none if both are NULL.
 */
static int locate(struct kube_config *config, const char *path, const char *file, const char *data,
                  char **out, struct error *error)
{
        const char *slash = strrchr(path, '/');
        int directory = slash ? (int)(slash + 1 - path) : 0;

        if (data)
                return make_memory_file(config, data, out, error);
        if (!file || !*file)
                return 0;
        if (asprintf(out, "%.*s%s", *file == '/' ? 0 : directory, path, file) < 0) {
                *out = NULL;
                return error_oom(error);
        }
        return 0;
}

int kube_config_from_file(const char *path, struct kube_config *out, struct error *error)
{
        _cleanup_kubeconfig_ struct kubeconfig file = {0};
        _cleanup_kube_config_ struct kube_config config = {0}, checked = {0};
        _cleanup_strbuf_ struct strbuf text = {0};
        int r = file_read(path, KUBECONFIG_MAX, &text, error);

        if (r == 0)
                r = kubeconfig_parse(path, text.text, text.length, &file, error);
        if (text.text)
                explicit_bzero(text.text, text.length);
        if (r == 0)
                r = locate(&config, path, file.ca_file, file.ca_data, &config.ca_file, error);
        if (r == 0)
                r = locate(&config, path, file.certificate_file, file.certificate_data,
                           &config.certificate_file, error);
        if (r == 0)
                r = locate(&config, path, file.key_file, file.key_data, &config.key_file, error);
        if (r == 0)
                r = locate(&config, path, file.token_file, file.token, &config.token_file, error);
        if (r == 0)
                r = kube_config_explicit(file.server, config.token_file, config.ca_file, &checked, error);
        if (r < 0)
                return r;
        config.server = TAKE_PTR(checked.server);
        *out = config;
        config = (struct kube_config){0};
        return 0;
}
