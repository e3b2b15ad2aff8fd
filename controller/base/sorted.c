#include "base/sorted.h"

bool sorted_find(const void *key, const void *array, size_t count, size_t size,
                 int (*compare)(const void *key, const void *element), size_t *at)
{
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = compare(key, (const char *)array + middle * size);

                if (order == 0) {
                        *at = middle;
                        return true;
                }
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        *at = low;
        return false;
}
