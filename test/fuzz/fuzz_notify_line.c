/* A line of keepalived's notify FIFO. */
#include "core/notify_line.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *line = strndup((const char *)data, size);
        struct notify_line parsed;

        FUZZ_ASSERT(line);
        memset(&parsed, 'x', sizeof(parsed));
        if (notify_line_parse(line, &parsed) == 0) {
                FUZZ_ASSERT(memchr(parsed.real.text, '\0', sizeof(parsed.real.text)));
                FUZZ_ASSERT(memchr(parsed.virtual.text, '\0', sizeof(parsed.virtual.text)));
                FUZZ_ASSERT(parsed.real_server == (parsed.real.text[0] != '\0'));
                FUZZ_ASSERT(parsed.virtual.text[0] && strstr(line, parsed.virtual.text));
        }
        free(line);
        return 0;
}
