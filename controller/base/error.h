/* What went wrong, for a person: `where` is file:line or namespace/name, `what` is one sentence.
 *
 * Functions that can fail for a reason that only they know take a `struct error *` (never NULL) and return
 * a negative errno. The error is logged or printed once, by whoever handles it.
 */
#pragma once

#include <stddef.h>

struct error {
        char where[256];
        char what[512];
};

/* Fills both texts; NULL `where` leaves it empty. Texts that are too long are cut, and bytes that are not
 * printable are shown as '?', so that foreign input cannot forge log lines.
 * Returns -EINVAL, so that a parser can `return error_set(...)`.
 */
int error_set(struct error *error, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, but with `where` as FILE:LINE; line 0 is left out. */
int error_set_line(struct error *error, const char *file, size_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Fills in "out of memory". Returns -ENOMEM. */
int error_oom(struct error *error);

/* Names the place of an error that was raised where only `what` was known. Keeps a `where` already there. */
void error_at(struct error *error, const char *where);
