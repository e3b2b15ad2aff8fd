/* Tries what a container should not be able to do, and says of each how it went: "NAME ok" or "NAME ERRNO".
 *
 *     tries DIRECTORY…
 *
 * First to write a file into each DIRECTORY, which goes by its name; then to gain rights. What succeeds is
 * not undone. Linked statically: it runs in an image that has nothing for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void tell(const char *name, long result)
{
        printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

static long write_to(const char *directory)
{
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%s/.tried", directory);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
                return -1;
        close(fd);
        return unlink(path);
}

static long take_all_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {{~0u, ~0u, 0}, {0x1ff, 0x1ff, 0}};

        return syscall(SYS_capset, &header, data);
}

static long write_sysctl(void)
{
        return open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++)
                tell(argv[i], write_to(argv[i]));
        tell("module", syscall(SYS_init_module, "", 0, ""));
        tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
        tell("remount", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
        tell("capabilities", take_all_capabilities());
        tell("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
        tell("bounding", prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0));
        tell("user", setuid(getuid() ? 0 : 65534));
        tell("group", setgid(getgid() ? 0 : 65534));
        tell("device", mknod("/run/coracle/.device", S_IFBLK | 0600, makedev(98, 0)));
        tell("chroot", chroot("/run"));
        tell("hostname", sethostname("tried", 5));
        tell("sysctl", write_sysctl());
        tell("swap", syscall(SYS_swapoff, "/none"));
        tell("keyring", syscall(SYS_add_key, "user", "tried", "x", 1, -3));
        tell("namespace", unshare(CLONE_NEWNS));
        return 0;
}
