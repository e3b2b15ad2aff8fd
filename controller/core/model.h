/* What the cluster says: Services and EndpointSlices, compact and sorted.
 *
 * Objects are immutable once they are in a model and shared by reference count, so that a source can keep
 * its last good version of an object beside the model.
 */
#pragma once

#include "base/cleanup.h"
#include "core/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protocol {
        PROTOCOL_TCP,
        PROTOCOL_UDP,
        PROTOCOL_SCTP,
};

/* "TCP", "UDP" or "SCTP", as Kubernetes and keepalived spell it. */
const char *protocol_name(enum protocol protocol);

/* A Service's port has a name that its slices' ports repeat; "" if it is the only one. */
struct service_port {
        char *name;
        uint16_t port;
        enum protocol protocol;
};

/* The annotations coracle.lb/NAME, as written; NULL when absent. Their meaning is plan's business. */
enum annotation {
        ANNOTATION_FORWARDING,
        ANNOTATION_SCHEDULER,
        ANNOTATION_HEALTH_CHECK,
        ANNOTATION_ADDRESS,
        ANNOTATION_TEMPLATE,
        ANNOTATION_DRAIN_SECONDS,
        ANNOTATION_SHARE,
        ANNOTATION_COUNT,
};

/* "coracle.lb/forwarding" and so on. */
const char *annotation_key(enum annotation annotation);

struct object {
        unsigned int references;
        char *namespace;
        char *name;
};

/* https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/ */
struct service {
        struct object object;
        char *resource_version;    /* NULL when absent, as in manifests */
        char *uid;                 /* likewise; Events refer to it */
        char *load_balancer_class; /* NULL when absent */
        char *load_balancer_ip;    /* spec.loadBalancerIP; NULL when absent */
        char *annotations[ANNOTATION_COUNT];
        struct addr *status_addrs; /* status.loadBalancer.ingress[].ip */
        size_t n_status_addrs;
        bool other_mode; /* an address of them has an ipMode, and that is not Proxy */
        struct service_port *ports;
        size_t n_ports;
        struct prefix *source_ranges; /* spec.loadBalancerSourceRanges, those that are CIDRs; bits beyond the
                                       * length are dropped */
        size_t n_source_ranges;
        uint32_t bad_source_range;   /* the first that is none, counted from 1; 0: all are */
        uint32_t affinity_timeout_s; /* sessionAffinity ClientIP; 0: none */
        bool ipv4, ipv6;             /* spec.ipFamilies; IPv4 if absent */
        bool is_load_balancer;       /* spec.type */
        bool local_traffic;          /* externalTrafficPolicy: Local */
        bool not_ready_addresses;    /* publishNotReadyAddresses */
        int64_t answered_ms; /* when the API answered it to a write of ours; 0: it told it by itself */
};

enum endpoint_state {
        ENDPOINT_READY,    /* conditions.ready, or no condition at all */
        ENDPOINT_DRAINING, /* serving and terminating */
        ENDPOINT_DOWN,
};

struct endpoint {
        struct addr addr; /* addresses[0] */
        uint8_t state;    /* enum endpoint_state */
};

/* https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
struct endpoint_slice {
        struct object object;
        char *service; /* label kubernetes.io/service-name, in the same namespace; NULL when absent */
        struct service_port *ports;
        size_t n_ports;
        struct endpoint *endpoints;
        size_t n_endpoints;
        uint8_t family; /* AF_INET, AF_INET6; AF_UNSPEC for FQDN and types to come */
};

/* Whether it is a load balancer's of that class. */
bool service_is_of_class(const struct service *service, const char *load_balancer_class);

struct service *service_new(void); /* one reference; NULL if out of memory */
struct service *service_ref(struct service *service);
void service_unref(struct service *service); /* NULL is fine */
struct endpoint_slice *endpoint_slice_new(void);
struct endpoint_slice *endpoint_slice_ref(struct endpoint_slice *slice);
void endpoint_slice_unref(struct endpoint_slice *slice);
DEFINE_CLEANUP(struct service *, service_unref)
DEFINE_CLEANUP(struct endpoint_slice *, endpoint_slice_unref)

/* Objects of one kind, sorted by namespace and name once list_sort ran. */
struct object_list {
        struct object **objects;
        size_t count;
        size_t capacity;
};

/* By namespace, then name, bytewise. */
int object_compare(const struct object *a, const struct object *b);

/* Appends without looking at the order: collecting a list, then sorting it once, keeps bulk loads at n log n.
 * Takes over the caller's reference in case of success. Returns 0 or -ENOMEM. */
int object_list_append(struct object_list *list, struct object *object);

/* Sorts; of several objects with one name the one appended last stays. `unref` drops the others. */
void object_list_sort(struct object_list *list, void (*unref)(struct object *));

/* In a sorted list; NULL if absent. Borrowed. */
struct object *object_list_find(const struct object_list *list, const char *namespace, const char *name);

/* Insert or replace in a sorted list; takes over the reference in case of success. 0 or -ENOMEM. */
int object_list_put(struct object_list *list, struct object *object, void (*unref)(struct object *));

/* Removes from a sorted list. Returns whether it was there. */
bool object_list_remove(struct object_list *list, const char *namespace, const char *name,
                        void (*unref)(struct object *));

/* Drops all references and the memory. */
void object_list_clear(struct object_list *list, void (*unref)(struct object *));

/* For the `unref` arguments above. */
void service_object_unref(struct object *object);
void endpoint_slice_object_unref(struct object *object);

/* Services, perhaps of other classes too, and EndpointSlices of any Service; plan picks. Both lists are
 * sorted. */
struct model {
        struct object_list services;
        struct object_list endpoint_slices;
};

void model_clear(struct model *model);
static inline void model_clear_p(struct model *model)
{
        model_clear(model);
}
#define _cleanup_model_ _cleanup_(model_clear_p)

static inline struct service *object_service(struct object *object)
{
        return object ? container_of(object, struct service, object) : NULL;
}

static inline struct endpoint_slice *object_endpoint_slice(struct object *object)
{
        return object ? container_of(object, struct endpoint_slice, object) : NULL;
}
