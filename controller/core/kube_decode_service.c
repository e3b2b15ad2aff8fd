#include "core/kube_decode_service.h"

#include "core/json_field.h"
#include "core/kube_meta.h"

#include <errno.h>
#include <string.h>

#define AFFINITY_TIMEOUT_DEFAULT_S 10800 /* core/v1 DefaultClientIPServiceAffinitySeconds */
#define AFFINITY_TIMEOUT_MAX_S 86400     /* core/v1 MaxClientIPServiceAffinitySeconds */

static int decode_annotations(const json_t *metadata, struct service *service, struct error *error)
{
        const json_t *annotations = NULL;
        int r = json_field_object(metadata, "annotations", &annotations, error);

        for (unsigned int i = 0; r == 0 && annotations && i < ANNOTATION_COUNT; i++)
                r = json_field_dup(annotations, annotation_key(i), &service->annotations[i], error);
        return r;
}

static int decode_families(const json_t *spec, struct service *service, struct error *error)
{
        const json_t *families = NULL, *item;
        size_t i;
        int r = json_field_array(spec, "ipFamilies", &families, error);

        if (r < 0)
                return r;
        json_array_foreach ((json_t *)families, i, item) {
                const char *text = json_string_value(item);

                if (text && strcmp(text, "IPv4") == 0)
                        service->ipv4 = true;
                else if (text && strcmp(text, "IPv6") == 0)
                        service->ipv6 = true;
                else
                        return error_set(error, NULL, "ipFamilies[%zu] must be IPv4 or IPv6", i);
        }
        if (!service->ipv6)
                service->ipv4 = true;
        return 0;
}

static int decode_affinity(const json_t *spec, struct service *service, struct error *error)
{
        const json_t *config = NULL, *client_ip = NULL;
        int64_t timeout = AFFINITY_TIMEOUT_DEFAULT_S;
        const char *affinity = "None";
        int r;

        r = json_field_string(spec, "sessionAffinity", &affinity, error);
        if (r < 0 || strcmp(affinity, "None") == 0 || !*affinity)
                return r;
        if (strcmp(affinity, "ClientIP") != 0)
                return error_set(error, NULL, "sessionAffinity must be None or ClientIP");
        if ((r = json_field_object(spec, "sessionAffinityConfig", &config, error)) < 0 ||
            (r = json_field_object(config, "clientIP", &client_ip, error)) < 0 ||
            (r = json_field_integer(client_ip, "timeoutSeconds", 1, AFFINITY_TIMEOUT_MAX_S, &timeout,
                                    error)) < 0)
                return r;
        service->affinity_timeout_s = (uint32_t)timeout;
        return 0;
}

/* The API lets spaces around a range through, for history's sake. */
static int parse_range(const char *text, struct prefix *out)
{
        char copy[PREFIX_TEXT_SIZE];
        size_t length;

        text += strspn(text, " ");
        length = strlen(text);
        while (length > 0 && text[length - 1] == ' ')
                length--;
        if (length >= sizeof(copy))
                return -EINVAL;
        memcpy(copy, text, length);
        copy[length] = '\0';
        return prefix_parse_masked(copy, out);
}

static int decode_source_ranges(const json_t *spec, struct service *service, struct error *error)
{
        const json_t *ranges = NULL, *item;
        size_t i;
        int r = json_field_array(spec, "loadBalancerSourceRanges", &ranges, error);

        if (r < 0 || json_array_size(ranges) == 0)
                return r;
        service->source_ranges = calloc(json_array_size(ranges), sizeof(*service->source_ranges));
        if (!service->source_ranges)
                return error_oom(error);
        json_array_foreach ((json_t *)ranges, i, item) {
                const char *text = json_string_value(item);

                /* The Service stays decodable: dropping it would leave it as it was, and that may be open. */
                if (text && parse_range(text, &service->source_ranges[service->n_source_ranges]) == 0)
                        service->n_source_ranges++;
                else if (!service->bad_source_range)
                        service->bad_source_range = (uint32_t)i + 1;
        }
        return 0;
}

static int decode_traffic(const json_t *spec, struct service *service, struct error *error)
{
        const char *policy = "Cluster";
        int r = json_field_string(spec, "externalTrafficPolicy", &policy, error);

        if (r < 0)
                return r;
        service->local_traffic = strcmp(policy, "Local") == 0;
        return json_field_bool(spec, "publishNotReadyAddresses", &service->not_ready_addresses, error);
}

static int decode_status(const json_t *json, struct service *service, struct error *error)
{
        const json_t *status = NULL, *balancer = NULL, *ingress = NULL, *item;
        size_t i;
        int r;

        if ((r = json_field_object(json, "status", &status, error)) < 0 ||
            (r = json_field_object(status, "loadBalancer", &balancer, error)) < 0 ||
            (r = json_field_array(balancer, "ingress", &ingress, error)) < 0 || json_array_size(ingress) == 0)
                return r;
        service->status_addrs = calloc(json_array_size(ingress), sizeof(*service->status_addrs));
        if (!service->status_addrs)
                return error_oom(error);
        json_array_foreach ((json_t *)ingress, i, item) {
                const char *ip = NULL, *mode = NULL;

                if (json_is_object(item))
                        r = json_field_string(item, "ip", &ip, error);
                else
                        r = error_set(error, NULL, "ip is no member, because this is no object");
                if (r == 0)
                        r = json_field_string(item, "ipMode", &mode, error);
                if (r < 0)
                        return json_error_within("ingress", (int64_t)i, r, error);
                if (!ip || !*ip)
                        continue; /* a host name: another kind of load balancer's */
                service->other_mode |= mode && strcmp(mode, "Proxy") != 0;
                if (addr_parse(ip, &service->status_addrs[service->n_status_addrs++]) < 0)
                        return error_set(error, NULL, "ingress[%zu].ip is no IP address: \"%s\"", i, ip);
        }
        return 0;
}

static int decode_service_spec(const json_t *spec, struct service *service, struct error *error)
{
        const char *type = "ClusterIP";
        int r;

        if ((r = json_field_string(spec, "type", &type, error)) < 0 ||
            (r = json_field_dup(spec, "loadBalancerClass", &service->load_balancer_class, error)) < 0 ||
            (r = json_field_dup(spec, "loadBalancerIP", &service->load_balancer_ip, error)) < 0 ||
            (r = decode_families(spec, service, error)) < 0 ||
            (r = decode_affinity(spec, service, error)) < 0 ||
            (r = decode_source_ranges(spec, service, error)) < 0 ||
            (r = decode_traffic(spec, service, error)) < 0 ||
            (r = kube_decode_ports(spec, true, &service->ports, &service->n_ports, error)) < 0)
                return r;
        service->is_load_balancer = strcmp(type, "LoadBalancer") == 0;
        return 0;
}

int kube_decode_service(const json_t *json, struct object **out, struct error *error)
{
        _cleanup_(service_unref_p) struct service *service = service_new();
        const json_t *metadata = NULL, *spec = NULL;
        int r;

        if (!service)
                return error_oom(error);
        if ((r = kube_decode_metadata(json, &service->object, &metadata, error)) < 0 ||
            (r = json_field_dup(metadata, "resourceVersion", &service->resource_version, error)) < 0 ||
            (r = json_field_dup(metadata, "uid", &service->uid, error)) < 0 ||
            (r = decode_annotations(metadata, service, error)) < 0 ||
            (r = json_field_object(json, "spec", &spec, error)) < 0 ||
            (r = decode_service_spec(spec, service, error)) < 0 ||
            (r = decode_status(json, service, error)) < 0)
                return r;
        *out = &TAKE_PTR(service)->object;
        return 0;
}
