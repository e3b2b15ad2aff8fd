/* Lines of keepalived's lvs_notify_fifo (keepalived.conf(5)):
 *   VS [10.1.1.1]:tcp:80 UP
 *   RS [172.16.1.1]:tcp:80 [10.1.1.1]:tcp:80 DOWN
 * For the log and as a wake-up; what holds is what the kernel says.
 */
#pragma once

#include <stdbool.h>

struct notify_line {
        bool real_server; /* RS; else VS */
        bool up;
        char real[72];    /* "[172.16.1.1]:tcp:80"; "" for VS */
        char virtual[72]; /* "[10.1.1.1]:tcp:80" */
};

/* Parses a line without its newline. Returns 0 or -EINVAL; *out untouched then. */
int notify_line_parse(const char *line, struct notify_line *out);
