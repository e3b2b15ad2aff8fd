#include "core/ipvs_config.h"

#include "site.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define FRAME "# frame\n{{#notify_fifo}}\nfifo {{.}}\n{{/notify_fifo}}\n{{virtual_servers}}\n" IPVS_CONFIG_END
#define PIECE "virtual_server {{vip}} {{port}} {\n{{#real_servers}}\n  rs {{address}}\n{{/real_servers}}\n}\n"

/* Two services, "a" on 10.1.1.1 and "b" on 10.1.1.2; `meta` is a's. */
#define OBJECTS(meta, address)                                                                \
        SERVICE("a", meta, ", ports: [{port: 80}]")                                           \
        SERVICE("b", "", ", ports: [{port: 80}]") SLICE("x", "a", IPV4("80", READY(address))) \
            SLICE("y", "b", IPV4("80", READY("172.16.1.9")))

static void add_template(struct template_set *set, const char *name, const char *text)
{
        struct template *template = NULL;
        struct error error;

        assert_int_equal(template_parse(name, text, strlen(text), &template, &error), 0);
        assert_int_equal(template_set_add(set, name, template), 0);
}

static struct template_set templates(const char *frame, const char *piece)
{
        struct template_set set = {0};

        add_template(&set, IPVS_FRAME_TEMPLATE, frame);
        if (piece)
                add_template(&set, IPVS_SERVICE_TEMPLATE, piece);
        add_template(&set, "unbalanced", "virtual_server {\n{\n}\n");
        add_template(&set, "unknown_name", "ok\n{{nothing}}\n");
        add_template(&set, "hidden_braces", "# }\n! {\nx \"}\" {\n}");
        return set;
}

static struct plan *plan_of(const char *objects)
{
        _cleanup_config_ struct config *config = site_config();

        return site_plan(config, objects, PLAN_ADDRESSES_ALLOCATE);
}

/* Renders with the usual templates and asserts the text between frame and end, and the problems. */
static void assert_text(struct plan *plan, const struct ipvs_config *accepted, const bool *refused,
                        const char *pieces, const char *problems, struct ipvs_config *out)
{
        _cleanup_(template_set_clear) struct template_set set = templates(FRAME, PIECE);
        const struct ipvs_config_request request = {
            .templates = &set, .accepted = accepted, .refused = refused};
        _cleanup_strbuf_ struct strbuf expected = {0}, complaints = {0};
        struct error error;

        assert_int_equal(ipvs_config_render(&request, plan, out, &error), 0);
        assert_int_equal(strbuf_printf(&expected, "# frame\n%s" IPVS_CONFIG_END, pieces), 0);
        assert_string_equal(out->text.text, expected.text);
        site_dump_problems(plan, &complaints);
        assert_string_equal(complaints.text, problems);
}

#define A(server) "virtual_server 10.1.1.1 80 {\n  rs " server "\n}\n"
#define B "virtual_server 10.1.1.2 80 {\n  rs 172.16.1.9\n}\n"

static void every_virtual_server_has_its_piece(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(OBJECTS("", "172.16.1.1"));
        _cleanup_ipvs_config_ struct ipvs_config config = {0};

        (void)state;
        assert_text(plan, NULL, NULL, A("172.16.1.1") B, "", &config);
        assert_int_equal(config.n_pieces, 2);
        assert_int_equal(ipvs_config_piece_at(&config, 1), -1);
        assert_int_equal(ipvs_config_piece_at(&config, 2), 0);
        assert_int_equal(ipvs_config_piece_at(&config, 4), 0);
        assert_int_equal(ipvs_config_piece_at(&config, 5), 1);
        assert_int_equal(ipvs_config_piece_at(&config, 7), 1);
        assert_int_equal(ipvs_config_piece_at(&config, 8), -1);
        assert_int_equal(ipvs_config_piece_of(&config, &plan->virtual_servers[1]), 1);
}

static void empty_plan_renders_the_frame(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(SERVICE("a", "", ", ports: [{port: 80}]"));
        _cleanup_ipvs_config_ struct ipvs_config config = {0};

        (void)state;
        assert_text(plan, NULL, NULL, "", "", &config);
}

static void fifo_is_named_only_when_there_is_one(void **state)
{
        _cleanup_(template_set_clear) struct template_set set = templates(FRAME, PIECE);
        const struct ipvs_config_request request = {.templates = &set, .notify_fifo = "/run/coracle/fifo"};
        _cleanup_plan_ struct plan *plan = plan_of(SERVICE("a", "", ""));
        _cleanup_ipvs_config_ struct ipvs_config config = {0};
        struct error error;

        (void)state;
        assert_int_equal(ipvs_config_render(&request, plan, &config, &error), 0);
        assert_string_equal(config.text.text, "# frame\nfifo /run/coracle/fifo\n" IPVS_CONFIG_END);
}

static void bad_template_leaves_out_its_service_only(void **state)
{
        static const char *const names[] = {"unbalanced", "unknown_name"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                _cleanup_strbuf_ struct strbuf objects = {0};
                _cleanup_ipvs_config_ struct ipvs_config config = {0};
                struct plan *plan;

                assert_int_equal(
                    strbuf_printf(&objects, OBJECTS(", annotations: {coracle.lb/template: %s}", "172.16.1.1"),
                                  names[i]),
                    0);
                plan = plan_of(objects.text);
                assert_text(plan, NULL, NULL, B, "shop/a TemplateFailed\n", &config);
                plan_free(plan);
        }
}

static void braces_in_comments_and_quotes_do_not_count(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(OBJECTS(", annotations: {coracle.lb/template: hidden_braces}", "172.16.1.1"));
        _cleanup_ipvs_config_ struct ipvs_config config = {0};

        (void)state;
        assert_text(plan, NULL, NULL, "# }\n! {\nx \"}\" {\n}\n" B, "", &config);
}

static void missing_template_is_a_problem_and_the_default_is_used(void **state)
{
        _cleanup_plan_ struct plan *plan =
            plan_of(OBJECTS(", annotations: {coracle.lb/template: nowhere}", "172.16.1.1"));
        _cleanup_ipvs_config_ struct ipvs_config config = {0};

        (void)state;
        assert_text(plan, NULL, NULL, A("172.16.1.1") B, "shop/a TemplateMissing\n", &config);
}

static void refused_virtual_server_keeps_what_was_accepted(void **state)
{
        _cleanup_plan_ struct plan *before = plan_of(OBJECTS("", "172.16.1.1"));
        _cleanup_plan_ struct plan *plan = plan_of(OBJECTS("", "172.16.1.2"));
        _cleanup_ipvs_config_ struct ipvs_config accepted = {0}, config = {0};
        const bool refused[] = {true, false};

        (void)state;
        assert_text(before, NULL, NULL, A("172.16.1.1") B, "", &accepted);
        assert_text(plan, &accepted, refused, A("172.16.1.1") B, "shop/a TemplateFailed\n", &config);
        assert_true(config.pieces[0].held);
        assert_false(config.pieces[1].held);
        assert_int_equal(config.pieces[0].n_lines, 3);
}

static void refused_virtual_server_that_is_new_is_left_out(void **state)
{
        _cleanup_plan_ struct plan *plan = plan_of(OBJECTS("", "172.16.1.2"));
        _cleanup_ipvs_config_ struct ipvs_config accepted = {0}, config = {0};
        const bool refused[] = {false, true};

        (void)state;
        assert_text(plan, &accepted, refused, A("172.16.1.2"), "shop/b TemplateFailed\n", &config);
        assert_int_equal(config.n_pieces, 1);
        assert_int_equal(ipvs_config_piece_of(&config, &plan->virtual_servers[1]), -1);
}

static void frame_that_could_be_cut_short_is_refused(void **state)
{
        static const char *const frames[] = {
            "no pieces\n" IPVS_CONFIG_END,
            "{{virtual_servers}}\n{{virtual_servers}}\n" IPVS_CONFIG_END,
            "{{virtual_servers}}\n",
            "{{virtual_servers}}\n" IPVS_CONFIG_END "more\n",
            "{{virtual_servers}}\n{{nothing}}\n" IPVS_CONFIG_END,
            "",
        };
        _cleanup_plan_ struct plan *plan = plan_of(OBJECTS("", "172.16.1.2"));

        (void)state;
        for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
                struct template_set set = templates(frames[i], PIECE);
                const struct ipvs_config_request request = {.templates = &set};
                _cleanup_ipvs_config_ struct ipvs_config config = {0};
                struct error error = {0};

                assert_int_equal(ipvs_config_render(&request, plan, &config, &error), -EINVAL);
                assert_non_null(strstr(error.where, IPVS_FRAME_TEMPLATE));
                template_set_clear(&set);
        }
}

static void templates_are_found_by_name(void **state)
{
        _cleanup_(template_set_clear) struct template_set set = templates(FRAME, PIECE);

        (void)state;
        assert_non_null(template_set_find(&set, "unbalanced"));
        assert_non_null(template_set_find(&set, IPVS_FRAME_TEMPLATE));
        assert_null(template_set_find(&set, "ipvs"));
        assert_null(template_set_find(&set, ""));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_virtual_server_has_its_piece),
            cmocka_unit_test(empty_plan_renders_the_frame),
            cmocka_unit_test(fifo_is_named_only_when_there_is_one),
            cmocka_unit_test(bad_template_leaves_out_its_service_only),
            cmocka_unit_test(braces_in_comments_and_quotes_do_not_count),
            cmocka_unit_test(missing_template_is_a_problem_and_the_default_is_used),
            cmocka_unit_test(refused_virtual_server_keeps_what_was_accepted),
            cmocka_unit_test(refused_virtual_server_that_is_new_is_left_out),
            cmocka_unit_test(frame_that_could_be_cut_short_is_refused),
            cmocka_unit_test(templates_are_found_by_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
