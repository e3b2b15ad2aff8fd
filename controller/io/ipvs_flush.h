/* Empties the kernel's IPVS table of our network namespace, as `ipvsadm -C` does. Connections that are under
 * way stay known to the kernel and go on when their servers are back. */
#pragma once

/* Returns 0, also where there is no IPVS (yet) to be emptied; or a negative errno: -EPERM without
 * CAP_NET_ADMIN. */
int ipvs_flush(void);
