/* coracle-announcer's command line. Every flag has an environment twin; the flag wins. */
#pragma once

#include "base/error.h"
#include "base/log.h"
#include "core/addr.h"

#include <stddef.h>

enum {
        OPTIONS_ADDRS_MAX = 16,
};

struct addr_list {
        struct addr addrs[OPTIONS_ADDRS_MAX];
        size_t count;
};

struct options {
        const char *socket;
        const char *node_netns; /* NULL: node routes are not ours to keep */
        const char *pools;      /* see pools_file.h */
        struct addr_list next_hops;
        struct addr_list pod_addresses;
        struct addr_list neighbors;
        unsigned int linger_s; /* 0: run; else only wait until coracle has ended */
        enum log_level log_level;
        bool log_json;
};

enum options_result {
        OPTIONS_RUN,
        OPTIONS_DONE, /* --help or --version was printed */
};

/* Texts are borrowed from argv and the environment. Returns an options_result, or -EINVAL with *error set. */
int options_parse(int argc, char **argv, struct options *out, struct error *error);

/* The list's first address of the family, or one of AF_UNSPEC. */
struct addr addr_list_first(const struct addr_list *list, int family);
