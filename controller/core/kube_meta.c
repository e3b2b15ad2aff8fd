#include "core/kube_meta.h"

#include "core/json_field.h"
#include "core/kube_decode.h"

#include <errno.h>
#include <string.h>

bool kube_is_name(const char *text, size_t max_length)
{
        size_t length = strlen(text);

        if (length == 0 || length > max_length || strstr(text, ".."))
                return false;
        for (const char *c = text; *c; c++) {
                bool inner = *c == '-' || *c == '.';

                if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || inner))
                        return false;
                if (inner && (c == text || !c[1]))
                        return false;
        }
        return true;
}

bool kube_is_label_value(const char *text)
{
        size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

        return !text[length] && length <= KUBE_NAMESPACE_MAX;
}

static bool is_version(const char *text)
{
        return *text && *text != '0' && !text[strspn(text, "0123456789")];
}

bool kube_version_is_older(const char *version, const char *than)
{
        size_t length = strlen(version), other_length = strlen(than);

        if (!is_version(version) || !is_version(than))
                return false;
        return length != other_length ? length < other_length : strcmp(version, than) < 0;
}

int kube_decode_name(const json_t *json, const char **namespace, const char **name)
{
        const char *found_namespace = NULL, *found_name = NULL;
        const json_t *metadata = NULL;
        struct error ignored;

        if (json_field_object(json, "metadata", &metadata, &ignored) < 0 ||
            json_field_string(metadata, "namespace", &found_namespace, &ignored) < 0 ||
            json_field_string(metadata, "name", &found_name, &ignored) < 0)
                return -EINVAL;
        if (!found_name || !kube_is_name(found_name, KUBE_NAME_MAX) ||
            (found_namespace && !kube_is_name(found_namespace, KUBE_NAMESPACE_MAX)))
                return -EINVAL;
        *namespace = found_namespace;
        *name = found_name;
        return 0;
}

int kube_decode_metadata(const json_t *json, struct object *object, const json_t **metadata,
                         struct error *error)
{
        const char *namespace = NULL, *name = NULL;

        if (kube_decode_name(json, &namespace, &name) < 0)
                return error_set(error, NULL, "metadata: no valid name and namespace");
        object->namespace = strdup(namespace ? namespace : "default");
        object->name = strdup(name);
        if (!object->namespace || !object->name)
                return error_oom(error);
        *metadata = json_object_get(json, "metadata");
        return 0;
}

static int decode_protocol(const json_t *json, enum protocol *out, struct error *error)
{
        const char *text = "TCP";
        int r = json_field_string(json, "protocol", &text, error);

        if (r < 0)
                return r;
        for (enum protocol protocol = PROTOCOL_TCP; protocol <= PROTOCOL_SCTP; protocol++) {
                if (strcmp(text, protocol_name(protocol)) == 0) {
                        *out = protocol;
                        return 0;
                }
        }
        return error_set(error, NULL, "protocol must be TCP, UDP or SCTP, not \"%s\"", text);
}

/* Services and slices share the form of a port. A slice's port without number means all ports, which IPVS
 * has no word for; out->port stays 0 then. */
static int decode_port(const json_t *json, struct service_port *out, struct error *error)
{
        const char *name = "";
        int64_t port = 0;
        int r;

        if (!json_is_object(json))
                return error_set(error, NULL, "must be an object");
        if ((r = json_field_string(json, "name", &name, error)) < 0 ||
            (r = json_field_integer(json, "port", 1, UINT16_MAX, &port, error)) < 0 ||
            (r = decode_protocol(json, &out->protocol, error)) < 0)
                return r;
        if (!kube_is_label_value(name))
                return error_set(error, NULL, "name is not valid");
        out->port = (uint16_t)port;
        if (port == 0)
                return 0;
        out->name = strdup(name);
        return out->name ? 0 : error_oom(error);
}

int kube_decode_ports(const json_t *parent, bool number_needed, struct service_port **ports, size_t *count,
                      struct error *error)
{
        const json_t *array = NULL, *item;
        size_t i;
        int r = json_field_array(parent, "ports", &array, error);

        if (r < 0 || json_array_size(array) == 0)
                return r;
        *ports = calloc(json_array_size(array), sizeof(**ports));
        if (!*ports)
                return error_oom(error);
        json_array_foreach ((json_t *)array, i, item) {
                struct service_port *port = &(*ports)[*count];

                r = decode_port(item, port, error);
                if (r == 0 && port->port == 0 && number_needed)
                        r = error_set(error, NULL, "port is missing");
                if (r < 0)
                        return json_error_within("ports", (int64_t)i, r, error);
                if (port->port)
                        ++*count;
        }
        return 0;
}
