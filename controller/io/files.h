/* The files that an operator writes, read into the core's types. */
#pragma once

#include "core/config.h"
#include "core/ipvs_config.h"
#include "core/kube_decode.h"

/* Limits that no sane file reaches. */
#define FILES_CONFIG_MAX (1u << 20)  /* bytes; coracle.yaml and templates */
#define FILES_OBJECTS_MAX (1u << 30) /* bytes; Kubernetes objects */

/* coracle.yaml. Returns 0 and *out, to be freed with config_free; or a negative errno with *error set. */
int files_read_config(const char *path, struct config **out, struct error *error);

/* One template. Returns 0 and *out, to be freed with template_free; or a negative errno with *error set. */
int files_read_template(const char *path, struct template **out, struct error *error);

/* The templates of keepalived's configuration in a directory: ipvs.conf, and every file whose name is made of
 * [A-Za-z0-9_-], as virtual_server is. The two are required. A faulty template of an operator's own is told
 * to `bad` and left out, so that it harms only the services that name it. Returns 0 and adds to *set (cleared
 * by the caller, also on failure), or a negative errno with *error set. */
typedef void files_bad_fn(void *userdata, const struct error *error);
int files_read_templates(const char *directory, struct template_set *set, files_bad_fn *bad, void *userdata,
                         struct error *error);

/* A template's values: one YAML (or JSON) document, new. Returns 0 or a negative errno with *error set. */
int files_read_values(const char *path, json_t **values, struct error *error);

/* "NAME=VALUE", VALUE as in YAML; or "NAME=@FILE", a password, which should not stand in a command line. Sets
 * it in `values`; see values_set. Returns 0 or a negative errno with *error set. */
int files_set_value(json_t *values, const char *setting, struct error *error);

/* Kubernetes objects of a file; see manifest_decode. */
int files_read_objects(const char *path, struct model *model, kube_decode_bad_fn *bad, void *userdata,
                       struct error *error);

/* The first line of a file, without its newline; for tokens and the like. Returns 0 and *out, to be freed;
 * or a negative errno with *error set (which never holds the content). */
int files_read_secret(const char *path, char **out, struct error *error);

/* Likewise, of a BGP password: only what means itself in YAML, in exabgp.conf and in frr.conf. */
#define FILES_PASSWORD_MAX 80 /* bytes; TCP_MD5SIG_MAXKEYLEN */
int files_read_password(const char *path, char **out, struct error *error);
