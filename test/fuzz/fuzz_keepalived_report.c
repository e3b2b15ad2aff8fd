/* What `keepalived -t` prints: it may mark virtual servers of the plan, and nothing else. */
#include "core/keepalived_report.h"

#include "fuzz.h"
#include "site.h"

#include <string.h>

#define SERVERS_MAX 8

static const char objects[] =
    "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":["
    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},"
    "\"spec\":{\"type\":\"LoadBalancer\",\"loadBalancerClass\":\"coracle.lb/ecmp\",\"ports\":["
    "{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}"
    "]}},"
    "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{\"name\":\"web-x\","
    "\"namespace\":\"shop\",\"labels\":{\"kubernetes.io/"
    "service-name\":\"web\"}},\"addressType\":\"IPv4\",\"ports\":["
    "{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}"
    "],"
    "\"endpoints\":[{\"addresses\":[\"172.16.1.1\"]},{\"addresses\":[\"172.16.1.2\"]}]}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_plan_ struct plan *plan = site_plan(objects, strlen(objects));
        const struct ipvs_config_request request = {.templates = site_templates()};
        _cleanup_free_ char *report = strndup((const char *)data, size);
        _cleanup_ipvs_config_ struct ipvs_config config = {0};
        bool refused[SERVERS_MAX] = {false};
        struct error error, first = {0};
        size_t marked = 0, told;

        FUZZ_ASSERT(report && plan->n_virtual_servers == 2);
        FUZZ_ASSERT(ipvs_config_render(&request, plan, &config, &error) == 0);
        told = keepalived_report_read(report, &config, plan, refused, &first);
        for (size_t i = 0; i < SERVERS_MAX; i++) {
                FUZZ_ASSERT(!refused[i] || i < plan->n_virtual_servers);
                marked += refused[i];
        }
        FUZZ_ASSERT(told == marked);
        FUZZ_ASSERT(told == 0 || first.what[0]);
        return 0;
}
