#include "core/kube_decode_slice.h"

#include "core/json_field.h"
#include "core/kube_meta.h"

#include <errno.h>
#include <string.h>

static const char service_name_label[] = "kubernetes.io/service-name";

/* Absent conditions mean what kube-proxy takes them for: ready, serving, not terminating. */
static int decode_state(const json_t *json, uint8_t *out, struct error *error)
{
        bool ready = true, serving = true, terminating = false;
        const json_t *conditions = NULL;
        int r;

        if ((r = json_field_object(json, "conditions", &conditions, error)) < 0 ||
            (r = json_field_bool(conditions, "ready", &ready, error)) < 0)
                return r;
        if (ready) {
                *out = ENDPOINT_READY;
                return 0;
        }
        if ((r = json_field_bool(conditions, "serving", &serving, error)) < 0 ||
            (r = json_field_bool(conditions, "terminating", &terminating, error)) < 0)
                return r;
        *out = serving && terminating ? ENDPOINT_DRAINING : ENDPOINT_DOWN;
        return 0;
}

/* The API says of `addresses` that only the first is to be used; the others have no meaning. */
static int decode_endpoint(const json_t *json, uint8_t family, struct endpoint *out, struct error *error)
{
        const json_t *addresses = NULL;
        const char *text;
        int r;

        r = json_field_array(json, "addresses", &addresses, error);
        if (r < 0)
                return r;
        text = json_string_value(json_array_get(addresses, 0));
        if (!text)
                return error_set(error, NULL, "addresses[0] must be a string");
        if (addr_parse(text, &out->addr) < 0)
                return error_set(error, NULL, "addresses[0] is no IP address: \"%s\"", text);
        if (out->addr.family != family)
                return error_set(error, NULL, "addresses[0] is not of the slice's addressType: %s", text);
        return decode_state(json, &out->state, error);
}

static int decode_endpoints(const json_t *json, struct endpoint_slice *slice, struct error *error)
{
        const json_t *endpoints = NULL;
        size_t count;
        int r;

        r = json_field_array(json, "endpoints", &endpoints, error);
        count = json_array_size(endpoints);
        if (r < 0 || count == 0)
                return r;
        slice->endpoints = calloc(count, sizeof(*slice->endpoints));
        if (!slice->endpoints)
                return error_oom(error);
        slice->n_endpoints = count;
        for (size_t i = 0; i < count; i++) {
                r = decode_endpoint(json_array_get(endpoints, i), slice->family, &slice->endpoints[i], error);
                if (r < 0)
                        return json_error_within("endpoints", (int64_t)i, r, error);
        }
        return 0;
}

/* FQDN, and address types that may come, have no meaning for IPVS: AF_UNSPEC, without endpoints. */
static int decode_address_type(const json_t *json, uint8_t *out, struct error *error)
{
        const char *type = "";
        int r = json_field_string(json, "addressType", &type, error);

        if (r < 0)
                return r;
        if (strcmp(type, "IPv4") == 0)
                *out = AF_INET;
        else if (strcmp(type, "IPv6") == 0)
                *out = AF_INET6;
        return 0;
}

static int decode_service_name(const json_t *metadata, char **out, struct error *error)
{
        const json_t *labels = NULL;
        int r;

        if ((r = json_field_object(metadata, "labels", &labels, error)) < 0 ||
            (r = json_field_dup(labels, service_name_label, out, error)) < 0)
                return json_error_within("labels", -1, r, error);
        if (*out && !kube_is_label_value(*out))
                return error_set(error, NULL, "labels.%s is no valid label value", service_name_label);
        return 0;
}

int kube_decode_slice(const json_t *json, struct object **out, struct error *error)
{
        _cleanup_(endpoint_slice_unref_p) struct endpoint_slice *slice = endpoint_slice_new();
        const json_t *metadata = NULL;
        int r;

        if (!slice)
                return error_oom(error);
        if ((r = kube_decode_metadata(json, &slice->object, &metadata, error)) < 0 ||
            (r = decode_service_name(metadata, &slice->service, error)) < 0 ||
            (r = decode_address_type(json, &slice->family, error)) < 0 ||
            (r = kube_decode_ports(json, false, &slice->ports, &slice->n_ports, error)) < 0)
                return r;
        if (slice->family != AF_UNSPEC)
                r = decode_endpoints(json, slice, error);
        if (r < 0)
                return r;
        *out = &TAKE_PTR(slice)->object;
        return 0;
}
