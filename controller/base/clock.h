/* What time it is. Whatever waits or compares goes by the monotonic clock: the time of day is set back and
 * forth on machines that have just booted. libev's ev_now() is the time of day, so nobody asks that. */
#pragma once

#include <stdint.h>

#define CLOCK_MICRO_TIME_SIZE 40

/* Since some moment in the past, and only forward. */
int64_t clock_monotonic_us(void);
int64_t clock_monotonic_ms(void);

/* The time of day, since 1970. */
int64_t clock_unix_ms(void);

/* The time of day as Kubernetes' MicroTime wants it: RFC 3339 in UTC with just six digits. */
void clock_micro_time(char text[static CLOCK_MICRO_TIME_SIZE]);
