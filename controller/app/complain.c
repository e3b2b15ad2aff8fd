#include "app/commands.h"
#include "core/plan.h"

#include <stdio.h>

void command_complain(const struct error *error)
{
        (void)fprintf(stderr, "coracle: %s%s%s\n", error->where, error->where[0] ? ": " : "", error->what);
}

void command_print_problems(const struct plan *plan)
{
        for (size_t i = 0; i < plan->n_problems; i++)
                (void)fprintf(stderr, "coracle: Service %s: %s: %s\n", plan->problems[i].service,
                              plan->problems[i].reason, plan->problems[i].message);
}
