/* The API's addresses for the kinds we follow
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris). */
#pragma once

#include "base/strbuf.h"
#include "core/kube_decode.h"

/* "services", "endpointslices": the resource as RBAC names it. */
const char *kube_kind_resource(enum kube_kind kind);

/* All append to *out: `server` is "https://HOST[:PORT]" without a slash at its end; `namespace` NULL: all of
 * them. Return 0 or -ENOMEM. */

/* A list's page of at most `limit` objects; continue_token NULL or "" is the first one. */
int kube_url_list(struct strbuf *out, const char *server, const char *namespace, enum kube_kind kind,
                  unsigned int limit, const char *continue_token);

/* A watch with bookmarks; the server ends it after timeout_s. */
int kube_url_watch(struct strbuf *out, const char *server, const char *namespace, enum kube_kind kind,
                   const char *resource_version, unsigned int timeout_s);
