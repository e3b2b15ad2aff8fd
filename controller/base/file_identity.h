/* What tells one state of a file from the next without reading it. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct file_identity {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec modified;
};

struct file_identity file_identity_of(const struct stat *status);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);
