/* What Kubernetes objects have in common, as far as we need it: names and ports. */
#pragma once

#include "base/error.h"
#include "core/model.h"

#include <jansson.h>
#include <stdbool.h>

#define KUBE_NAMESPACE_MAX 63 /* characters; DNS label, RFC 1123; label values too */
#define KUBE_NAME_MAX 253     /* characters; DNS subdomain */

/* Whether the text is [a-z0-9.-]+ of at most max_length characters, beginning and ending in a letter or a
 * digit. What passes can be printed, logged and put into a file name. */
bool kube_is_name(const char *text, size_t max_length);

/* Whether the text is [A-Za-z0-9._-]* of at most 63 characters. */
bool kube_is_label_value(const char *text);

/* Whether both texts are resourceVersions that can be compared (KEP-5504: decimal numbers of any length,
 * without leading zeros) and the first is the older one. */
bool kube_version_is_older(const char *version, const char *than);

/* Sets object->namespace ("default" if absent, as kubectl does it) and object->name, and *metadata, borrowed
 * from json. Returns 0, -EINVAL or -ENOMEM with *error set; what was set then is the object's all the same.
 */
int kube_decode_metadata(const json_t *json, struct object *object, const json_t **metadata,
                         struct error *error);

/* Decodes parent's `ports`; Services and EndpointSlices share their form. *ports and *count must be zero
 * before and are to be freed with the object, in case of an error too. A port without number means all ports
 * in a slice, which IPVS has no word for: it is left out, or an error if number_needed.
 * Returns 0, -EINVAL or -ENOMEM with *error set. */
int kube_decode_ports(const json_t *parent, bool number_needed, struct service_port **ports, size_t *count,
                      struct error *error);
