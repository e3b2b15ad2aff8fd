/* The kernel's side of the mirror: reads it whole, changes it step by step, and hears of changes. */
#pragma once

#include "base/error.h"
#include "resilient/decode.h"
#include "resilient/mirror_plan.h"

#define NETLINK_RULE_PRIORITY 30000 /* before the main table's 32766 */

struct netlink;

/* Returns 0 and *out, or a negative errno with *error set: -EOPNOTSUPP if the kernel has no resilient groups
 * (they came with Linux 5.13). `scope` must outlive it. */
int netlink_new(const struct scope *scope, struct netlink **out, struct error *error);

/* Becomes readable when something has changed. */
int netlink_fd(const struct netlink *netlink);

/* Takes what notifications there are; returns the highest relevance of any, RELEVANT if some may have been
 * lost. */
enum relevance netlink_changes(struct netlink *netlink);

/* Fills *fib (empty before) and sorts it. 0 or a negative errno, then with *error set. */
int netlink_read(struct netlink *netlink, struct fib *fib, struct error *error);

/* Does one step. 0 or a negative errno; what is already so is no error. */
int netlink_apply(struct netlink *netlink, const struct mirror_config *config,
                  const struct operation *operation, const struct member *members);

void netlink_free(struct netlink *netlink);
DEFINE_CLEANUP(struct netlink *, netlink_free)
