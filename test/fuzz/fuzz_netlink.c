/* rtnetlink messages, one after the other: what is understood lies inside the pools and the arrays. */
#include "fuzz.h"
#include "resilient/decode.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct scope scope = {.table = 100, .protocol = 68};

static void add_pool(const char *text)
{
        struct prefix pool;

        FUZZ_ASSERT(prefix_parse(text, &pool) == 0 && prefix_list_append(&scope.pools, &pool) == 0);
}

static void decode(const struct nlmsghdr *message, struct fib *fib)
{
        int r = 0;

        (void)decode_relevance(message, &scope);
        if (message->nlmsg_type == RTM_NEWROUTE)
                r = decode_route(message, &scope, fib);
        else if (message->nlmsg_type == RTM_NEWNEXTHOP)
                r = decode_next_hop(message, &scope, fib);
        else if (message->nlmsg_type == RTM_NEWRULE)
                r = decode_rule(message, &scope, fib);
        FUZZ_ASSERT(r == 0);
}

static void check(const struct fib *fib)
{
        for (size_t i = 0; i < fib->route_count; i++) {
                const struct main_route *route = &fib->routes[i];

                FUZZ_ASSERT(route->plain == (route->count == 0) && route->count <= FIB_HOPS_MAX);
                FUZZ_ASSERT(route->first + route->count <= fib->path_count);
                FUZZ_ASSERT(prefix_contains(&scope.pools.prefixes[0], &route->prefix.addr) ||
                            prefix_contains(&scope.pools.prefixes[1], &route->prefix.addr));
                FUZZ_ASSERT(fib_find_route(fib, &route->prefix) == route);
        }
        for (size_t i = 0; i < fib->group_count; i++)
                FUZZ_ASSERT(fib->groups[i].first + fib->groups[i].count <= fib->member_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_fib_ struct fib fib = {0};
        /* Exactly as long, so that a byte too far is seen; malloc aligns it. */
        _cleanup_free_ void *copy = malloc(size ? size : 1);
        const struct nlmsghdr *message = copy;
        int left = (int)size;

        FUZZ_ASSERT(copy);
        if (!scope.pools.count) {
                add_pool("10.1.1.0/24");
                add_pool("fd00:1:1::/112");
        }
        memcpy(copy, data, size);
        /* libmnl takes a length beyond 2 GB for a negative one; the kernel, which alone can write to us, has
         * none. */
        while (mnl_nlmsg_ok(message, left) && message->nlmsg_len <= (uint32_t)left) {
                decode(message, &fib);
                message = mnl_nlmsg_next(message, &left);
        }
        fib_sort(&fib);
        check(&fib);
        return 0;
}
