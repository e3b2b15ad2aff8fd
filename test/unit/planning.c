#include "planning.h"

#include "base/fileio.h"
#include "base/strbuf.h"
#include "core/manifest.h"

#include "unit.h"

#include <string.h>

struct config *config_of(const char *text)
{
        struct config *config = NULL;
        struct error error = {0};

        if (config_parse("coracle.yaml", text, strlen(text), &config, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        return config;
}

static void on_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                   const struct error *error)
{
        (void)userdata;
        fail_msg("%s %s/%s: %s", kube_kind_name(kind), namespace ? namespace : "?", name ? name : "?",
                 error->what);
}

void model_of(const char *objects, struct model *out)
{
        struct error error = {0};

        if (manifest_decode("objects.yaml", objects, strlen(objects), out, on_bad, NULL, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        object_list_sort(&out->services, service_object_unref);
        object_list_sort(&out->endpoint_slices, endpoint_slice_object_unref);
}

struct plan *plan_of(const char *config, const char *objects, enum plan_addresses addresses)
{
        _cleanup_config_ struct config *parsed = config_of(config);
        _cleanup_model_ struct model model = {0};
        struct plan *plan = NULL;

        model_of(objects, &model);
        assert_int_equal(plan_build(parsed, &model, NULL, addresses, &plan), 0);
        return plan;
}

static void tell_problems(const struct plan *plan, struct strbuf *out)
{
        for (size_t i = 0; i < plan->n_problems; i++)
                assert_int_equal(strbuf_printf(out, "! %s %s: %s\n", plan->problems[i].service,
                                               plan->problems[i].reason, plan->problems[i].message),
                                 0);
}

static void tell_addresses(const struct plan *plan, struct strbuf *out)
{
        char text[ADDR_TEXT_SIZE];

        for (size_t i = 0; i < plan->n_vips; i++)
                assert_int_equal(strbuf_printf(out, "%s %s\n", addr_format(&plan->vips[i].addr, text),
                                               plan->services[plan->vips[i].service].name),
                                 0);
}

static void tell_server(const struct plan *plan, const struct virtual_server *vs, struct strbuf *out)
{
        const struct plan_service *service = &plan->services[vs->service];
        const char *check = !vs->checked                                      ? "unchecked"
                            : service->health_check.type == HEALTH_CHECK_HTTP ? service->health_check.path
                                                                              : "tcp";
        char text[ADDR_TEXT_SIZE];

        assert_int_equal(strbuf_printf(out, "%s %s %u %s %s %s %s:", addr_format(&vs->vip, text),
                                       protocol_name(vs->protocol), vs->port, service->name, vs->scheduler,
                                       vs->forwarding == FORWARDING_TUNNEL ? "tunnel" : "nat", check),
                         0);
        for (size_t i = 0; i < vs->n_real_servers; i++) {
                const struct real_server *rs = &vs->real_servers[i];

                assert_int_equal(strbuf_printf(out, " %s:%u%s", addr_format(&rs->addr, text), rs->port,
                                               rs->weight ? "" : "*0"),
                                 0);
        }
        assert_int_equal(strbuf_puts(out, "\n"), 0);
}

static void expect_text(struct strbuf *text, const char *expected)
{
        assert_string_equal(text->text ? text->text : "", expected);
        strbuf_clear(text);
}

static void expect_told_addresses(const char *config, const char *objects, enum plan_addresses addresses,
                                  const char *expected)
{
        _cleanup_plan_ struct plan *plan = plan_of(config, objects, addresses);
        struct strbuf text = {0};

        tell_addresses(plan, &text);
        tell_problems(plan, &text);
        expect_text(&text, expected);
}

void expect_addresses(const char *config, const char *objects, const char *expected)
{
        expect_told_addresses(config, objects, PLAN_ADDRESSES_ALLOCATE, expected);
}

static void tell_assignment(const struct assignment *a, struct strbuf *out)
{
        char text[ADDR_TEXT_SIZE];

        if (!a->n_addrs)
                assert_int_equal(strbuf_printf(out, "- %s/%s\n", a->namespace, a->name), 0);
        for (size_t i = 0; i < a->n_addrs; i++)
                assert_int_equal(
                    strbuf_printf(out, "%s %s/%s\n", addr_format(&a->addrs[i], text), a->namespace, a->name),
                    0);
}

void expect_assignments(const char *config, const char *objects, const char *expected)
{
        _cleanup_plan_ struct plan *plan = plan_of(config, objects, PLAN_ADDRESSES_ASSIGN);
        struct strbuf text = {0};

        for (size_t i = 0; i < plan->n_assignments; i++)
                tell_assignment(&plan->assignments[i], &text);
        tell_problems(plan, &text);
        expect_text(&text, expected);
}

void expect_status_addresses(const char *config, const char *objects, const char *expected)
{
        expect_told_addresses(config, objects, PLAN_ADDRESSES_STATUS, expected);
}

int64_t expect_servers_at(const char *config, const char *objects, const struct drains *drains,
                          const char *expected)
{
        _cleanup_config_ struct config *parsed = config_of(config);
        _cleanup_model_ struct model model = {0};
        _cleanup_plan_ struct plan *plan = NULL;
        struct strbuf text = {0};

        model_of(objects, &model);
        assert_int_equal(plan_build(parsed, &model, drains, PLAN_ADDRESSES_ALLOCATE, &plan), 0);

        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                tell_server(plan, &plan->virtual_servers[i], &text);
        tell_problems(plan, &text);
        expect_text(&text, expected);
        return plan->drained_ms;
}

void expect_servers(const char *config, const char *objects, const char *expected)
{
        (void)expect_servers_at(config, objects, NULL, expected);
}

static void add_text(struct template_set *set, const char *name, const char *text, size_t length)
{
        struct template *template = NULL;
        struct error error = {0};

        if (template_parse(name, text, length, &template, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        assert_int_equal(template_set_add(set, name, template), 0);
}

void add_template(struct template_set *set, const char *name, const char *text)
{
        add_text(set, name, text, strlen(text));
}

void add_shipped_templates(struct template_set *set)
{
        static const char *const names[] = {IPVS_FRAME_TEMPLATE, IPVS_SERVICE_TEMPLATE};

        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                _cleanup_strbuf_ struct strbuf text = {0};
                struct error error = {0};
                char path[512];

                (void)snprintf(path, sizeof(path), TEST_TEMPLATES "/%s", names[i]);
                if (file_read(path, 1u << 20, &text, &error) < 0)
                        fail_msg("%s: %s", error.where, error.what);
                add_text(set, names[i], text.text, text.length);
        }
}
