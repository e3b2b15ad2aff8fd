#include "site.h"

#include "base/fileio.h"
#include "core/manifest.h"

#include "fuzz.h"

#include <string.h>

static const char config_text[] = "loadBalancerClass: coracle.lb/ecmp\n"
                                  "pools:\n"
                                  "  - {name: public, prefixes: [10.1.1.0/28, \"fd00:1:1::/124\"]}\n"
                                  "bgp:\n"
                                  "  localAS: 65021\n"
                                  "  reflectors: [{address: 10.0.0.109, as: 65021}]\n";

const struct config *site_config(void)
{
        static struct config *config;
        struct error error;

        if (!config)
                FUZZ_ASSERT(config_parse("site", config_text, strlen(config_text), &config, &error) == 0);
        return config;
}

static void add_template(struct template_set *set, const char *name)
{
        _cleanup_strbuf_ struct strbuf text = {0}, path = {0};
        struct template *template = NULL;
        struct error error;

        FUZZ_ASSERT(strbuf_printf(&path, "%s/%s", CORACLE_TEMPLATES, name) == 0);
        FUZZ_ASSERT(file_read(path.text, 1u << 20, &text, &error) == 0);
        FUZZ_ASSERT(template_parse(name, text.text, text.length, &template, &error) == 0);
        FUZZ_ASSERT(template_set_add(set, name, template) == 0);
}

const struct template_set *site_templates(void)
{
        static struct template_set set;

        if (set.count == 0) {
                add_template(&set, IPVS_FRAME_TEMPLATE);
                add_template(&set, IPVS_SERVICE_TEMPLATE);
        }
        return &set;
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

struct plan *site_plan(const char *objects, size_t length)
{
        _cleanup_model_ struct model model = {0};
        struct plan *plan = NULL;
        struct error error;

        (void)manifest_decode("site", objects, length, &model, ignore_bad, NULL, &error);
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                object_list_sort(model_list(&model, kind), kube_kind_unref(kind));
        FUZZ_ASSERT(plan_build(site_config(), &model, NULL, PLAN_ADDRESSES_ALLOCATE, &plan) == 0);
        return plan;
}
