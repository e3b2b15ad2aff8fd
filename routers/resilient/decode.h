/* rtnetlink messages to values: pure over the bytes, which are taken to be hostile. */
#pragma once

#include "resilient/fib.h"
#include "resilient/pace.h"

#include <linux/netlink.h>

struct scope {
        struct prefix_list pools; /* sorted */
        uint32_t table;           /* where the mirror is */
        uint8_t protocol;         /* how we know what is ours */
};

/* Each takes one message of a dump and appends to *fib what matters of it; fib->routes holds at most
 * FIB_ROUTES_MAX. Messages that are not understood are passed over. 0 or -ENOMEM. */
int decode_route(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib);
int decode_next_hop(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib);
int decode_rule(const struct nlmsghdr *message, const struct scope *scope, struct fib *fib);

/* Whether a notification is about something that the mirror depends on. */
enum relevance decode_relevance(const struct nlmsghdr *message, const struct scope *scope);
