/* Unix stream sockets by path, non-blocking and closed on exec. */
#pragma once

#include "base/error.h"

/* Listens; a socket that an earlier process left at `path` is replaced, anything else there is not. `mode` as
 * chmod(2): who may connect. Returns the descriptor, or a negative errno with *error set. */
int unix_socket_listen(const char *path, unsigned int mode, struct error *error);

/* Connects: at once or not at all. Returns the descriptor, or a negative errno with *error set. */
int unix_socket_connect(const char *path, struct error *error);
