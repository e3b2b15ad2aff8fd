/* A kubeconfig: what is accepted names a server, and a certificate never without its key. */
#include "core/kubeconfig.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_kubeconfig_ struct kubeconfig config = {0};
        _cleanup_free_ char *text = strndup((const char *)data, size), *decoded = NULL;
        struct error error;

        FUZZ_ASSERT(text);
        if (base64_decode(text, &decoded) == 0)
                FUZZ_ASSERT(strlen(decoded) <= strlen(text) / 4 * 3);
        if (kubeconfig_parse("fuzz", (const char *)data, size, &config, &error) < 0) {
                FUZZ_ASSERT(!config.server && error.what[0]);
                return 0;
        }
        FUZZ_ASSERT(config.server);
        FUZZ_ASSERT(!(config.ca_file && config.ca_data) && !(config.token_file && config.token));
        FUZZ_ASSERT((config.certificate_file || config.certificate_data) ==
                    (config.key_file || config.key_data));
        return 0;
}
