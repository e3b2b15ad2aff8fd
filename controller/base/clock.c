#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
        struct timespec now;

        (void)clock_gettime(clock, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
        return read_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
        return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_unix_ms(void)
{
        return read_us(CLOCK_REALTIME) / 1000;
}

void clock_micro_time(char text[static CLOCK_MICRO_TIME_SIZE])
{
        struct timespec now;
        struct tm tm;
        size_t length;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &tm);
        length = strftime(text, CLOCK_MICRO_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(text + length, CLOCK_MICRO_TIME_SIZE - length, ".%06ldZ", now.tv_nsec / 1000);
}
