/* coracle check: what an operator runs before he applies a change. */
#include "app/commands.h"
#include "io/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int command_check(const struct options *options)
{
        (void)options;
        return 0;
}
int command_controller(const struct options *options)
{
        (void)options;
        return 0;
}
int command_status(const struct options *options)
{
        (void)options;
        return 0;
}
