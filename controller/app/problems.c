#include "app/problems.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
        const struct problem *x = *(const struct problem *const *)a, *y = *(const struct problem *const *)b;
        int order = strcmp(x->service, y->service);

        if (!order)
                order = strcmp(x->reason, y->reason);
        return order ? order : strcmp(x->message, y->message);
}

/* Pointers to the plan's problems, sorted; NULL if out of memory. */
static const struct problem **sorted(const struct plan *plan, size_t *count)
{
        const struct problem **list;

        *count = plan ? plan->n_problems : 0;
        list = calloc(*count + 1, sizeof(const struct problem *));
        if (!list)
                return NULL;
        for (size_t i = 0; i < *count; i++)
                list[i] = &plan->problems[i];
        qsort(list, *count, sizeof(const struct problem *), compare);
        return list;
}

void problems_log_new(const struct plan *before, const struct plan *after)
{
        size_t n_old = 0, n_new = 0, i = 0, gone = 0;
        _cleanup_free_ const struct problem **old = sorted(before, &n_old), **new = sorted(after, &n_new);

        if (!old || !new)
                return;
        for (size_t j = 0; j < n_new; j++) {
                while (i < n_old && compare(&old[i], &new[j]) < 0) {
                        gone++;
                        i++;
                }
                if (i < n_old && compare(&old[i], &new[j]) == 0) {
                        i++;
                        continue;
                }
                log_warning("plan", "a Service cannot be served as asked",
                            LOG_TEXT("service", new[j]->service), LOG_TEXT("reason", new[j]->reason),
                            LOG_TEXT("problem", new[j]->message));
        }
        gone += n_old - i;
        if (gone)
                log_info("plan", "problems are gone", LOG_INT("count", gone));
}
