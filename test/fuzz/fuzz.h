/* What all fuzz targets share: the entry point that libFuzzer calls, and a check that survives NDEBUG. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(condition)    \
        do {                      \
                if (!(condition)) \
                        abort();  \
        } while (0)
