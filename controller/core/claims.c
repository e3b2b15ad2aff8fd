#include "core/claims.h"

#include "base/array.h"
#include "base/sorted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(struct claim_list *list, const struct claim *claim)
{
        int r = array_reserve(&list->claims, &list->capacity, list->count, sizeof(*claim));

        if (r < 0)
                return r;
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

        if (!order)
                order = addr_compare(&x->addr, &y->addr);
        return order ? order : (int)y->from_status - (int)x->from_status;
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

/* The families that a service wants an address of, as it is written here: one bit each. */
#define WANTS_IPV4 1u
#define WANTS_IPV6 2u

static unsigned int family_bit(uint8_t family)
{
        return family == AF_INET6 ? WANTS_IPV6 : WANTS_IPV4;
}

static unsigned int wanted_families(const struct service *service)
{
        return (service->ipv4 ? WANTS_IPV4 : 0) | (service->ipv6 ? WANTS_IPV6 : 0);
}

static int add_claim(struct plan *plan, const struct config *config, const struct claim *claim,
                     struct claim_list *list)
{
        char text[ADDR_TEXT_SIZE];

        if (!config_pool_of(config, &claim->addr))
                return plan_add_problem(plan, plan->services[claim->service].name, "AddressOutsidePools",
                                        "%s is in no pool; refused", addr_format(&claim->addr, text));
        return append(list, claim);
}

/* A service may ask for several addresses, comma-separated: one per family. *families receives whose. */
static int add_asked_for(struct plan *plan, const struct config *config, size_t service, const char *key,
                         const char *text, unsigned int *families, struct claim_list *list)
{
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *word;

        if (!copy)
                return -ENOMEM;
        while ((word = strsep(&rest, ","))) {
                struct claim claim = {.service = service};
                int r;

                word += strspn(word, " ");
                for (size_t end = strlen(word); end > 0 && word[end - 1] == ' '; end--)
                        word[end - 1] = '\0';
                if (addr_parse(word, &claim.addr) < 0) {
                        *families = WANTS_IPV4 | WANTS_IPV6; /* nobody knows which he meant: give none */
                        r = plan_add_problem(plan, plan->services[service].name, "BadAddress",
                                             "%s is not an IP address; ignored", key);
                } else {
                        *families |= family_bit(claim.addr.family);
                        r = add_claim(plan, config, &claim, list);
                }
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

static bool is_asked_for(const struct claim_list *list, size_t first, const struct addr *addr)
{
        for (size_t i = first; i < list->count; i++)
                if (addr_equal(&list->claims[i].addr, addr))
                        return true;
        return false;
}

/* The claims of one service. `asked` receives the families for which it wants an address of its own choice.
 */
static int collect(struct plan *plan, const struct config *config, const struct service *source,
                   size_t service, enum plan_addresses addresses, unsigned int *asked,
                   struct claim_list *list)
{
        const char *annotation = source->annotations[ANNOTATION_ADDRESS];
        /* Only the leader changes what stands in a status; for all others it is what holds. */
        bool as_written = addresses == PLAN_ADDRESSES_STATUS ||
                          (addresses == PLAN_ADDRESSES_ALLOCATE && source->n_status_addrs);
        size_t first = list->count;
        int r = 0;

        if (as_written)
                *asked = WANTS_IPV4 | WANTS_IPV6;
        if (!as_written && annotation)
                r = add_asked_for(plan, config, service, annotation_key(ANNOTATION_ADDRESS), annotation,
                                  asked, list);
        else if (!as_written && asks_by_spec(source))
                r = add_asked_for(plan, config, service, "spec.loadBalancerIP", source->load_balancer_ip,
                                  asked, list);
        for (size_t i = 0; i < source->n_status_addrs && r == 0; i++) {
                const struct addr *addr = &source->status_addrs[i];
                struct claim claim = {.addr = *addr, .service = service, .from_status = true};

                /* It was dual-stack once. */
                claim.given_up = addresses == PLAN_ADDRESSES_ASSIGN &&
                                 !(wanted_families(source) & family_bit(addr->family));
                claim.second_choice =
                    !as_written && (*asked & family_bit(addr->family)) && !is_asked_for(list, first, addr);
                r = add_claim(plan, config, &claim, list);
        }
        return r;
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

/* A service may name an address twice, in its status and by asking. The list is sorted by service. */
static void drop_repetitions(struct claim_list *list)
{
        size_t kept = 0;

        for (size_t i = 0; i < list->count; i++) {
                const struct claim *last = kept ? &list->claims[kept - 1] : NULL, *claim = &list->claims[i];

                if (!last || last->service != claim->service || !addr_equal(&last->addr, &claim->addr))
                        list->claims[kept++] = *claim;
        }
        list->count = kept;
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

static int compare_to_claim(const void *addr, const void *claim)
{
        return addr_compare(addr, &((const struct claim *)claim)->addr);
}

static bool is_claimed(const struct claim_list *list, size_t count, const struct addr *addr)
{
        size_t at;

        return sorted_find(addr, list->claims, count, sizeof(*list->claims), compare_to_claim, &at);
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

/* Who got what he asked for lets go of what he had. `held` receives the families each service will have. */
static void give_up_second_choices(struct claim_list *list, unsigned int *held)
{
        for (size_t i = 0; i < list->count; i++) {
                const struct claim *claim = &list->claims[i];

                if (!claim->second_choice && !claim->given_up)
                        held[claim->service] |= family_bit(claim->addr.family);
        }
        for (size_t i = 0; i < list->count; i++) {
                struct claim *claim = &list->claims[i];
                unsigned int family = family_bit(claim->addr.family);

                claim->given_up |= claim->second_choice && (held[claim->service] & family);
                if (!claim->given_up)
                        held[claim->service] |= family;
        }
}

/* For services that neither have nor asked for an address of a family they want. The list is sorted by
 * address. */
static int allocate_missing(struct plan *plan, const struct config *config,
                            const struct service *const *sources, const unsigned int *settled,
                            struct claim_list *list)
{
        struct cursor ipv4 = {.config = config, .family = AF_INET};
        struct cursor ipv6 = {.config = config, .family = AF_INET6};
        size_t claimed = list->count;

        for (size_t i = 0; i < plan->n_services; i++) {
                unsigned int missing = wanted_families(sources[i]) & ~settled[i];
                int r = 0;

                if (missing & WANTS_IPV4)
                        r = allocate(plan, &ipv4, i, claimed, list);
                if (r == 0 && (missing & WANTS_IPV6))
                        r = allocate(plan, &ipv6, i, claimed, list);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void sort(struct claim_list *list, int (*order)(const void *, const void *))
{
        if (list->count)
                qsort(list->claims, list->count, sizeof(*list->claims), order);
}

int claims_resolve(struct plan *plan, const struct config *config, const struct service *const *sources,
                   enum plan_addresses addresses, struct claim_list *out)
{
        /* Per service the families that need no address of a pool: first those asked for, then those held
         * too. */
        _cleanup_free_ unsigned int *settled = calloc(plan->n_services + 1, sizeof(*settled));
        _cleanup_free_ unsigned int *held = calloc(plan->n_services + 1, sizeof(*held));
        int r = settled && held ? 0 : -ENOMEM;

        for (size_t i = 0; i < plan->n_services && r == 0; i++)
                r = collect(plan, config, sources[i], i, addresses, &settled[i], out);
        if (r < 0)
                return r;
        sort(out, by_addr);
        r = refuse_taken(plan, sources, out);
        if (r < 0)
                return r;
        sort(out, by_service);
        drop_repetitions(out);
        give_up_second_choices(out, held);
        if (addresses == PLAN_ADDRESSES_STATUS)
                return 0;
        for (size_t i = 0; i < plan->n_services; i++)
                settled[i] |= held[i];
        sort(out, by_addr);
        r = allocate_missing(plan, config, sources, settled, out);
        sort(out, by_service);
        return r;
}

/* Whether the service's status says just these addresses, and that they are not kube-proxy's. One without any
 * ipMode stays: a cluster that does not know it would drop it from each write. Few each. */
static bool says_already(const struct service *service, const struct claim *claims, size_t count)
{
        if (service->n_status_addrs != count || service->other_mode)
                return false;
        for (size_t i = 0; i < count; i++)
                if (!claims[i].from_status || claims[i].given_up)
                        return false;
        return true;
}

static int add_assignment(struct plan *plan, const struct service *source, const struct claim *claims,
                          size_t count)
{
        struct assignment *a = &plan->assignments[plan->n_assignments++];

        *a = (struct assignment){.namespace = strdup(source->object.namespace),
                                 .name = strdup(source->object.name),
                                 .resource_version =
                                     strdup(source->resource_version ? source->resource_version : ""),
                                 .addrs = calloc(count + 1, sizeof(*a->addrs))};
        if (!a->namespace || !a->name || !a->resource_version || !a->addrs)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                if (!claims[i].given_up)
                        a->addrs[a->n_addrs++] = claims[i].addr;
        return 0;
}

int claims_assign(struct plan *plan, const struct service *const *sources, const struct claim_list *claims)
{
        size_t begin = 0;

        plan->assignments = calloc(plan->n_services + 1, sizeof(*plan->assignments));
        if (!plan->assignments)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n_services; i++) {
                size_t end = begin;

                while (end < claims->count && claims->claims[end].service == i)
                        end++;
                if (!says_already(sources[i], claims->claims + begin, end - begin) &&
                    add_assignment(plan, sources[i], claims->claims + begin, end - begin) < 0)
                        return -ENOMEM;
                begin = end;
        }
        return 0;
}

void claims_keep_written(struct claim_list *list)
{
        size_t kept = 0;

        for (size_t i = 0; i < list->count; i++)
                if (list->claims[i].from_status)
                        list->claims[kept++] = list->claims[i];
        list->count = kept;
}

void claim_list_clear(struct claim_list *list)
{
        free(list->claims);
        *list = (struct claim_list){0};
}
