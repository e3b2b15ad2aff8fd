#include "base/file_identity.h"

struct file_identity file_identity_of(const struct stat *status)
{
        return (struct file_identity){
            .device = status->st_dev,
            .inode = status->st_ino,
            .size = status->st_size,
            .modified = status->st_mtim,
        };
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
        return a->device == b->device && a->inode == b->inode && a->size == b->size &&
               a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}
