/* Packets that claim to answer a probe of a tunnel; anybody in the cluster can send them. */
#include "core/tunnel_echo.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct tunnel_echo echo, untouched;
        uint8_t again[TUNNEL_ECHO_SIZE];

        memset(&echo, 'x', sizeof(echo));
        untouched = echo;
        if (tunnel_echo_parse_reply(data, size, &echo) < 0) {
                FUZZ_ASSERT(memcmp(&echo, &untouched, sizeof(echo)) == 0);
                return 0;
        }
        FUZZ_ASSERT(echo.vip.family == echo.pod.family && echo.vip.family == echo.real_server.family);
        FUZZ_ASSERT(tunnel_echo_request(&echo, again) <= size);
        FUZZ_ASSERT(tunnel_echo_parse_reply(again, sizeof(again), &echo) < 0); /* a question is no answer */
        return 0;
}
