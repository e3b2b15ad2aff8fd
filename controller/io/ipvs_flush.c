#include "io/ipvs_flush.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <sys/socket.h>

int ipvs_flush(void)
{
        /* Any IPv4 socket does: the option belongs to netfilter, not to the protocol. A raw one would ask for
         * CAP_NET_RAW besides. */
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, IPPROTO_IP, IP_VS_SO_SET_FLUSH, NULL, 0) < 0)
                return errno == ENOPROTOOPT ? 0 : -errno;
        return 0;
}
