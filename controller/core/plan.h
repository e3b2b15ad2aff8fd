/* From what the cluster says (model) and what the operator decided (config) to what the kernel should hold.
 *
 * The result is deterministic: the same objects in any order give the same plan, and so every LB pod of a
 * fleet builds the same tables (mh depends on the order of real servers).
 */
#pragma once

#include "core/config.h"
#include "core/drains.h"

struct real_server {
        struct addr addr;
        uint16_t port;
        uint8_t weight; /* 1, or 0 while draining: no new connections, established ones stay */
};

/* A Service of ours with its options resolved. */
struct plan_service {
        char *name;     /* namespace/name */
        char *template; /* NULL: the default one */
        const char *scheduler;
        enum forwarding forwarding;
        struct health_check health_check;
        uint32_t persistence_timeout_s; /* 0: none */
        int64_t drain_ms;               /* how long an endpoint may drain; -1: until it is gone */
        bool restricted;                /* only these may connect; not even they, if there is none */
        struct prefix *source_ranges;   /* sorted, each once */
        size_t n_source_ranges;
        bool local_traffic; /* externalTrafficPolicy: Local, which promises that the source address is kept */
        uint32_t tunnel_unanswered; /* real servers, see core/tunnel_probes.h */
};

struct virtual_server {
        struct addr vip;
        uint16_t port;
        enum protocol protocol;
        enum forwarding forwarding;       /* the service's, or nat where tunnel is impossible */
        const char *scheduler;            /* static */
        bool checked;                     /* keepalived checks the real servers that have a weight */
        size_t service;                   /* index into plan.services */
        struct real_server *real_servers; /* sorted by address and port, at least one */
        size_t n_real_servers;
};

/* An address of a Service, with or without anything behind it. */
struct plan_vip {
        struct addr addr;
        size_t service; /* index into plan.services; with a shared address the first of them */
        bool unguarded; /* its source ranges are not in force: not to be served; see plan_compact */
        /* How long its real servers may be in the kernel before the first check of each has ended. 0 where
         * they come in only then (keepalived's alpha): everywhere but with mh, whose table has to be whole
         * from the start. */
        uint32_t first_checks_ms;
};

/* What could not be done as asked; becomes an Event on the Service. */
struct problem {
        char *service;      /* namespace/name */
        const char *reason; /* static, CamelCase as in Events */
        char *message;
};

/* What the leader has to write into a Service's status. */
struct assignment {
        char *namespace, *name;
        char *resource_version; /* of the Service that this was decided on */
        struct addr *addrs;     /* sorted; none: the status is to be emptied */
        size_t n_addrs;
};

void assignment_clear(struct assignment *assignment);

struct plan {
        struct plan_service *services; /* sorted by namespace and name */
        size_t n_services;
        struct virtual_server *virtual_servers; /* sorted by vip, protocol and port */
        size_t n_virtual_servers;
        struct plan_vip *vips; /* sorted, each address once */
        size_t n_vips;
        struct assignment *assignments; /* PLAN_ADDRESSES_ASSIGN only; sorted as services are */
        size_t n_assignments;
        struct problem *problems; /* in the order of services */
        size_t n_problems;
        int64_t
            drained_ms; /* when the next drain time is over: plan again then; INT64_MAX: none is running */
        bool tunnels_probed; /* the services' tunnel_unanswered has been counted */
};

enum plan_addresses {
        PLAN_ADDRESSES_STATUS,   /* only what status says: someone else assigns */
        PLAN_ADDRESSES_ASSIGN,   /* the same, and note what the statuses should say: the leader's */
        PLAN_ADDRESSES_ALLOCATE, /* services without status get an address here: render, --objects */
};

/* Builds the plan, as of drains->now_ms; NULL: no drain time is ever over. `model` must be sorted. Returns 0
 * and *out, to be freed with plan_free, or -ENOMEM: whatever is wrong with an object becomes a problem and a
 * default, never a failure. The plan borrows nothing. */
int plan_build(const struct config *config, const struct model *model, const struct drains *drains,
               enum plan_addresses addresses, struct plan **out);

/* NULL is fine. */
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan *, plan_free)
#define _cleanup_plan_ _cleanup_(plan_free_p)

/* Adds a problem. `reason` must be static. 0 or -ENOMEM. */
int plan_add_problem(struct plan *plan, const char *service, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Makes the virtual server at `index` what it is in `other` (or removes it, if it is not there): for when the
 * new one could not be applied. 0 or -ENOMEM. */
int plan_hold(struct plan *plan, size_t index, const struct plan *other);

/* Drops the virtual servers that have no real servers, which keepalived refuses, and those of VIPs that are
 * unguarded: better nobody is served than those who must not be. */
void plan_compact(struct plan *plan);

/* Whether no VIP is unguarded. */
bool plan_is_whole(const struct plan *plan);

/* Drops the problems after the first `count`: those of a rendering that is done again. */
void plan_forget_problems(struct plan *plan, size_t count);

/* By vip, protocol and port. */
int virtual_server_compare(const struct virtual_server *a, const struct virtual_server *b);

/* By address and port. */
int real_server_compare(const struct real_server *a, const struct real_server *b);

/* Its real server of that address and port, or NULL. */
const struct real_server *virtual_server_find(const struct virtual_server *vs, const struct addr *addr,
                                              uint16_t port);

/* The virtual server of that key, or NULL. */
struct virtual_server *plan_find(const struct plan *plan, const struct addr *vip, enum protocol protocol,
                                 uint16_t port);
