#include "site.h"

#include "core/manifest.h"
#include "core/view.h"
#include "unit.h"

#include <string.h>

struct config *site_config(void)
{
        static const char text[] = "pools: [{name: public, prefixes: [10.1.1.0/29, 'fd00:1:1::/125']}]\n"
                                   "bgp: {localAS: 65021, reflectors: [{address: 10.0.0.109, as: 65021}]}\n";
        struct config *config = NULL;
        struct error error;

        assert_int_equal(config_parse("site", text, strlen(text), &config, &error), 0);
        return config;
}

static void fail_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        (void)userdata;
        (void)kind;
        (void)namespace;
        fail_msg("%s: %s", name ? name : "?", error->what);
}

struct plan *site_plan(const struct config *config, const char *objects, enum plan_addresses addresses)
{
        _cleanup_model_ struct model model = {0};
        struct plan *plan = NULL;
        struct error error;

        if (manifest_decode("site", objects, strlen(objects), &model, fail_bad, NULL, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                object_list_sort(model_list(&model, kind), kube_kind_unref(kind));
        assert_int_equal(plan_build(config, &model, addresses, &plan), 0);
        return plan;
}

void site_dump_plan(const struct plan *plan, struct strbuf *out)
{
        char text[ADDR_TEXT_SIZE];

        assert_int_equal(strbuf_puts(out, ""), 0);
        for (size_t i = 0; i < plan->n_virtual_servers; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];

                assert_int_equal(strbuf_printf(out, "%s %s %u %s %s%s %s:", addr_format(&vs->vip, text),
                                               protocol_name(vs->protocol), vs->port,
                                               forwarding_name(vs->forwarding), vs->scheduler,
                                               vs->checked ? "!" : "", plan->services[vs->service].name),
                                 0);
                for (size_t j = 0; j < vs->n_real_servers; j++)
                        assert_int_equal(strbuf_printf(out, " %s:%u*%u",
                                                       addr_format(&vs->real_servers[j].addr, text),
                                                       vs->real_servers[j].port, vs->real_servers[j].weight),
                                         0);
                assert_int_equal(strbuf_puts(out, "\n"), 0);
        }
}

void site_dump_problems(const struct plan *plan, struct strbuf *out)
{
        assert_int_equal(strbuf_puts(out, ""), 0);
        for (size_t i = 0; i < plan->n_problems; i++)
                assert_int_equal(
                    strbuf_printf(out, "%s %s\n", plan->problems[i].service, plan->problems[i].reason), 0);
}
