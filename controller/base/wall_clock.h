/* The time of day as Kubernetes' MicroTime wants it: RFC 3339 in UTC with just six digits. */
#pragma once

#define WALL_CLOCK_SIZE 40

void wall_clock_micro(char text[static WALL_CLOCK_SIZE]);
