/* Arrays that grow. */
#pragma once

#include <stddef.h>

/* Makes room for one more item after `count` of them: `array` points to the pointer to the first (NULL if
 * there is no room yet, as *capacity then says). Doubles, so that appending n items costs n. 0 or -ENOMEM;
 * all is then as before. */
int array_reserve(void *array, size_t *capacity, size_t count, size_t item_size);
