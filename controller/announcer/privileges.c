#include "announcer/privileges.h"

#include "base/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By the system calls themselves: glibc does not wrap them, and libcap for two calls is a library too many.
 */
void privileges_drop(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
        const unsigned int index = CAP_TO_INDEX(CAP_SYS_ADMIN), mask = CAP_TO_MASK(CAP_SYS_ADMIN);

        if (syscall(SYS_capget, &header, data) == 0 && !(data[index].permitted & mask))
                return;
        data[index].effective &= ~mask;
        data[index].permitted &= ~mask;
        data[index].inheritable &= ~mask;
        if (syscall(SYS_capset, &header, data) < 0)
                log_warning("privileges", "cannot give up CAP_SYS_ADMIN", LOG_TEXT("error", strerror(errno)));
}
