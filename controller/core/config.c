#include "core/config.h"

#include "base/strbuf.h"
#include "core/config_check.h"
#include "core/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading: one function per type, one table per mapping ---- */

struct reader {
        const char *file;
        const struct yaml_lines *lines;
        struct error *error;
};

typedef int read_fn(const struct reader *r, const char *key, const json_t *value, void *out);

struct field {
        const char *key;
        read_fn *read;
        size_t offset;
        bool required;
};

#define FAIL(r, value, ...) \
        error_set_line((r)->error, (r)->file, yaml_line_of((r)->lines, value), __VA_ARGS__)

static const struct field *find_field(const struct field *fields, const char *key)
{
        for (const struct field *f = fields; f->key; f++)
                if (strcmp(f->key, key) == 0)
                        return f;
        return NULL;
}

static int fail_unknown(const struct reader *r, const json_t *value, const char *key,
                        const struct field *fields)
{
        _cleanup_strbuf_ struct strbuf known = {0};

        for (const struct field *f = fields; f->key; f++)
                if (strbuf_printf(&known, "%s%s", f == fields ? "" : ", ", f->key) < 0)
                        return error_oom(r->error);
        return FAIL(r, value, "unknown key '%s' (known here: %s)", key, known.text);
}

/* Reads a mapping into the struct at `out`, by table. */
static int read_fields(const struct reader *r, const char *name, const json_t *mapping,
                       const struct field *fields, void *out)
{
        const char *key;
        json_t *value;
        int result;

        if (!json_is_object(mapping))
                return FAIL(r, mapping, "%s must be a mapping", name);
        json_object_foreach ((json_t *)mapping, key, value) {
                const struct field *f = find_field(fields, key);

                if (!f)
                        return fail_unknown(r, value, key, fields);
                result = f->read(r, key, value, (char *)out + f->offset);
                if (result < 0)
                        return result;
        }
        for (const struct field *f = fields; f->key; f++)
                if (f->required && !json_object_get(mapping, f->key))
                        return FAIL(r, mapping, "%s lacks the key '%s'", name, f->key);
        return 0;
}

/* Reads a sequence into a new array of `size` bytes per element. */
static int read_sequence(const struct reader *r, const char *key, const json_t *sequence, size_t size,
                         read_fn *read_element, void **elements, size_t *count)
{
        size_t n = json_array_size(sequence);

        if (!json_is_array(sequence) || n == 0)
                return FAIL(r, sequence, "%s must be a list with at least one element", key);
        if (*elements)
                return FAIL(r, sequence, "%s is given twice", key);
        *elements = calloc(n, size);
        if (!*elements)
                return error_oom(r->error);
        *count = n;
        for (size_t i = 0; i < n; i++) {
                int result = read_element(r, key, json_array_get(sequence, i), (char *)*elements + i * size);

                if (result < 0)
                        return result;
        }
        return 0;
}

static int read_text(const struct reader *r, const char *key, const json_t *value, void *out)
{
        char **text = out;

        if (!json_is_string(value) || !token_is_safe(json_string_value(value)))
                return FAIL(r, value, "%s must be a text of [A-Za-z0-9._:/-]", key);
        free(*text);
        *text = strdup(json_string_value(value));
        return *text ? 0 : error_oom(r->error);
}

static int read_uint(const struct reader *r, const char *key, const json_t *value, json_int_t min,
                     json_int_t max, uint32_t *out)
{
        if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
                return FAIL(r, value, "%s must be an integer from %lld to %lld", key, (long long)min,
                            (long long)max);
        *out = (uint32_t)json_integer_value(value);
        return 0;
}

static int read_as(const struct reader *r, const char *key, const json_t *value, void *out)
{
        return read_uint(r, key, value, 1, UINT32_MAX, out);
}

static int read_hold_time(const struct reader *r, const char *key, const json_t *value, void *out)
{
        return read_uint(r, key, value, 3, 65535, out);
}

static int read_percent(const struct reader *r, const char *key, const json_t *value, void *out)
{
        return read_uint(r, key, value, 1, 99, out);
}

static int read_retries(const struct reader *r, const char *key, const json_t *value, void *out)
{
        return read_uint(r, key, value, 0, 100, out);
}

static int read_prefix_length(const struct reader *r, const char *key, const json_t *value, void *out)
{
        uint32_t length = 0;
        int result = read_uint(r, key, value, 1, strcmp(key, "ipv4Length") == 0 ? 32 : 128, &length);

        if (result == 0)
                *(uint8_t *)out = (uint8_t)length;
        return result;
}

/* Seconds, fractions allowed, as keepalived's timers allow them. */
static int read_seconds(const struct reader *r, const char *key, const json_t *value, void *out)
{
        double seconds = json_number_value(value);

        if (!json_is_number(value) || !(seconds >= 0.05 && seconds <= 3600))
                return FAIL(r, value, "%s must be a number of seconds from 0.05 to 3600", key);
        *(uint32_t *)out = (uint32_t)(seconds * 1000 + 0.5);
        return 0;
}

/* A label of RFC 1123, as the API has it. */
static int read_namespace(const struct reader *r, const char *key, const json_t *value, void *out)
{
        const char *text = json_string_value(value);
        size_t length = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;

        if (!length || length > 63 || text[length] || text[0] == '-' || text[length - 1] == '-')
                return FAIL(r, value, "%s must be names of namespaces", key);
        return read_text(r, key, value, out);
}

static int read_address(const struct reader *r, const char *key, const json_t *value, void *out)
{
        if (!json_is_string(value) || addr_parse(json_string_value(value), out) < 0)
                return FAIL(r, value, "%s must be an IP address", key);
        return 0;
}

static int read_prefix(const struct reader *r, const char *key, const json_t *value, void *out)
{
        if (!json_is_string(value) || prefix_parse(json_string_value(value), out) < 0)
                return FAIL(r, value, "%s must be prefixes like 10.1.1.0/24 or fd00::/112, without host bits",
                            key);
        return 0;
}

static int read_prefixes(const struct reader *r, const char *key, const json_t *value, void *out)
{
        struct pool *pool = container_of(out, struct pool, prefixes);

        return read_sequence(r, key, value, sizeof(*pool->prefixes), read_prefix, (void **)&pool->prefixes,
                             &pool->n_prefixes);
}

static int read_pool(const struct reader *r, const char *key, const json_t *value, void *out)
{
        static const struct field fields[] = {
            {"name", read_text, offsetof(struct pool, name), true},
            {"prefixes", read_prefixes, offsetof(struct pool, prefixes), true},
            {NULL},
        };

        return read_fields(r, key, value, fields, out);
}

static int read_pools(const struct reader *r, const char *key, const json_t *value, void *out)
{
        struct config *config = container_of(out, struct config, pools);

        return read_sequence(r, key, value, sizeof(*config->pools), read_pool, (void **)&config->pools,
                             &config->n_pools);
}

static int read_reflector(const struct reader *r, const char *key, const json_t *value, void *out)
{
        static const struct field fields[] = {
            {"address", read_address, offsetof(struct bgp_neighbor, address), true},
            {"as", read_as, offsetof(struct bgp_neighbor, as), true},
            {NULL},
        };

        return read_fields(r, key, value, fields, out);
}

static int read_reflectors(const struct reader *r, const char *key, const json_t *value, void *out)
{
        struct bgp_config *bgp = container_of(out, struct bgp_config, reflectors);

        return read_sequence(r, key, value, sizeof(*bgp->reflectors), read_reflector,
                             (void **)&bgp->reflectors, &bgp->n_reflectors);
}

static int read_announce(const struct reader *r, const char *key, const json_t *value, void *out)
{
        static const struct field fields[] = {
            {"ipv4Length", read_prefix_length, offsetof(struct bgp_config, announce_length4), false},
            {"ipv6Length", read_prefix_length, offsetof(struct bgp_config, announce_length6), false},
            {NULL},
        };

        return read_fields(r, key, value, fields, out);
}

static int read_bgp(const struct reader *r, const char *key, const json_t *value, void *out)
{
        static const struct field fields[] = {
            {"localAS", read_as, offsetof(struct bgp_config, local_as), true},
            {"holdTime", read_hold_time, offsetof(struct bgp_config, hold_time_s), false},
            {"reflectors", read_reflectors, offsetof(struct bgp_config, reflectors), true},
            {"passwordFile", read_text, offsetof(struct bgp_config, password_file), false},
            {"announce", read_announce, 0, false},
            {NULL},
        };

        return read_fields(r, key, value, fields, out);
}

static int read_forwarding(const struct reader *r, const char *key, const json_t *value, void *out)
{
        if (!json_is_string(value) || forwarding_parse(json_string_value(value), out) < 0)
                return FAIL(r, value, "%s must be nat or tunnel", key);
        return 0;
}

static int read_scheduler(const struct reader *r, const char *key, const json_t *value, void *out)
{
        if (!json_is_string(value) || !scheduler_lookup(json_string_value(value)))
                return FAIL(r, value, "%s must be a scheduler of IPVS, such as rr, wlc or mh", key);
        return read_text(r, key, value, out);
}

static int read_health_check_type(const struct reader *r, const char *key, const json_t *value, void *out)
{
        int result = json_is_string(value) ? health_check_parse(json_string_value(value), out) : -EINVAL;

        if (result == -ENOMEM)
                return error_oom(r->error);
        if (result < 0)
                return FAIL(r, value, "%s must be tcp, none or http:/path", key);
        return 0;
}

static int read_health_check(const struct reader *r, const char *key, const json_t *value, void *out)
{
        static const struct field fields[] = {
            {"type", read_health_check_type, 0, false},
            {"interval", read_seconds, offsetof(struct health_check, interval_ms), false},
            {"timeout", read_seconds, offsetof(struct health_check, timeout_ms), false},
            {"retries", read_retries, offsetof(struct health_check, retries), false},
            {NULL},
        };

        return read_fields(r, key, value, fields, out);
}

static int read_defaults(const struct reader *r, const char *key, const json_t *value, void *out)
{
        static const struct field fields[] = {
            {"forwarding", read_forwarding, offsetof(struct config, default_forwarding), false},
            {"scheduler", read_scheduler, offsetof(struct config, default_scheduler), false},
            {"healthCheck", read_health_check, offsetof(struct config, default_health_check), false},
            {NULL},
        };

        return read_fields(r, key, value, fields, out);
}

static int read_namespaces(const struct reader *r, const char *key, const json_t *value, void *out)
{
        struct config *config = container_of(out, struct config, namespaces);

        return read_sequence(r, key, value, sizeof(*config->namespaces), read_namespace,
                             (void **)&config->namespaces, &config->n_namespaces);
}

static int read_document(const struct reader *r, const json_t *document, struct config *config)
{
        static const struct field fields[] = {
            {"loadBalancerClass", read_text, offsetof(struct config, load_balancer_class), false},
            {"pools", read_pools, offsetof(struct config, pools), true},
            {"bgp", read_bgp, offsetof(struct config, bgp), true},
            {"defaults", read_defaults, 0, false},
            {"namespaces", read_namespaces, offsetof(struct config, namespaces), false},
            {"maxRemovalPercent", read_percent, offsetof(struct config, max_removal_percent), false},
            {"maxRemovalHold", read_seconds, offsetof(struct config, max_removal_hold_ms), false},
            {NULL},
        };
        const char *key = NULL;
        int result = read_fields(r, "the configuration", document, fields, config);

        if (result == 0)
                result = config_check(config, &key, r->error);
        if (result == -EINVAL && key) {
                struct error conflict = *r->error;

                result = FAIL(r, json_object_get(document, key), "%s", conflict.what);
        }
        return result;
}

static struct config *new_with_defaults(void)
{
        _cleanup_config_ struct config *config = calloc(1, sizeof(*config));

        if (!config)
                return NULL;
        config->load_balancer_class = strdup("coracle.lb/ecmp");
        if (!config->load_balancer_class)
                return NULL;
        config->max_removal_hold_ms = 300000;
        config->bgp.hold_time_s = 9;
        config->bgp.announce_length4 = 32;
        config->bgp.announce_length6 = 128;
        config->default_health_check = (struct health_check){
            .type = HEALTH_CHECK_TCP, .interval_ms = 2000, .timeout_ms = 1000, .retries = 1};
        return TAKE_PTR(config);
}

int config_parse(const char *file, const char *text, size_t length, struct config **out, struct error *error)
{
        _cleanup_yaml_lines_ struct yaml_lines *lines = NULL;
        _cleanup_config_ struct config *config = NULL;
        _cleanup_json_ json_t *documents = NULL;
        int r;

        r = yaml_parse(file, text, length, &documents, &lines, error);
        if (r < 0)
                return r;
        if (json_array_size(documents) != 1)
                return error_set(error, file, "must hold one YAML document, not %zu",
                                 json_array_size(documents));
        config = new_with_defaults();
        if (!config)
                return error_oom(error);
        r = read_document(&(struct reader){file, lines, error}, json_array_get(documents, 0), config);
        if (r < 0)
                return r;
        *out = TAKE_PTR(config);
        return 0;
}

void config_free(struct config *config)
{
        if (!config)
                return;
        for (size_t i = 0; i < config->n_pools; i++) {
                free(config->pools[i].name);
                free(config->pools[i].prefixes);
        }
        free(config->pools);
        for (size_t i = 0; i < config->n_namespaces; i++)
                free(config->namespaces[i]);
        free(config->namespaces);
        free(config->load_balancer_class);
        free(config->bgp.reflectors);
        free(config->bgp.password_file);
        free(config->default_scheduler);
        free(config->default_health_check.path);
        free(config);
}

const struct prefix *config_pool_of(const struct config *config, const struct addr *addr)
{
        for (size_t i = 0; i < config->n_pools; i++)
                for (size_t j = 0; j < config->pools[i].n_prefixes; j++)
                        if (prefix_contains(&config->pools[i].prefixes[j], addr))
                                return &config->pools[i].prefixes[j];
        return NULL;
}
