#include "announcer/linger.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/unix_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

void linger(const char *path, unsigned int seconds)
{
        const int64_t deadline = clock_monotonic_ms() + (int64_t)seconds * 1000;
        struct error error = {0};
        _cleanup_close_ int fd = unix_socket_connect(path, &error);
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        char dropped[16384]; /* what coracle would have announced; it drops a client that does not read */

        while (fd >= 0) {
                int64_t left = deadline - clock_monotonic_ms();
                ssize_t n;

                if (left <= 0)
                        return;
                (void)poll(&poller, 1, (int)left);
                n = read(fd, dropped, sizeof(dropped));
                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                        return;
        }
}
