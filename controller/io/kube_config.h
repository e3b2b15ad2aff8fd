/* Where the API is and how to get in. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#define KUBE_SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* All texts are owned; NULL: none. Zero-initialised is empty. */
struct kube_config {
        char *server; /* "https://HOST:PORT", no slash at its end; IPv6 in brackets */
        char *token_file;
        char *ca_file;
        char *certificate_file; /* of the client */
        char *key_file;
        int memory_files[4]; /* open while the paths above lead to them */
        unsigned int n_memory_files;
};

/* For a pod: the address from the environment (KUBERNETES_SERVICE_HOST and _PORT), `token` and `ca.crt` from
 * `directory` (NULL: KUBE_SERVICE_ACCOUNT_DIR), whose files need not exist yet.
 * Returns 0 and *out; or -EINVAL/-ENOMEM with *error set: not in a pod, or the address is none. */
int kube_config_in_cluster(const char *directory, struct kube_config *out, struct error *error);

/* The namespace of this pod, as the file `namespace` in `directory` (NULL: KUBE_SERVICE_ACCOUNT_DIR) has it;
 * "default" without it or if it is empty. Not checked. Returns 0 and *out, to be freed; or -ENOMEM with
 * *error set. */
int kube_config_namespace(const char *directory, char **out, struct error *error);

/* From what an operator says; token_file, ca_file may be NULL. A token asks for https.
 * Returns 0 and *out; or -EINVAL/-ENOMEM with *error set. */
int kube_config_explicit(const char *server, const char *token_file, const char *ca_file,
                         struct kube_config *out, struct error *error);

/* From a kubeconfig file (core/kubeconfig.h). What it holds itself, certificates, key and token, goes into
 * files in memory (memfd_create(2)), which nobody else can open and which are gone with *out: it must live as
 * long as the paths are used. Returns 0 and *out; or a negative errno with *error set. */
int kube_config_from_file(const char *path, struct kube_config *out, struct error *error);

/* Closes the files in memory. */
void kube_config_clear(struct kube_config *config);

static inline void kube_config_clear_p(struct kube_config *config)
{
        kube_config_clear(config);
}
#define _cleanup_kube_config_ _cleanup_(kube_config_clear_p)
