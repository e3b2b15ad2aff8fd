#include "base/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct error *error, const char *path, const char *action, int errnum)
{
        (void)error_set(error, path, "cannot %s: %s", action, strerror(errnum));
        return -errnum;
}

static int fail_too_large(struct error *error, const char *path, size_t max_size)
{
        (void)error_set(error, path, "larger than %zu bytes", max_size);
        return -EFBIG;
}

int file_read(const char *path, size_t max_size, struct strbuf *out, struct error *error)
{
        _cleanup_close_ int fd = -1;
        char chunk[16384];
        size_t total = 0;
        struct stat status;

        if (strbuf_puts(out, "") < 0)
                return error_oom(error);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fail(error, path, "open", errno);
        /* Known before a byte of it is in memory; what has no size, as in /proc, is counted. */
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (uintmax_t)status.st_size > max_size)
                return fail_too_large(error, path, max_size);
        for (;;) {
                ssize_t n = read(fd, chunk, sizeof(chunk));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fail(error, path, "read", errno);
                if (n == 0)
                        return 0;
                total += (size_t)n;
                if (total > max_size)
                        return fail_too_large(error, path, max_size);
                if (strbuf_append(out, chunk, (size_t)n) < 0)
                        return error_oom(error);
        }
}

static int new_path(const char *path, char text[static PATH_MAX], struct error *error)
{
        if (snprintf(text, PATH_MAX, "%s.new", path) >= PATH_MAX)
                return error_set(error, path, "path too long");
        return 0;
}

static int write_all(int fd, const char *data, size_t length)
{
        while (length) {
                ssize_t n = write(fd, data, length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                length -= (size_t)n;
        }
        return 0;
}

int file_write_new(const char *path, const char *data, size_t length, unsigned int mode, struct error *error)
{
        _cleanup_close_ int fd = -1;
        char temporary[PATH_MAX];
        int r;

        r = new_path(path, temporary, error);
        if (r < 0)
                return r;
        /* What stands there is left over, or laid there by somebody else who may write to the directory. */
        (void)unlink(temporary);
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0)
                return fail(error, temporary, "create", errno);
        r = write_all(fd, data, length);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlink(temporary);
                return fail(error, temporary, "write", -r);
        }
        return 0;
}

int file_replace(const char *path, struct error *error)
{
        _cleanup_close_ int directory = -1;
        char temporary[PATH_MAX], parent[PATH_MAX];
        int r;

        r = new_path(path, temporary, error);
        if (r < 0)
                return r;
        if (rename(temporary, path) < 0)
                return fail(error, path, "replace", errno);
        (void)snprintf(parent, sizeof(parent), "%s", path);
        directory = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 || fsync(directory) < 0)
                return fail(error, path, "sync the directory of", errno);
        return 0;
}
