/* Looking up in sorted arrays. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* As bsearch(3), with `compare` called as there, but it also tells where a missing element belongs: *at
 * receives the index of the element that is the key's, or else of the first one behind it. `array` may be
 * NULL if it is empty. */
bool sorted_find(const void *key, const void *array, size_t count, size_t size,
                 int (*compare)(const void *key, const void *element), size_t *at);
