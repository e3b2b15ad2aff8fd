#include "announcer/node_lease.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

enum {
        LOCK_TRIES = 200,
        LOCK_TRY_NS = 1000000,
};

/* The byte of the file that stands for an address. IPv4 as it is, IPv6 folded and above all of those. */
static off_t byte_of(const struct addr *pod)
{
        uint64_t half[2] = {0};

        for (size_t i = 0; i < addr_bits(pod) / 8u; i++)
                half[i / 8] = half[i / 8] << 8 | pod->bytes[i];
        if (pod->family == AF_INET)
                return (off_t)half[0];
        return (off_t)(((half[0] ^ half[1]) & (UINT64_MAX >> 2)) | UINT64_C(1) << 62);
}

static struct flock lock_of(short type, const struct addr *pod)
{
        return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte_of(pod), .l_len = 1};
}

/* Shared: the file cannot be opened for writing. */
int node_lease_hold(int netns, const struct addr *pod)
{
        struct flock lock;

        if (pod->family == AF_UNSPEC)
                return 0;
        lock = lock_of(F_RDLCK, pod);
        return fcntl(netns, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* When in doubt, alive. */
bool node_lease_held(int netns, const struct addr *pod)
{
        struct flock lock = lock_of(F_WRLCK, pod);

        return fcntl(netns, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

int node_lease_lock(int netns)
{
        const struct timespec pause = {.tv_nsec = LOCK_TRY_NS};

        for (int i = 0; i < LOCK_TRIES; i++) {
                if (flock(netns, LOCK_EX | LOCK_NB) == 0)
                        return 0;
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                (void)nanosleep(&pause, NULL);
        }
        return -EBUSY;
}

void node_lease_unlock(int netns)
{
        (void)flock(netns, LOCK_UN);
}
