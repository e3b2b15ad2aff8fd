/* The whole pure path: objects in YAML, decoded, planned and rendered with the templates as delivered.
 * Nothing in the objects may add a directive to keepalived's configuration. */
#include "base/fileio.h"
#include "core/ipvs_config.h"
#include "core/kube_decode.h"
#include "core/yaml.h"

#include "fuzz.h"

#include <string.h>

static const char config_text[] = "loadBalancerClass: coracle.lb/ecmp\n"
                                  "pools:\n"
                                  "  - {name: public, prefixes: [10.1.1.0/28, \"fd00:1:1::/124\"]}\n"
                                  "bgp:\n"
                                  "  localAS: 65021\n"
                                  "  reflectors: [{address: 10.0.0.109, as: 65021}]\n";

static struct config *config;
static struct template_set templates;

static void add_template(const char *name, const char *path)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct template *template = NULL;
        struct error error;

        FUZZ_ASSERT(file_read(path, 1u << 20, &text, &error) == 0);
        FUZZ_ASSERT(template_parse(name, text.text, text.length, &template, &error) == 0);
        FUZZ_ASSERT(template_set_add(&templates, name, template) == 0);
}

static void set_up(void)
{
        struct error error;

        if (config)
                return;
        FUZZ_ASSERT(config_parse("fuzz", config_text, strlen(config_text), &config, &error) == 0);
        add_template(IPVS_FRAME_TEMPLATE, CORACLE_TEMPLATES "/" IPVS_FRAME_TEMPLATE);
        add_template(IPVS_SERVICE_TEMPLATE, CORACLE_TEMPLATES "/" IPVS_SERVICE_TEMPLATE);
}

static void ignore_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                       const struct error *error)
{
        (void)userdata;
        (void)kind;
        (void)namespace;
        (void)name;
        (void)error;
}

static size_t count_words(const char *text, const char *word)
{
        size_t count = 0;

        for (const char *c = strstr(text, word); c; c = strstr(c + 1, word))
                count++;
        return count;
}

static void check_text(const struct ipvs_config *out, const struct plan *plan)
{
        const char *end = IPVS_CONFIG_END;
        size_t reals = 0;

        FUZZ_ASSERT(out->text.length > strlen(end));
        FUZZ_ASSERT(strcmp(out->text.text + out->text.length - strlen(end), end) == 0);
        FUZZ_ASSERT(count_words(out->text.text, "{") == count_words(out->text.text, "}"));
        FUZZ_ASSERT(count_words(out->text.text, "\nvirtual_server ") == out->n_pieces);
        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                reals += plan->virtual_servers[i].n_real_servers;
        FUZZ_ASSERT(count_words(out->text.text, "\n    real_server ") <= reals);
        FUZZ_ASSERT(count_words(out->text.text, "notify") == 0 &&
                    count_words(out->text.text, "misc_path") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_ipvs_config_ struct ipvs_config out = {0};
        _cleanup_model_ struct model model = {0};
        _cleanup_json_ json_t *documents = NULL;
        _cleanup_plan_ struct plan *plan = NULL;
        const struct ipvs_config_request request = {.templates = &templates};
        const json_t *document;
        struct error error;
        size_t i;

        set_up();
        if (yaml_parse("fuzz", (const char *)data, size, &documents, NULL, &error) < 0)
                return 0;
        json_array_foreach (documents, i, document)
                (void)kube_decode_any(document, &model, ignore_bad, NULL, &error);
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                object_list_sort(model_list(&model, kind), kube_kind_unref(kind));
        FUZZ_ASSERT(plan_build(config, &model, PLAN_ADDRESSES_ALLOCATE, &plan) == 0);
        FUZZ_ASSERT(ipvs_config_render(&request, plan, &out, &error) == 0);
        check_text(&out, plan);
        return 0;
}
