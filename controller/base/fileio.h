/* Whole files in, whole files out. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

/* Appends the file's bytes to *out, whose text is never NULL then. A file beyond max_size bytes is refused
 * (-EFBIG). Returns 0 or a negative errno with *error set; *out is then unspecified but valid. */
int file_read(const char *path, size_t max_size, struct strbuf *out, struct error *error);

/* Writes PATH.new beside the file, fsyncs it and leaves it there for file_replace. mode as open(2). Always a
 * new file: no link is followed. That nobody puts another one in its place is up to the directory (its sticky
 * bit). Returns 0 or a negative errno with *error set; nothing is left behind then. */
int file_write_new(const char *path, const char *data, size_t length, unsigned int mode, struct error *error);

/* rename(2) of PATH.new to PATH, then fsync of the directory. Returns 0 or a negative errno with *error set.
 */
int file_replace(const char *path, struct error *error);
