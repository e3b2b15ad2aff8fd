/* PID 1 of the guest: seeds the kernel's random numbers, runs /guest and switches the machine off.
 *
 * The seed is a word of the kernel's command line: without one the kernel would gather jitter for a long
 * while, and it decides the seeds of hash tables, so that different boots meet different collisions, but each
 * boot can be repeated. */
#include <linux/random.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED_BYTES 256

static int seed_random(uint64_t seed)
{
        union {
                struct rand_pool_info info; /* its bytes follow it */
                uint8_t bytes[sizeof(struct rand_pool_info) + SEED_BYTES];
        } pool = {.info = {.entropy_count = SEED_BYTES * 8, .buf_size = SEED_BYTES}};
        int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC), r;

        if (fd < 0)
                return -1;
        for (size_t i = sizeof(pool.info); i < sizeof(pool.bytes); i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
                pool.bytes[i] = (uint8_t)(seed >> 56);
        }
        r = ioctl(fd, RNDADDENTROPY, &pool.info);
        close(fd);
        return r;
}

int main(void)
{
        const char *seed =
            getenv("datapath_seed"); /* the kernel gives us the words that it does not know itself */
        pid_t script, ended;
        int status = 0;

        if (mount("proc", "/proc", "proc", 0, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL) ||
            mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) || mount("tmpfs", "/run", "tmpfs", 0, NULL) ||
            mount("tmpfs", "/tmp", "tmpfs", 0, NULL))
                perror("mount");
        if (!seed || seed_random(strtoull(seed, NULL, 10)))
                perror("seed");
        script = fork();
        if (script == 0) {
                execl("/bin/sh", "sh", "/guest", NULL);
                _exit(127);
        }
        do {
                ended = wait(&status);
        } while (ended >= 0 && ended != script);
        printf("end %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255);
        fflush(stdout);
        reboot(RB_POWER_OFF);
        return 1;
}
