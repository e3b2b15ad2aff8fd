#include "core/kube_url.h"

#include <string.h>

static const struct {
        const char *path, *resource;
} resources[KUBE_KIND_COUNT] = {
    [KUBE_KIND_SERVICE] = {"/api/v1", "services"},
    [KUBE_KIND_ENDPOINT_SLICE] = {"/apis/discovery.k8s.io/v1", "endpointslices"},
};

const char *kube_kind_resource(enum kube_kind kind)
{
        return resources[kind].resource;
}

/* Percent-encodes all but RFC 3986's unreserved characters: what comes from the server is opaque. */
static int append_escaped(struct strbuf *out, const char *text)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                int r = strchr(plain, *c) ? strbuf_append(out, (const char *)c, 1)
                                          : strbuf_printf(out, "%%%02X", *c);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int append_resource(struct strbuf *out, const char *server, const char *namespace, enum kube_kind kind)
{
        int r = strbuf_printf(out, "%s%s/", server, resources[kind].path);

        if (r == 0 && namespace) {
                r = strbuf_puts(out, "namespaces/");
                if (r == 0)
                        r = append_escaped(out, namespace);
                if (r == 0)
                        r = strbuf_puts(out, "/");
        }
        return r < 0 ? r : strbuf_puts(out, resources[kind].resource);
}

int kube_url_list(struct strbuf *out, const char *server, const char *namespace, enum kube_kind kind,
                  unsigned int limit, const char *continue_token)
{
        int r = append_resource(out, server, namespace, kind);

        if (r == 0)
                r = strbuf_printf(out, "?limit=%u", limit);
        if (r == 0 && continue_token && *continue_token) {
                r = strbuf_puts(out, "&continue=");
                if (r == 0)
                        r = append_escaped(out, continue_token);
        }
        return r;
}

int kube_url_watch(struct strbuf *out, const char *server, const char *namespace, enum kube_kind kind,
                   const char *resource_version, unsigned int timeout_s)
{
        int r = append_resource(out, server, namespace, kind);

        if (r == 0)
                r = strbuf_printf(
                    out, "?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=", timeout_s);
        if (r == 0)
                r = append_escaped(out, resource_version);
        return r;
}
