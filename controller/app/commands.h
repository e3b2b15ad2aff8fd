/* The subcommands. Each returns the process's exit code. */
#pragma once

#include "app/options.h"

enum exit_code {
        EXIT_FINE = 0,
        EXIT_RUNTIME = 1, /* it was asked correctly, but could not be done */
        EXIT_USAGE = 2,   /* bad usage or bad configuration */
};

int command_controller(const struct options *options);
int command_render(const struct options *options);
int command_check(const struct options *options);
int command_status(const struct options *options);
int command_trace(const struct options *options);

/* Prints "coracle: WHERE: WHAT" to stderr. */
void command_complain(const struct error *error);

/* Prints each problem of the plan to stderr as "coracle: Service NAMESPACE/NAME: REASON: MESSAGE". */
struct plan;
void command_print_problems(const struct plan *plan);
