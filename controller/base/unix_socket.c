#include "base/unix_socket.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int fail(const char *path, const char *action, struct error *error)
{
        int r = -errno;

        (void)error_set(error, path, "cannot %s: %s", action, strerror(-r));
        return r;
}

static int open_socket(const char *path, struct sockaddr_un *address, struct error *error)
{
        int fd;

        *address = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof(address->sun_path))
                return error_set(error, path, "path too long for a socket");
        memcpy(address->sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd < 0 ? fail(path, "make a socket", error) : fd;
}

int unix_socket_listen(const char *path, unsigned int mode, struct error *error)
{
        struct sockaddr_un address;
        struct stat st;
        _cleanup_close_ int fd = open_socket(path, &address, error);

        if (fd < 0)
                return fd;
        if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
                (void)unlink(path);
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, mode) < 0 ||
            listen(fd, 16) < 0)
                return fail(path, "listen", error);
        return TAKE_FD(fd);
}

int unix_socket_connect(const char *path, struct error *error)
{
        struct sockaddr_un address;
        _cleanup_close_ int fd = open_socket(path, &address, error);

        if (fd < 0)
                return fd;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return fail(path, "connect", error);
        return TAKE_FD(fd);
}
