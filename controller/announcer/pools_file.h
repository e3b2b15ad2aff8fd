/* Which prefixes this pod may have in the node's main table: one in each line of a file that root has
 * written, the init container.
 *
 * coracle-announcer has rights that nobody else in exabgp's container has, from its file's capabilities; and
 * whoever takes exabgp over may start it, with arguments and a socket of his own. So what it does with these
 * rights is limited by what he cannot write. What he still can: lead the traffic of these prefixes, on this
 * node, to another pod's address, or take the routes to them away. An LB pod has that in its hands anyway.
 */
#pragma once

#include "base/error.h"
#include "core/announce_set.h"

/* Appends the file's prefixes to a list, and sorts it. A file is refused that is not root's, or that others
 * can write or replace. Returns 0 or a negative errno with *error set. */
int pools_file_read(const char *path, struct prefix_list *out, struct error *error);
