/* Lines of keepalived's lvs_notify_fifo (keepalived.conf(5)):
 *   VS [10.1.1.1]:tcp:80 UP
 *   RS [172.16.1.1]:tcp:80 [10.1.1.1]:tcp:80 DOWN
 * For the log and as a wake-up; what holds is what the kernel says.
 */
#pragma once

#include "core/model.h"

struct notify_end {
        char text[72];    /* "[172.16.1.1]:tcp:80"; "" for the real server of a VS */
        struct addr addr; /* none if the text has another form: an operator's template can do that */
        enum protocol protocol;
        uint16_t port;
};

struct notify_line {
        bool real_server; /* RS; else VS */
        bool up;
        struct notify_end real, virtual;
};

/* Parses a line without its newline. Returns 0 or -EINVAL; *out untouched then. */
int notify_line_parse(const char *line, struct notify_line *out);
