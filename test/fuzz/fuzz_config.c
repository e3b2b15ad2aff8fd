/* coracle.yaml: what is accepted keeps the promises that the rest of the code builds on. */
#include "core/config.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_config_ struct config *config = NULL;
        struct error error;

        if (config_parse("fuzz", (const char *)data, size, &config, &error) < 0) {
                FUZZ_ASSERT(!config && error.what[0]);
                return 0;
        }
        FUZZ_ASSERT(config->load_balancer_class);
        FUZZ_ASSERT(config->bgp.hold_time_s == 0 || config->bgp.hold_time_s >= 3);
        FUZZ_ASSERT(config->bgp.announce_length4 <= 32 && config->bgp.announce_length6 <= 128);
        for (size_t i = 0; i < config->n_pools; i++) {
                FUZZ_ASSERT(config->pools[i].name);
                for (size_t j = 0; j < config->pools[i].n_prefixes; j++)
                        FUZZ_ASSERT(config_pool_of(config, &config->pools[i].prefixes[j].addr));
        }
        return 0;
}
