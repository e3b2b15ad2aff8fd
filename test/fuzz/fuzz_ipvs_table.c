/* /proc/net/ip_vs: what comes out is sorted and can be found again. */
#include "core/ipvs_table.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        _cleanup_free_ char *text = strndup((const char *)data, size);
        struct error error;
        size_t reals = 0;

        FUZZ_ASSERT(text);
        if (ipvs_table_parse(text, &table, &error) < 0) {
                FUZZ_ASSERT(error.what[0]);
                return 0;
        }
        for (size_t i = 0; i < table.n_virtuals; i++) {
                const struct ipvs_virtual *virtual = &table.virtuals[i];
                const struct virtual_server key = {
                    .vip = virtual->vip, .port = virtual->port, .protocol = virtual->protocol};
                const struct ipvs_virtual *found = ipvs_table_find(&table, &key);

                FUZZ_ASSERT(found && addr_equal(&found->vip, &virtual->vip) && found->port == virtual->port);
                for (size_t j = 1; j < virtual->n_reals; j++)
                        FUZZ_ASSERT(addr_compare(&virtual->reals[j - 1].addr, &virtual->reals[j].addr) <= 0);
                reals += virtual->n_reals;
        }
        FUZZ_ASSERT(reals <= table.n_reals);
        return 0;
}
