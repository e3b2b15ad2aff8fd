/* coracle.yaml: what the operator of the site decides. The README and docs show every key; unknown keys,
 * wrong types and impossible values are errors with file:line.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "core/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum forwarding {
        FORWARDING_NAT,
        FORWARDING_TUNNEL,
};

enum health_check_type {
        HEALTH_CHECK_NONE, /* Kubernetes' readiness alone decides */
        HEALTH_CHECK_TCP,
        HEALTH_CHECK_HTTP,
};

struct health_check {
        enum health_check_type type;
        char *path; /* HTTP only, begins with a slash */
        uint32_t interval_ms;
        uint32_t timeout_ms;
        uint32_t retries;
};

struct pool {
        char *name;
        struct prefix *prefixes;
        size_t n_prefixes;
};

struct bgp_neighbor {
        struct addr address;
        uint32_t as;
};

struct bgp_config {
        uint32_t local_as;
        uint32_t hold_time_s; /* at least 3: RFC 4271, section 4.2 (0, never, would keep the dead) */
        struct bgp_neighbor *reflectors;
        size_t n_reflectors;
        char *password_file; /* NULL: no TCP MD5 signature (RFC 2385) */
        uint8_t announce_length4, announce_length6;
};

struct config {
        char *load_balancer_class;
        struct pool *pools;
        size_t n_pools;
        struct bgp_config bgp;
        enum forwarding default_forwarding;
        char *default_scheduler; /* for nat; NULL: "rr" */
        struct health_check default_health_check;
        char **namespaces; /* none: all */
        size_t n_namespaces;
        uint32_t max_removal_percent; /* core/fuse.h; 0: off */
        uint32_t max_removal_hold_ms;
};

/* Parses the text of `file` (the name is for errors only). Returns 0 and *out, to be freed with config_free;
 * or -EINVAL/-ENOMEM with *error set. */
int config_parse(const char *file, const char *text, size_t length, struct config **out, struct error *error);

/* NULL is fine. */
void config_free(struct config *config);
DEFINE_CLEANUP(struct config *, config_free)
#define _cleanup_config_ _cleanup_(config_free_p)

/* The pool prefix that holds the address, or NULL. */
const struct prefix *config_pool_of(const struct config *config, const struct addr *addr);

/* "nat" or "tunnel". Returns 0 or -EINVAL. */
int forwarding_parse(const char *text, enum forwarding *out);

/* The kernel's own scheduler names (ipvsadm(8)); the returned text is static, NULL if there is no such one.
 */
const char *scheduler_lookup(const char *name);

/* "tcp", "none" or "http:/path" into type and path (a copy); the timers stay. 0, -EINVAL or -ENOMEM. */
int health_check_parse(const char *text, struct health_check *out);

/* Whether a text is safe inside a keepalived configuration: [A-Za-z0-9._:/-]+ */
bool token_is_safe(const char *text);
