#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

int array_reserve(void *array, size_t *capacity, size_t count, size_t item_size)
{
        size_t wanted = *capacity ? 2 * *capacity : FIRST_CAPACITY;
        void *items, *grown;

        if (count < *capacity)
                return 0;
        memcpy(&items, array, sizeof(items)); /* a pointer to whatever type */
        grown = reallocarray(items, wanted, item_size);
        if (!grown)
                return -ENOMEM;
        memcpy(array, &grown, sizeof(grown));
        *capacity = wanted;
        return 0;
}
