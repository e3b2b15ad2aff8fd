#include "core/announce_set.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int prefix_list_append(struct prefix_list *list, const struct prefix *prefix)
{
        int r = array_reserve(&list->prefixes, &list->capacity, list->count, sizeof(*prefix));

        if (r < 0)
                return r;
        list->prefixes[list->count++] = *prefix;
        return 0;
}

static int compare(const void *a, const void *b)
{
        return prefix_compare(a, b);
}

void prefix_list_sort(struct prefix_list *list)
{
        size_t kept = 0;

        if (!list->count)
                return;
        qsort(list->prefixes, list->count, sizeof(*list->prefixes), compare);
        for (size_t i = 1; i < list->count; i++)
                if (prefix_compare(&list->prefixes[kept], &list->prefixes[i]) != 0)
                        list->prefixes[++kept] = list->prefixes[i];
        list->count = kept + 1;
}

bool prefix_list_contains(const struct prefix_list *list, const struct prefix *prefix)
{
        return list->count &&
               bsearch(prefix, list->prefixes, list->count, sizeof(*list->prefixes), compare) != NULL;
}

const struct prefix *prefix_list_around(const struct prefix_list *list, const struct prefix *prefix)
{
        for (size_t i = 0; i < list->count; i++)
                if (list->prefixes[i].length <= prefix->length &&
                    prefix_contains(&list->prefixes[i], &prefix->addr))
                        return &list->prefixes[i];
        return NULL;
}

bool prefix_list_equal(const struct prefix_list *a, const struct prefix_list *b)
{
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (prefix_compare(&a->prefixes[i], &b->prefixes[i]) != 0)
                        return false;
        return true;
}

int prefix_list_copy(struct prefix_list *to, const struct prefix_list *from)
{
        struct prefix_list copy = {0};

        if (from->count) {
                copy.prefixes = reallocarray(NULL, from->count, sizeof(*copy.prefixes));
                if (!copy.prefixes)
                        return -ENOMEM;
                memcpy(copy.prefixes, from->prefixes, from->count * sizeof(*copy.prefixes));
                copy.count = copy.capacity = from->count;
        }
        prefix_list_clear(to);
        *to = copy;
        return 0;
}

void prefix_list_clear(struct prefix_list *list)
{
        free(list->prefixes);
        *list = (struct prefix_list){0};
}
