/* The way from texts to keepalived's configuration and to routes, with each single allocation failing once:
 * the answer is -ENOMEM or the right result, and never a crash, a leak or half a result. */
#include "core/announce_set.h"
#include "core/ipvs_config.h"
#include "core/kube_decode.h"
#include "core/manifest.h"
#include "core/routes.h"
#include "core/service_status.h"
#include "core/source_rules.h"

#include "unit.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const char config_text[] = "pools: [{name: public, prefixes: [10.1.1.0/29, 'fd00:1:1::/125']}]\n"
                                  "bgp: {localAS: 65021, reflectors: [{address: 10.0.0.109, as: 65021}]}\n"
                                  "defaults: {scheduler: wlc, healthCheck: {type: 'http:/live'}}\n";
static const char objects_text[] =
    "---\n"
    "{kind: Service, apiVersion: v1, metadata: {name: web, namespace: shop, annotations: "
    "{coracle.lb/forwarding: no}},"
    " spec: {type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp, ipFamilies: [IPv4, IPv6],"
    " loadBalancerSourceRanges: [10.0.0.0/8, everybody], externalTrafficPolicy: Local,"
    " ports: [{name: a, port: 80}, {name: b, port: 81}]}}\n"
    "---\n"
    "{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: {name: x, namespace: shop,"
    " labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{name: a, port: 80}, {name: b, "
    "port: 8081}],"
    " endpoints: [{addresses: [172.16.1.1]}, {addresses: [172.16.1.2]},"
    " {addresses: [172.16.1.3], conditions: {ready: false, serving: true, terminating: true}}]}\n";
static const char frame_text[] = "{{virtual_servers}}\n" IPVS_CONFIG_END;
static const char piece_text[] =
    "{{! }}\nvs {{vip}} {{port}} {\n{{#real_servers}}\n{{address}}\n{{/real_servers}}\n}\n";
static const char table_text[] =
    "IP Virtual Server version 1.2.1 (size=4096)\nProt\n  ->\nTCP  0A010101:0050 wlc \n"
    "  -> AC100101:0050 Masq 1 0 0\n";

/* ---- failing allocations; the linker leads the calls of our code here ---- */

static long allocations_left = -1; /* -1: all succeed */
static bool has_failed;

static bool fails(void)
{
        if (allocations_left < 0 || allocations_left-- > 0)
                return false;
        has_failed = true;
        return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
int __real_vasprintf(char **text, const char *format, va_list args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **text, const char *format, va_list args);

void *__wrap_malloc(size_t size)
{
        return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
        return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
        return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
        return fails() ? NULL : __real_reallocarray(memory, count, size);
}

char *__wrap_strdup(const char *text)
{
        return fails() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **text, const char *format, va_list args)
{
        return fails() ? -1 : __real_vasprintf(text, format, args);
}

/* ---- the way ---- */

/* An object for which memory runs out is told as bad, too. */
static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        (void)kind;
        (void)namespace;
        (void)name;
        (void)error;
        *(bool *)userdata = true;
}

static int add_template(struct template_set *set, const char *name, const char *text, struct error *error)
{
        _cleanup_template_ struct template *template = NULL;
        int r = template_parse(name, text, strlen(text), &template, error);

        if (r == 0)
                r = template_set_add(set, name, template);
        if (r == 0)
                (void)TAKE_PTR(template);
        return r;
}

static int read_objects(struct model *model, struct error *error)
{
        bool bad = false;
        int r = manifest_decode("objects", objects_text, strlen(objects_text), model, note_bad, &bad, error);

        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                object_list_sort(model_list(model, kind), kube_kind_unref(kind));
        return r == 0 && bad ? -ENOMEM : r;
}

/* Appends a message with the VIPs that the table lets announce. */
static int add_routes(const struct config *config, const struct plan *plan, struct strbuf *out,
                      struct error *error)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        _cleanup_announce_set_ struct announce_set set = {0};
        _cleanup_(routes_clear) struct routes routes = {0};
        struct ipvs_vip_state states[2];
        struct routes_input input = {.plan = plan, .kernel = states, .synced = true, .keepalived_up = true};
        int64_t next_ms;
        int r = ipvs_table_parse(table_text, &table, error);

        if (r < 0)
                return r;
        (void)ipvs_table_compare(&table, plan, states, NULL);
        states[0].matches = true;
        r = routes_update(&routes, &input, &next_ms);
        if (r >= 0)
                r = routes_collect(&routes, &config->bgp, &set);
        return r < 0 ? r : announce_set_encode(&set, out);
}

static int add_source_rules(const struct plan *plan, struct strbuf *out)
{
        struct source_rules rules = {0};
        int r = source_rules_render(plan, &(struct served_plans){.running = plan}, AF_INET, &rules);

        if (r == 0)
                r = source_rules_input(&rules, true, out);
        source_rules_clear(&rules);
        return r;
}

/* jansson writes on when there is no memory for a key; what is looked at here is what it was given. */
static int add_json(const json_t *json, struct strbuf *out)
{
        const long left = allocations_left;
        char *text;
        int r;

        allocations_left = -1;
        text = json_dumps(json, JSON_COMPACT);
        r = strbuf_puts(out, text);
        free(text);
        allocations_left = left;
        return r;
}

/* Appends what the leader would write. */
static int add_statuses(const struct config *config, const struct model *model, struct strbuf *out)
{
        _cleanup_plan_ struct plan *plan = NULL;
        int r = plan_build(config, model, NULL, PLAN_ADDRESSES_ASSIGN, &plan);

        for (size_t i = 0; r == 0 && i < plan->n_assignments; i++) {
                _cleanup_json_ json_t *patch = service_status_patch(&plan->assignments[i]);

                r = patch ? add_json(patch, out) : -ENOMEM;
        }
        return r;
}

static int run(struct strbuf *out, struct error *error)
{
        _cleanup_(template_set_clear) struct template_set set = {0};
        _cleanup_ipvs_config_ struct ipvs_config text = {0};
        _cleanup_config_ struct config *config = NULL;
        _cleanup_model_ struct model model = {0};
        _cleanup_(drains_clear) struct drains drains = {0};
        _cleanup_plan_ struct plan *plan = NULL;
        const struct ipvs_config_request request = {.templates = &set};
        int r;

        r = config_parse("config", config_text, strlen(config_text), &config, error);
        if (r == 0)
                r = add_template(&set, IPVS_FRAME_TEMPLATE, frame_text, error);
        if (r == 0)
                r = add_template(&set, IPVS_SERVICE_TEMPLATE, piece_text, error);
        if (r == 0)
                r = read_objects(&model, error);
        if (r == 0)
                r = drains_update(&drains, &model, 1);
        if (r == 0)
                r = plan_build(config, &model, &drains, PLAN_ADDRESSES_ALLOCATE, &plan);
        if (r == 0)
                r = ipvs_config_render(&request, plan, &text, error);
        if (r == 0)
                r = strbuf_append(out, text.text.text, text.text.length);
        if (r == 0)
                r = add_source_rules(plan, out);
        if (r == 0)
                r = add_statuses(config, &model, out);
        if (r == 0)
                r = add_routes(config, plan, out, error);
        return r;
}

static void every_allocation_may_fail(void **state)
{
        _cleanup_strbuf_ struct strbuf expected = {0};
        struct error error = {0};
        long count = 0;
        bool sound = true;

        (void)state;
        assert_int_equal(run(&expected, &error), 0);
        assert_non_null(strstr(expected.text, "vs 10.1.1.1 81 {\n172.16.1.1\n172.16.1.2\n172.16.1.3\n}\n"));
        assert_non_null(strstr(expected.text, "-d 10.1.1.1/32 -p tcp -m tcp --dport 81 -s 10.0.0.0/8"));
        assert_non_null(strstr(expected.text, "\"10.1.1.1/32\""));
        assert_non_null(strstr(expected.text, "{\"ingress\":[{\"ip\":\"10.1.1.1\",\"ipMode\":\"Proxy\"},"
                                              "{\"ip\":\"fd00:1:1::1\",\"ipMode\":\"Proxy\"}]}"));
        for (has_failed = true; has_failed; count++) {
                _cleanup_strbuf_ struct strbuf out = {0};
                int r;

                has_failed = false;
                allocations_left = count;
                r = run(&out, &error);
                allocations_left = -1;
                if (r == -ENOMEM || (r == 0 && strcmp(out.text, expected.text) == 0))
                        continue;
                print_message("allocation %ld fails: %s\n", count, r < 0 ? error.what : "another result");
                sound = false;
        }
        print_message("%ld allocations, each failed once\n", count - 1);
        assert_true(count > 100 && sound);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_allocation_may_fail),
        };

        json_set_alloc_funcs(__wrap_malloc, free);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
