#include "core/announce_set.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

void announce_set_clear(struct announce_set *set)
{
        prefix_list_clear(&set->routes);
        prefix_list_clear(&set->pools);
        prefix_list_clear(&set->withheld);
        set->graceful_shutdown = set->starting = false;
}

int announce_set_copy(struct announce_set *to, const struct announce_set *from)
{
        _cleanup_announce_set_ struct announce_set set = {.graceful_shutdown = from->graceful_shutdown,
                                                          .starting = from->starting};

        if (prefix_list_copy(&set.routes, &from->routes) < 0 ||
            prefix_list_copy(&set.pools, &from->pools) < 0 ||
            prefix_list_copy(&set.withheld, &from->withheld) < 0)
                return -ENOMEM;
        announce_set_clear(to);
        *to = set;
        set = (struct announce_set){0};
        return 0;
}

void announce_report_clear(struct announce_report *report)
{
        prefix_list_clear(&report->announced);
        report->graceful_shutdown = false;
        report->neighbors_up = report->neighbors = 0;
}

/* Prefixes need no escapes, so that the messages are written without building JSON values. */
static int append_prefixes(struct strbuf *out, const char *key, const struct prefix_list *list)
{
        char text[PREFIX_TEXT_SIZE];
        int r = strbuf_printf(out, "\"%s\":[", key);

        for (size_t i = 0; r == 0 && i < list->count; i++)
                r = strbuf_printf(out, "%s\"%s\"", i ? "," : "", prefix_format(&list->prefixes[i], text));
        return r < 0 ? r : strbuf_puts(out, "]");
}

int announce_set_encode(const struct announce_set *set, struct strbuf *out)
{
        _cleanup_strbuf_ struct strbuf line = {0};

        if (strbuf_puts(&line, "{") < 0 || append_prefixes(&line, "routes", &set->routes) < 0 ||
            strbuf_puts(&line, ",") < 0 || append_prefixes(&line, "pools", &set->pools) < 0 ||
            strbuf_printf(&line, ",\"graceful_shutdown\":%s,\"starting\":%s,",
                          set->graceful_shutdown ? "true" : "false", set->starting ? "true" : "false") < 0 ||
            append_prefixes(&line, "withheld", &set->withheld) < 0 || strbuf_puts(&line, "}\n") < 0)
                return -ENOMEM;
        return strbuf_append(out, line.text, line.length);
}

int announce_report_encode(const struct announce_report *report, struct strbuf *out)
{
        _cleanup_strbuf_ struct strbuf line = {0};

        if (strbuf_puts(&line, "{") < 0 || append_prefixes(&line, "announced", &report->announced) < 0 ||
            strbuf_printf(&line, ",\"graceful_shutdown\":%s,\"neighbors_up\":%u,\"neighbors\":%u}\n",
                          report->graceful_shutdown ? "true" : "false", report->neighbors_up,
                          report->neighbors) < 0)
                return -ENOMEM;
        return strbuf_append(out, line.text, line.length);
}

static int decode_object(const char *line, size_t length, json_t **out, struct error *error)
{
        _cleanup_json_ json_t *json = NULL;
        json_error_t json_error;

        if (length > ANNOUNCE_MESSAGE_MAX)
                return error_set(error, NULL, "message of %zu bytes is too long", length);
        json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &json_error);
        if (!json && json_error_code(&json_error) == json_error_out_of_memory)
                return error_oom(error);
        if (!json)
                return error_set(error, NULL, "message is not JSON: %s", json_error.text);
        if (!json_is_object(json))
                return error_set(error, NULL, "message is not a JSON object");
        *out = TAKE_PTR(json);
        return 0;
}

static int decode_prefixes(const json_t *object, const char *key, struct prefix_list *out,
                           struct error *error)
{
        const json_t *array = json_object_get(object, key), *element;
        struct prefix prefix;
        size_t i;

        if (!json_is_array(array))
                return error_set(error, NULL, "\"%s\" must be an array of prefixes", key);
        json_array_foreach (array, i, element) {
                if (!json_is_string(element) || prefix_parse(json_string_value(element), &prefix) < 0)
                        return error_set(error, NULL, "\"%s\": element %zu is not a prefix", key, i);
                if (prefix_list_append(out, &prefix) < 0)
                        return error_oom(error);
        }
        prefix_list_sort(out);
        return 0;
}

static int decode_count(const json_t *object, const char *key, unsigned int *out, struct error *error)
{
        const json_t *value = json_object_get(object, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > UINT_MAX)
                return error_set(error, NULL, "\"%s\" must be a count", key);
        *out = (unsigned int)json_integer_value(value);
        return 0;
}

static int decode_flag(const json_t *object, const char *key, bool *out, struct error *error)
{
        const json_t *flag = json_object_get(object, key);

        if (!json_is_boolean(flag))
                return error_set(error, NULL, "\"%s\" must be true or false", key);
        *out = json_is_true(flag);
        return 0;
}

int announce_set_decode(const char *line, size_t length, struct announce_set *out, struct error *error)
{
        _cleanup_announce_set_ struct announce_set set = {0};
        _cleanup_json_ json_t *object = NULL;
        int r;

        r = decode_object(line, length, &object, error);
        if (r < 0)
                return r;
        r = decode_prefixes(object, "routes", &set.routes, error);
        if (r < 0)
                return r;
        r = decode_prefixes(object, "pools", &set.pools, error);
        if (r < 0)
                return r;
        r = decode_flag(object, "graceful_shutdown", &set.graceful_shutdown, error);
        if (r == 0 && json_object_get(object, "starting"))
                r = decode_flag(object, "starting", &set.starting, error);
        if (r == 0 && json_object_get(object, "withheld"))
                r = decode_prefixes(object, "withheld", &set.withheld, error);
        if (r < 0)
                return r;

        announce_set_clear(out);
        *out = set;
        set = (struct announce_set){0};
        return 0;
}

int announce_report_decode(const char *line, size_t length, struct announce_report *out, struct error *error)
{
        _cleanup_announce_report_ struct announce_report report = {0};
        _cleanup_json_ json_t *object = NULL;
        int r;

        r = decode_object(line, length, &object, error);
        if (r < 0)
                return r;
        r = decode_prefixes(object, "announced", &report.announced, error);
        if (r < 0)
                return r;
        r = decode_flag(object, "graceful_shutdown", &report.graceful_shutdown, error);
        if (r < 0)
                return r;
        r = decode_count(object, "neighbors_up", &report.neighbors_up, error);
        if (r < 0)
                return r;
        r = decode_count(object, "neighbors", &report.neighbors, error);
        if (r < 0)
                return r;

        announce_report_clear(out);
        *out = report;
        report = (struct announce_report){0};
        return 0;
}

/* Returns 1 if a line was written, 0 if the family has no next-hop, or -ENOMEM. */
static int append_route(struct strbuf *lines, const char *verb, const struct prefix *prefix,
                        const struct addr *next_hop4, const struct addr *next_hop6, bool graceful_shutdown)
{
        const struct addr *next_hop = prefix->addr.family == AF_INET6 ? next_hop6 : next_hop4;
        char prefix_text[PREFIX_TEXT_SIZE], addr_text[ADDR_TEXT_SIZE];
        int r;

        if (!next_hop)
                return 0;
        r = strbuf_printf(lines, "%s route %s next-hop %s%s\n", verb, prefix_format(prefix, prefix_text),
                          addr_format(next_hop, addr_text),
                          graceful_shutdown ? " community [ 65535:0 ]" : "");
        return r < 0 ? r : 1;
}

static int append_missing(struct strbuf *lines, const char *verb, const struct prefix_list *of,
                          const struct prefix_list *in, const struct addr *next_hop4,
                          const struct addr *next_hop6, bool graceful_shutdown)
{
        int n = 0, r;

        for (size_t i = 0, j = 0; i < of->count; i++) {
                while (j < in->count && prefix_compare(&in->prefixes[j], &of->prefixes[i]) < 0)
                        j++;
                if (j < in->count && prefix_compare(&in->prefixes[j], &of->prefixes[i]) == 0)
                        continue;
                r = append_route(lines, verb, &of->prefixes[i], next_hop4, next_hop6, graceful_shutdown);
                if (r < 0)
                        return r;
                n += r;
        }
        return n;
}

int announce_set_diff(const struct announce_set *announced, const struct announce_set *wanted,
                      const struct addr *next_hop4, const struct addr *next_hop6, struct strbuf *lines)
{
        /* Another community means another announcement of every route; exabgp replaces it in place. */
        static const struct prefix_list none;
        const struct prefix_list *same =
            announced->graceful_shutdown == wanted->graceful_shutdown ? &announced->routes : &none;
        _cleanup_strbuf_ struct strbuf diff = {0};
        int n_withdrawn, n_announced;

        n_withdrawn = append_missing(&diff, "withdraw", &announced->routes, &wanted->routes, next_hop4,
                                     next_hop6, false);
        if (n_withdrawn < 0)
                return n_withdrawn;
        n_announced = append_missing(&diff, "announce", &wanted->routes, same, next_hop4, next_hop6,
                                     wanted->graceful_shutdown);
        if (n_announced < 0)
                return n_announced;
        if (diff.length && strbuf_append(lines, diff.text, diff.length) < 0)
                return -ENOMEM;
        return n_withdrawn + n_announced;
}
