#include "announcer/pools_file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_only_roots(const struct stat *status, bool sticky)
{
        return status->st_uid == 0 && (sticky || !(status->st_mode & (S_IWGRP | S_IWOTH)));
}

/* Returns the descriptor, or a negative errno with *error set. */
static int open_trusted(const char *path, struct error *error)
{
        _cleanup_close_ int directory = -1, fd = -1;
        char parent[PATH_MAX], name[PATH_MAX];
        struct stat status, above;
        int r;

        if (strlen(path) >= PATH_MAX)
                return error_set(error, path, "path too long");
        memcpy(parent, path, strlen(path) + 1);
        memcpy(name, path, strlen(path) + 1);
        directory = open(dirname(parent), O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = directory < 0 ? -1 : openat(directory, basename(name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0 || fstat(directory, &above) < 0) {
                r = -errno;
                (void)error_set(error, path, "cannot open: %s", strerror(-r));
                return r;
        }
        if (!S_ISREG(status.st_mode) || !is_only_roots(&status, false) ||
            !is_only_roots(&above, above.st_mode & S_ISVTX))
                return error_set(error, path,
                                 "must be a file of root's that others can neither write nor replace");
        return TAKE_FD(fd);
}

static void fclose_p(FILE **file)
{
        if (*file)
                (void)fclose(*file);
}

int pools_file_read(const char *path, struct prefix_list *out, struct error *error)
{
        _cleanup_close_ int fd = open_trusted(path, error);
        _cleanup_(fclose_p) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        _cleanup_free_ char *line = NULL;
        struct prefix prefix;
        size_t size = 0;

        if (fd < 0)
                return fd;
        if (!file)
                return error_oom(error);
        (void)TAKE_FD(fd);
        for (size_t number = 1; getline(&line, &size, file) > 0; number++) {
                line[strcspn(line, "\n")] = '\0';
                if (*line && prefix_parse(line, &prefix) < 0)
                        return error_set_line(error, path, number, "\"%s\" is not a prefix", line);
                if (*line && prefix_list_append(out, &prefix) < 0)
                        return error_oom(error);
        }
        prefix_list_sort(out);
        return 0;
}
