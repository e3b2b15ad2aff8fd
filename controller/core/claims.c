#include "core/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(struct claim_list *list, const struct claim *claim)
{
        if (list->count == list->capacity) {
                size_t capacity = list->capacity ? 2 * list->capacity : 16;
                struct claim *grown = reallocarray(list->claims, capacity, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                list->claims = grown;
                list->capacity = capacity;
        }
        list->claims[list->count++] = *claim;
        return 0;
}

static int compare_services(const struct claim *a, const struct claim *b)
{
        return a->service == b->service ? 0 : a->service < b->service ? -1 : 1;
}

static int by_service(const void *a, const void *b)
{
        const struct claim *x = a, *y = b;
        int order = compare_services(x, y);

        return order ? order : addr_compare(&x->addr, &y->addr);
}

/* What status says goes before what is only asked for. */
static int by_addr(const void *a, const void *b)
{
        const struct claim *x = a, *y = b;
        int order = addr_compare(&x->addr, &y->addr);

        if (!order && x->from_status != y->from_status)
                order = x->from_status ? -1 : 1;
        return order ? order : compare_services(x, y);
}

static int add_claim(struct plan *plan, const struct config *config, size_t service, const struct addr *addr,
                     bool from_status, struct claim_list *list)
{
        char text[ADDR_TEXT_SIZE];

        if (!config_pool_of(config, addr))
                return plan_add_problem(plan, plan->services[service].name, "AddressOutsidePools",
                                        "%s is in no pool; refused", addr_format(addr, text));
        return append(list, &(struct claim){.addr = *addr, .service = service, .from_status = from_status});
}

/* A service may ask for several addresses, comma-separated: one per family. */
static int add_asked_for(struct plan *plan, const struct config *config, size_t service, const char *key,
                         const char *text, struct claim_list *list)
{
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *word;

        if (!copy)
                return -ENOMEM;
        while ((word = strsep(&rest, ","))) {
                struct addr addr;
                int r;

                word += strspn(word, " ");
                for (size_t end = strlen(word); end > 0 && word[end - 1] == ' '; end--)
                        word[end - 1] = '\0';
                if (addr_parse(word, &addr) < 0)
                        r = plan_add_problem(plan, plan->services[service].name, "BadAddress",
                                             "%s is not an IP address; ignored", key);
                else
                        r = add_claim(plan, config, service, &addr, false, list);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* For the API an empty loadBalancerIP is an absent one. */
static bool asks_by_spec(const struct service *source)
{
        return source->load_balancer_ip && *source->load_balancer_ip;
}

static int collect(struct plan *plan, const struct config *config, const struct service *source,
                   size_t service, enum plan_addresses addresses, struct claim_list *list)
{
        const char *annotation = source->annotations[ANNOTATION_ADDRESS];

        for (size_t i = 0; i < source->n_status_addrs; i++) {
                int r = add_claim(plan, config, service, &source->status_addrs[i], true, list);

                if (r < 0)
                        return r;
        }
        if (source->n_status_addrs || addresses == PLAN_ADDRESSES_STATUS)
                return 0;
        if (annotation)
                return add_asked_for(plan, config, service, annotation_key(ANNOTATION_ADDRESS), annotation,
                                     list);
        if (asks_by_spec(source))
                return add_asked_for(plan, config, service, "spec.loadBalancerIP", source->load_balancer_ip,
                                     list);
        return 0;
}

static bool may_share(const struct service *a, const struct service *b)
{
        const char *x = a->annotations[ANNOTATION_SHARE], *y = b->annotations[ANNOTATION_SHARE];

        return a == b || (x && y && *x && strcmp(x, y) == 0);
}

/* Walks claims sorted by address: the first owner stays, others stay if they may share with it. */
static int refuse_taken(struct plan *plan, const struct service *const *sources, struct claim_list *list)
{
        size_t kept = 0, owner = 0;

        for (size_t i = 0; i < list->count; i++) {
                const struct claim *claim = &list->claims[i];
                char text[ADDR_TEXT_SIZE];

                if (!kept || !addr_equal(&list->claims[owner].addr, &claim->addr))
                        owner = kept;
                else if (list->claims[kept - 1].service == claim->service)
                        continue; /* named twice by the same service */
                else if (!may_share(sources[list->claims[owner].service], sources[claim->service])) {
                        int r = plan_add_problem(plan, plan->services[claim->service].name, "AddressInUse",
                                                 "%s belongs to %s; refused", addr_format(&claim->addr, text),
                                                 plan->services[list->claims[owner].service].name);

                        if (r < 0)
                                return r;
                        continue;
                }
                list->claims[kept++] = *claim;
        }
        list->count = kept;
        return 0;
}

/* Where the search for a free address stands: addresses are given out in order, so one pass serves all. */
struct cursor {
        const struct config *config;
        uint8_t family;
        size_t pool, prefix;
        struct addr next;
        bool started;
};

/* Network and broadcast addresses (and IPv6's subnet-router anycast, RFC 4291 section 2.6.1) upset some
 * devices. */
static bool is_usable(const struct prefix *prefix, const struct addr *addr)
{
        struct addr after = *addr;

        if (addr_bits(addr) - prefix->length < 2)
                return true;
        if (addr_equal(addr, &prefix->addr))
                return false;
        return addr->family == AF_INET6 || (addr_next(&after) && prefix_contains(prefix, &after));
}

static bool cursor_next(struct cursor *cursor, struct addr *out)
{
        const struct config *config = cursor->config;

        for (; cursor->pool < config->n_pools; cursor->pool++, cursor->prefix = 0, cursor->started = false) {
                const struct pool *pool = &config->pools[cursor->pool];

                for (; cursor->prefix < pool->n_prefixes; cursor->prefix++, cursor->started = false) {
                        const struct prefix *prefix = &pool->prefixes[cursor->prefix];

                        if (prefix->addr.family != cursor->family)
                                continue;
                        if (!cursor->started) {
                                cursor->next = prefix->addr;
                                cursor->started = true;
                        } else if (!addr_next(&cursor->next)) {
                                continue;
                        }
                        while (prefix_contains(prefix, &cursor->next)) {
                                if (is_usable(prefix, &cursor->next)) {
                                        *out = cursor->next;
                                        return true;
                                }
                                if (!addr_next(&cursor->next))
                                        break;
                        }
                }
        }
        return false;
}

static bool is_claimed(const struct claim_list *list, size_t count, const struct addr *addr)
{
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = addr_compare(addr, &list->claims[middle].addr);

                if (order == 0)
                        return true;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return false;
}

/* Gives a free address of the cursor's family, or a problem. The first `claimed` claims are sorted by
 * address. */
static int allocate(struct plan *plan, struct cursor *cursor, size_t service, size_t claimed,
                    struct claim_list *list)
{
        struct claim claim = {.service = service};

        while (cursor_next(cursor, &claim.addr))
                if (!is_claimed(list, claimed, &claim.addr))
                        return append(list, &claim);
        return plan_add_problem(plan, plan->services[service].name, "PoolExhausted",
                                "no free %s address in the pools",
                                cursor->family == AF_INET ? "IPv4" : "IPv6");
}

/* For services that neither have nor asked for an address. */
static int allocate_missing(struct plan *plan, const struct config *config,
                            const struct service *const *sources, struct claim_list *list)
{
        struct cursor ipv4 = {.config = config, .family = AF_INET};
        struct cursor ipv6 = {.config = config, .family = AF_INET6};
        size_t claimed = list->count;

        for (size_t i = 0; i < plan->n_services; i++) {
                const struct service *source = sources[i];
                int r = 0;

                if (source->n_status_addrs || asks_by_spec(source) || source->annotations[ANNOTATION_ADDRESS])
                        continue;
                if (source->ipv4)
                        r = allocate(plan, &ipv4, i, claimed, list);
                if (r == 0 && source->ipv6)
                        r = allocate(plan, &ipv6, i, claimed, list);
                if (r < 0)
                        return r;
        }
        return 0;
}

int claims_resolve(struct plan *plan, const struct config *config, const struct service *const *sources,
                   enum plan_addresses addresses, struct claim_list *out)
{
        int r = 0;

        for (size_t i = 0; i < plan->n_services && r == 0; i++)
                r = collect(plan, config, sources[i], i, addresses, out);
        if (r < 0)
                return r;
        if (out->count)
                qsort(out->claims, out->count, sizeof(*out->claims), by_addr);
        r = refuse_taken(plan, sources, out);
        if (r == 0 && addresses == PLAN_ADDRESSES_ALLOCATE)
                r = allocate_missing(plan, config, sources, out);
        if (r < 0)
                return r;
        if (out->count)
                qsort(out->claims, out->count, sizeof(*out->claims), by_service);
        return 0;
}

void claim_list_clear(struct claim_list *list)
{
        free(list->claims);
        *list = (struct claim_list){0};
}
