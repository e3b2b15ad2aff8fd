/* What anybody who reaches the pod may send to the HTTP server. */
#include "core/http_head.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;
        struct http_head head, shorter;

        if (!http_head_parse(text, size, &head)) {
                FUZZ_ASSERT(size < HTTP_HEAD_MAX);
                return 0;
        }
        FUZZ_ASSERT(head.status == 200 || head.status == 400 || head.status == 405 || head.status == 431 ||
                    head.status == 505);
        if (head.status != 200)
                return 0;
        FUZZ_ASSERT(head.path > text && head.path + head.path_length < text + size && *head.path == '/');
        for (size_t i = 0; i < head.path_length; i++)
                FUZZ_ASSERT(head.path[i] > 32 && head.path[i] < 127 && head.path[i] != '?');
        /* It does not matter in which pieces it came. */
        for (size_t length = 0; length < size; length++)
                if (http_head_parse(text, length, &shorter)) {
                        FUZZ_ASSERT(shorter.status == 200 && shorter.path_length == head.path_length);
                        break;
                }
        return 0;
}
