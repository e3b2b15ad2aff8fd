#include "core/config_check.h"

#include <stdlib.h>
#include <string.h>

struct range {
        const struct prefix *prefix;
        const struct pool *pool;
};

/* A prefix comes before those that it holds. */
static int compare_ranges(const void *a, const void *b)
{
        const struct range *x = a, *y = b;
        int order = addr_compare(&x->prefix->addr, &y->prefix->addr);

        return order ? order : (int)x->prefix->length - (int)y->prefix->length;
}

/* All prefixes of all pools, sorted; NULL if out of memory. */
static struct range *sort_ranges(const struct config *config, size_t *count)
{
        struct range *ranges;
        size_t n = 0;

        for (size_t i = 0; i < config->n_pools; i++)
                n += config->pools[i].n_prefixes;
        ranges = calloc(n + 1, sizeof(*ranges));
        if (!ranges)
                return NULL;
        *count = 0;
        for (size_t i = 0; i < config->n_pools; i++)
                for (size_t j = 0; j < config->pools[i].n_prefixes; j++)
                        ranges[(*count)++] = (struct range){&config->pools[i].prefixes[j], &config->pools[i]};
        qsort(ranges, n, sizeof(*ranges), compare_ranges);
        return ranges;
}

/* An address of two prefixes would be given out twice. */
static int check_overlaps(const struct config *config, struct error *error)
{
        size_t count = 0;
        _cleanup_free_ struct range *ranges = sort_ranges(config, &count);

        if (!ranges)
                return error_oom(error);
        for (size_t i = 1; i < count; i++) {
                const struct range *outer = &ranges[i - 1], *inner = &ranges[i];
                char outer_text[PREFIX_TEXT_SIZE], inner_text[PREFIX_TEXT_SIZE];

                if (prefix_contains(outer->prefix, &inner->prefix->addr))
                        return error_set(error, NULL, "%s of pool %s lies within %s of pool %s",
                                         prefix_format(inner->prefix, inner_text), inner->pool->name,
                                         prefix_format(outer->prefix, outer_text), outer->pool->name);
        }
        return 0;
}

/* A route shorter than its pool would attract addresses that are not ours. */
static int check_lengths(const struct config *config, struct error *error)
{
        for (size_t i = 0; i < config->n_pools; i++) {
                for (size_t j = 0; j < config->pools[i].n_prefixes; j++) {
                        const struct prefix *prefix = &config->pools[i].prefixes[j];
                        uint8_t length = prefix->addr.family == AF_INET ? config->bgp.announce_length4
                                                                        : config->bgp.announce_length6;

                        if (length < prefix->length)
                                return error_set(
                                    error, NULL,
                                    "announce: a route of length %u reaches beyond pool %s (/%u)", length,
                                    config->pools[i].name, prefix->length);
                }
        }
        return 0;
}

/* Each is followed by a watch of its own. */
static int check_namespaces(const struct config *config, struct error *error)
{
        for (size_t i = 0; i < config->n_namespaces; i++)
                for (size_t j = 0; j < i; j++)
                        if (strcmp(config->namespaces[i], config->namespaces[j]) == 0)
                                return error_set(error, NULL, "namespaces: %s is given twice",
                                                 config->namespaces[i]);
        return 0;
}

int config_check(const struct config *config, const char **key, struct error *error)
{
        int r = check_overlaps(config, error);

        *key = "pools";
        if (r == 0) {
                r = check_lengths(config, error);
                *key = "bgp";
        }
        if (r == 0) {
                r = check_namespaces(config, error);
                *key = "namespaces";
        }
        return r;
}
