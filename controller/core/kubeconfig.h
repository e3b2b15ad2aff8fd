/* A kubeconfig file: how kubectl and its like reach a cluster
 * (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). Of it the current context counts.
 *
 * What asks for another program (exec, auth-provider), for somebody else's identity, for a password or for
 * less than a verified server is refused, not ignored. Keys that are not known are ignored, as kubectl does.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

/* All texts are owned; NULL: none. Of a file and its data only one is set, the data if both were given. Files
 * are as written: relative ones are relative to the kubeconfig's directory. */
struct kubeconfig {
        char *server;
        char *ca_file, *ca_data; /* PEM */
        char *certificate_file, *certificate_data;
        char *key_file, *key_data;
        char *token_file, *token; /* the file if both were given */
};

/* Parses the text of `file` (the name is for errors only). Returns 0 and *out, to be cleared by the caller;
 * or -EINVAL/-ENOMEM with *error set, which never holds a secret. */
int kubeconfig_parse(const char *file, const char *text, size_t length, struct kubeconfig *out,
                     struct error *error);

/* Wipes the secrets, and frees. */
void kubeconfig_clear(struct kubeconfig *config);

static inline void kubeconfig_clear_p(struct kubeconfig *config)
{
        kubeconfig_clear(config);
}
#define _cleanup_kubeconfig_ _cleanup_(kubeconfig_clear_p)

/* RFC 4648's base64 (white space is passed over) into a new text. Returns 0 and *out; or -EINVAL, also if the
 * result holds a NUL byte; or -ENOMEM. */
int base64_decode(const char *text, char **out);
