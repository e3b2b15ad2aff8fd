#include "core/service_status.h"

json_t *service_status_patch(const struct assignment *assignment)
{
        json_t *ingress = assignment->n_addrs ? json_array() : json_null();

        for (size_t i = 0; i < assignment->n_addrs; i++) {
                char text[ADDR_TEXT_SIZE];

                /* Proxy: kube-proxy must not take the address for its own (KEP-1860). */
                if (json_array_append_new(ingress, json_pack("{s:s, s:s}", "ip",
                                                             addr_format(&assignment->addrs[i], text),
                                                             "ipMode", "Proxy")) < 0) {
                        json_decref(ingress);
                        return NULL;
                }
        }
        return json_pack("{s:{s:s}, s:{s:{s:o}}}", "metadata", "resourceVersion",
                         assignment->resource_version, "status", "loadBalancer", "ingress", ingress);
}
