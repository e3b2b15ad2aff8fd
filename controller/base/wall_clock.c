#include "base/wall_clock.h"

#include <stdio.h>
#include <time.h>

void wall_clock_micro(char text[static WALL_CLOCK_SIZE])
{
        struct timespec now;
        struct tm tm;
        size_t length;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &tm);
        length = strftime(text, WALL_CLOCK_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(text + length, WALL_CLOCK_SIZE - length, ".%06ldZ", now.tv_nsec / 1000);
}
