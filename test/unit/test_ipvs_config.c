#include "core/ipvs_config.h"

#include "core/refusals.h"

#include "planning.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define END IPVS_CONFIG_END
#define FRAME "head\n{{virtual_servers}}\n" END

/* Templates, a plan of two services, and what came of it. */
struct rendering {
        struct template_set templates;
        struct plan *plan;
        struct ipvs_config config;
        struct error error;
};

static void rendering_clear(struct rendering *r)
{
        template_set_clear(&r->templates);
        plan_free(r->plan);
        ipvs_config_clear(&r->config);
}

#define RENDERING(r) _cleanup_(rendering_clear) struct rendering r = {0}
#define SERVED(name, meta) SERVICE(name, meta, PORT80, "") SLICE(name "-1", name, READY("172.16.1.1"))
#define TEMPLATE(name) ANNOTATIONS("coracle.lb/template: " name)
#define A_AND_B SERVED("a", "") SERVED("b", TEMPLATE("special"))

static int render(struct rendering *r, const char *objects, const struct ipvs_config_request *how)
{
        struct ipvs_config_request request = how ? *how : (struct ipvs_config_request){0};

        request.templates = &r->templates;
        if (!r->plan)
                r->plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        return ipvs_config_render(&request, r->plan, &r->config, &r->error);
}

static void add_templates(struct rendering *r, const char *frame, const char *service, const char *special)
{
        if (frame)
                add_template(&r->templates, IPVS_FRAME_TEMPLATE, frame);
        if (service)
                add_template(&r->templates, IPVS_SERVICE_TEMPLATE, service);
        if (special)
                add_template(&r->templates, "special", special);
}

static void expect_problem(const struct rendering *r, size_t i, const char *service, const char *reason,
                           const char *message)
{
        assert_true(i < r->plan->n_problems);
        assert_string_equal(r->plan->problems[i].service, service);
        assert_string_equal(r->plan->problems[i].reason, reason);
        assert_string_equal(r->plan->problems[i].message, message);
}

/* ---- the shipped templates ---- */

#define SHIPPED_HEAD                                                                                      \
        "# Made by coracle from templates/ipvs.conf: edit that, not this.\n"                              \
        "global_defs {\n    # A keepalived that was killed leaves its table behind.\n    lvs_flush\n"     \
        "    # No scripts are run; keepalived warns at every reload if it finds nobody to run them as.\n" \
        "    script_user root\n"

static void shipped_templates_render_nat_with_a_tcp_check(void **state)
{
        RENDERING(r);

        (void)state;
        add_shipped_templates(&r.templates);
        assert_int_equal(render(&r,
                                PLAIN("web") SLICE("s", "web", READY("172.16.1.1") DRAINING("172.16.1.2")),
                                &(struct ipvs_config_request){.notify_fifo = "/run/coracle/keepalived.fifo"}),
                         0);
        assert_string_equal(r.config.text.text,
                            SHIPPED_HEAD "    lvs_notify_fifo /run/coracle/keepalived.fifo\n}\n\n"
                                         "# shop/web\n"
                                         "virtual_server 10.1.1.1 80 {\n"
                                         "    protocol TCP\n"
                                         "    lb_algo rr\n"
                                         "    lb_kind NAT\n"
                                         "    delay_loop 2\n"
                                         "    warmup 0.5\n"
                                         "    alpha\n"
                                         "    real_server 172.16.1.1 8080 {\n"
                                         "        weight 1\n"
                                         "        TCP_CHECK {\n"
                                         "            connect_timeout 1\n"
                                         "            retry 1\n"
                                         "            delay_before_retry 1\n"
                                         "        }\n"
                                         "    }\n"
                                         "    real_server 172.16.1.2 8080 {\n"
                                         "        weight 0\n"
                                         "    }\n"
                                         "}\n" END);
}

static void shipped_templates_render_mh_over_a_tunnel_with_an_http_check(void **state)
{
        RENDERING(r);

        (void)state;
        add_shipped_templates(&r.templates);
        assert_int_equal(
            render(
                &r,
                SERVICE("web",
                        ANNOTATIONS("coracle.lb/forwarding: tunnel, coracle.lb/health-check: \"http:/up\""),
                        ", ports: [{port: 80}], ipFamilies: [IPv6], sessionAffinity: ClientIP", "")
                    SLICE_OF("IPv6", "s", "web", "{port: 80}", READY("fd00:2::1")),
                NULL),
            0);
        assert_string_equal(r.config.text.text, SHIPPED_HEAD "}\n\n"
                                                             "# shop/web\n"
                                                             "virtual_server fd00:1:1::1 80 {\n"
                                                             "    protocol TCP\n"
                                                             "    lb_algo mh\n"
                                                             "    mh-fallback\n"
                                                             "    lb_kind TUN\n"
                                                             "    persistence_timeout 10800\n"
                                                             "    delay_loop 2\n"
                                                             "    warmup 0.5\n"
                                                             "    inhibit_on_failure\n"
                                                             "    real_server fd00:2::1 80 {\n"
                                                             "        weight 1\n"
                                                             "        HTTP_GET {\n"
                                                             "            url {\n"
                                                             "                path /up\n"
                                                             "                status_code 200-399\n"
                                                             "            }\n"
                                                             "            connect_timeout 1\n"
                                                             "            retry 1\n"
                                                             "            delay_before_retry 1\n"
                                                             "        }\n"
                                                             "    }\n"
                                                             "}\n" END);
}

/* Found by fuzz.render, whose oracle had taken the path for a directive. */
static void health_check_path_that_spells_a_directive_is_a_path(void **state)
{
        static const char *const paths[] = {"/notify", "/misc_path", "/quorum_up"};

        (void)state;
        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
                RENDERING(r);
                _cleanup_strbuf_ struct strbuf objects = {0}, line = {0};

                assert_int_equal(
                    strbuf_printf(&objects,
                                  SERVICE("web", ANNOTATIONS("coracle.lb/health-check: \"http:%s\""), PORT80,
                                          "") SLICE("s", "web", READY("172.16.1.1")),
                                  paths[i]),
                    0);
                assert_int_equal(strbuf_printf(&line, "\n                path %s\n", paths[i]), 0);
                add_shipped_templates(&r.templates);
                assert_int_equal(render(&r, objects.text, NULL), 0);
                assert_int_equal(r.plan->n_problems, 0);
                assert_non_null(strstr(r.config.text.text, line.text));
        }
}

static void empty_plan_is_a_frame_alone(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, FRAME, "x\n", NULL);
        assert_int_equal(render(&r, "", NULL), 0);
        assert_string_equal(r.config.text.text, "head\n" END);
        assert_int_equal(r.config.n_pieces, 0);
}

/* ---- one service's template ---- */

static void missing_variable_leaves_out_that_service_and_names_the_line(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, FRAME, "{{service}}\n", "one\n{{quorum}}\n");
        assert_int_equal(render(&r, A_AND_B, NULL), 0);
        assert_string_equal(r.config.text.text, "head\nshop/a\n" END);
        assert_int_equal(r.plan->n_problems, 1);
        assert_string_equal(r.plan->problems[0].service, "shop/b");
        assert_string_equal(r.plan->problems[0].reason, "TemplateFailed");
        assert_memory_equal(r.plan->problems[0].message, "special:2: ", strlen("special:2: "));
        assert_non_null(strstr(r.plan->problems[0].message, "quorum"));
        assert_non_null(strstr(r.plan->problems[0].message, "; left out"));
}

static void braces_that_do_not_balance_leave_out_that_service(void **state)
{
        static const char *const bad[] = {"x {\n",     "x }\n",     "}\n{\n",
                                          "x { # }\n", "x { ! }\n", "x \"{\" }\n"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                RENDERING(r);

                add_templates(&r, FRAME, "{{service}}\n", bad[i]);
                assert_int_equal(render(&r, A_AND_B, NULL), 0);
                assert_string_equal(r.config.text.text, "head\nshop/a\n" END);
                expect_problem(&r, 0, "shop/b", "TemplateFailed",
                               "special: the template's braces do not balance; left out");
        }
}

static void braces_in_comments_and_quotes_do_not_count(void **state)
{
        static const char *const good[] = {"x # {\n", "x ! }\n", "x \"}\"\n", "x {\n y { }\n}\n"};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                RENDERING(r);

                add_templates(&r, FRAME, "{{service}}\n", good[i]);
                assert_int_equal(render(&r, A_AND_B, NULL), 0);
                assert_int_equal(r.config.n_pieces, 2);
                assert_int_equal(r.plan->n_problems, 0);
        }
}

static void template_that_does_not_exist_is_told_and_the_default_used(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, FRAME, "{{service}}\n", NULL);
        assert_int_equal(render(&r, A_AND_B, NULL), 0);
        assert_string_equal(r.config.text.text, "head\nshop/a\nshop/b\n" END);
        expect_problem(&r, 0, "shop/b", "TemplateMissing",
                       "there is no template special; using virtual_server");
}

static void without_the_default_template_only_services_with_their_own_are_served(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, FRAME, NULL, "{{service}}\n");
        assert_int_equal(render(&r, A_AND_B, NULL), 0);
        assert_string_equal(r.config.text.text, "head\nshop/b\n" END);
        expect_problem(&r, 0, "shop/a", "TemplateFailed", "there is no template virtual_server; left out");
}

static void template_that_renders_nothing_leaves_out_that_service(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, "{{virtual_servers}}\n" END, "{{! nothing }}\n", "{{service}}\n");
        assert_int_equal(render(&r, A_AND_B, NULL), 0);
        assert_string_equal(r.config.text.text, "shop/b\n" END);
        expect_problem(&r, 0, "shop/a", "TemplateFailed",
                       "virtual_server: the template renders nothing; left out");
}

/* ---- holding ---- */

static void accept_first(struct rendering *r, const char *template)
{
        add_templates(r, FRAME, template, "{{service}}\n");
        assert_int_equal(render(r, A_AND_B, NULL), 0);
        assert_int_equal(r->config.n_pieces, 2);
}

#define ON_TOP_OF(before) \
        ((struct ipvs_config_request){.accepted = &(before).config, .applied = (before).plan})

/* Renders, and again after keepalived has refused the pieces that are marked. */
static void render_without(struct rendering *r, const char *objects, struct ipvs_config_request how,
                           const bool *refused)
{
        _cleanup_(refusals_clear) struct refusals refusals = {0};

        how.refusals = &refusals;
        assert_int_equal(render(r, objects, &how), 0);
        assert_int_equal(refusals_add(&refusals, &r->config, r->plan, refused), 0);
        plan_forget_problems(r->plan, 0);
        assert_int_equal(render(r, objects, &how), 0);
}

static void failing_piece_keeps_what_was_accepted(void **state)
{
        RENDERING(before);
        RENDERING(r);

        (void)state;
        accept_first(&before, "old {{service}} {{port}}\n");
        add_templates(&r, "other\n{{virtual_servers}}\n" END, "{{nothing}}\n", "{{service}}\n");
        assert_int_equal(render(&r, A_AND_B, &ON_TOP_OF(before)), 0);
        assert_string_equal(r.config.text.text, "other\nold shop/a 80\nshop/b\n" END);
        assert_true(r.config.pieces[0].held);
        assert_false(r.config.pieces[1].held);
        assert_non_null(strstr(r.plan->problems[0].message, "; keeping what runs"));
}

static void refused_piece_keeps_what_was_accepted(void **state)
{
        RENDERING(before);
        RENDERING(r);

        (void)state;
        accept_first(&before, "old\nlines\n");
        add_templates(&r, FRAME, "new\n", "{{service}}\n");
        render_without(&r, A_AND_B, ON_TOP_OF(before), (bool[]){true, false});
        assert_string_equal(r.config.text.text, "head\nold\nlines\nshop/b\n" END);
        assert_true(r.config.pieces[0].held);
        assert_int_equal(r.config.pieces[1].first_line, 4);
        expect_problem(&r, 0, "shop/a", "TemplateFailed",
                       "keepalived refuses its configuration; keeping what runs");
}

static void refused_piece_that_never_ran_is_left_out(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, FRAME, "{{service}}\n", "{{service}}\n");
        render_without(&r, A_AND_B, (struct ipvs_config_request){0}, (bool[]){false, true});
        assert_string_equal(r.config.text.text, "head\nshop/a\n" END);
        expect_problem(&r, 0, "shop/b", "TemplateFailed", "keepalived refuses its configuration; left out");
}

/* Its real servers would be open to whom this Service lets in. */
static void piece_of_another_service_at_that_address_is_not_held(void **state)
{
        RENDERING(before);
        RENDERING(r);

        (void)state;
        accept_first(&before, "old\n");
        add_templates(&r, FRAME, "{{nothing}}\n", "{{service}}\n");
        assert_int_equal(render(&r, SERVED("other", "") SERVED("z", TEMPLATE("special")), &ON_TOP_OF(before)),
                         0);
        assert_string_equal(r.config.text.text, "head\nshop/z\n" END);
        expect_problem(&r, 0, "shop/other", "TemplateFailed",
                       "virtual_server:1: {{nothing}}: not in the view; left out");
}

static void only_the_text_that_was_refused_is_refused_again(void **state)
{
        _cleanup_(refusals_clear) struct refusals refusals = {0};
        struct ipvs_config_request how = {.refusals = &refusals};
        RENDERING(first);
        RENDERING(again);
        RENDERING(other);

        (void)state;
        add_templates(&first, FRAME, "bad {{port}}\n", "{{service}}\n");
        assert_int_equal(render(&first, A_AND_B, &how), 0);
        assert_int_equal(refusals_add(&refusals, &first.config, first.plan, (bool[]){true, false}), 0);
        refusals_begin(&refusals);
        add_templates(&again, FRAME, "bad {{port}}", "{{service}}\n");
        assert_int_equal(render(&again, A_AND_B SERVED("c", TEMPLATE("special")), &how), 0);
        assert_string_equal(again.config.text.text, "head\nshop/b\nshop/c\n" END);
        refusals_end(&refusals);
        assert_int_equal(refusals.count, 1);
        refusals_begin(&refusals);
        add_templates(&other, FRAME, "good {{port}}\n", "{{service}}\n");
        assert_int_equal(render(&other, A_AND_B, &how), 0);
        assert_string_equal(other.config.text.text, "head\ngood 80\nshop/b\n" END);
        refusals_end(&refusals);
        assert_int_equal(refusals.count, 0);
}

static void adopted_plan_tells_what_the_text_does(void **state)
{
        RENDERING(before);
        RENDERING(r);

        (void)state;
        accept_first(&before, "old\n");
        before.plan->virtual_servers[0].scheduler = "wlc";
        add_templates(&r, FRAME, "new\n", "{{service}}\n");
        render_without(&r, A_AND_B SERVED("c", ""), ON_TOP_OF(before), (bool[]){true, false, true});
        assert_int_equal(ipvs_config_adopt(&r.config, r.plan, before.plan), 0);
        assert_int_equal(r.plan->n_virtual_servers, 2); /* c never ran */
        assert_string_equal(r.plan->virtual_servers[0].scheduler, "wlc");
        assert_string_equal(r.plan->virtual_servers[1].scheduler, "rr");
        assert_int_equal(r.plan->n_vips, 3); /* its address stays its own */
}

static void adopting_before_anything_ran_keeps_what_was_rendered(void **state)
{
        RENDERING(r);

        (void)state;
        accept_first(&r, "new\n");
        assert_int_equal(ipvs_config_adopt(&r.config, r.plan, NULL), 0);
        assert_int_equal(r.plan->n_virtual_servers, 2);
}

/* ---- places ---- */

static void lines_lead_to_their_piece(void **state)
{
        RENDERING(r);

        (void)state;
        add_templates(&r, "one\ntwo\n{{virtual_servers}}\ntail\n" END, "a\n\nb", "c\n");
        assert_int_equal(render(&r, A_AND_B, NULL), 0);
        assert_string_equal(r.config.text.text, "one\ntwo\na\n\nb\nc\ntail\n" END);
        assert_int_equal(ipvs_config_piece_at(&r.config, 0), -1);
        assert_int_equal(ipvs_config_piece_at(&r.config, 2), -1);
        assert_int_equal(ipvs_config_piece_at(&r.config, 3), 0);
        assert_int_equal(ipvs_config_piece_at(&r.config, 5), 0);
        assert_int_equal(ipvs_config_piece_at(&r.config, 6), 1);
        assert_int_equal(ipvs_config_piece_at(&r.config, 7), -1);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(ipvs_config_piece_of(&r.config, &r.plan->virtual_servers[i]), i);
        assert_int_equal(ipvs_config_piece_of(&r.config, &(struct virtual_server){.port = 1}), -1);
}

/* ---- the frame ---- */

static void frame_that_cannot_work_is_an_error(void **state)
{
        static const struct {
                const char *frame, *where, *what;
        } bad[] = {
            {NULL, "", "there is no template ipvs.conf"},
            {"head\n" END, "ipvs.conf", "must contain {{virtual_servers}} once"},
            {"{{virtual_servers}}\n{{virtual_servers}}\n" END, "ipvs.conf",
             "must contain {{virtual_servers}} once"},
            {"{{virtual_servers}}\n", "ipvs.conf", "its last line must be: # coracle: end of configuration"},
            {"{{virtual_servers}}\n" END "more\n", "ipvs.conf", "its last line must be"},
            {"", "ipvs.conf", "must contain {{virtual_servers}} once"},
            {"one\n{{nonsense}}\n{{virtual_servers}}\n" END, "ipvs.conf:2", "nonsense"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                RENDERING(r);

                add_templates(&r, bad[i].frame, "x\n", NULL);
                assert_int_equal(render(&r, A_AND_B, NULL), -EINVAL);
                assert_string_equal(r.error.where, bad[i].where);
                assert_non_null(strstr(r.error.what, bad[i].what));
                assert_null(r.config.text.text);
        }
}

static void fifo_with_a_blank_in_its_path_is_refused(void **state)
{
        RENDERING(r);

        (void)state;
        add_shipped_templates(&r.templates);
        assert_int_equal(render(&r, "", &(struct ipvs_config_request){.notify_fifo = "/run/a b"}), -EINVAL);
        assert_string_equal(r.error.where, "ipvs.conf:9");
}

static void templates_are_found_by_name(void **state)
{
        RENDERING(r);

        (void)state;
        assert_null(template_set_find(&r.templates, "special"));
        add_templates(&r, FRAME, "x\n", "y\n");
        assert_non_null(template_set_find(&r.templates, "special"));
        assert_null(template_set_find(&r.templates, "specia"));
        assert_string_equal(r.templates.templates[0].name, IPVS_FRAME_TEMPLATE);
        assert_string_equal(r.templates.templates[2].name, IPVS_SERVICE_TEMPLATE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(shipped_templates_render_nat_with_a_tcp_check),
            cmocka_unit_test(shipped_templates_render_mh_over_a_tunnel_with_an_http_check),
            cmocka_unit_test(health_check_path_that_spells_a_directive_is_a_path),
            cmocka_unit_test(empty_plan_is_a_frame_alone),
            cmocka_unit_test(missing_variable_leaves_out_that_service_and_names_the_line),
            cmocka_unit_test(braces_that_do_not_balance_leave_out_that_service),
            cmocka_unit_test(braces_in_comments_and_quotes_do_not_count),
            cmocka_unit_test(template_that_does_not_exist_is_told_and_the_default_used),
            cmocka_unit_test(without_the_default_template_only_services_with_their_own_are_served),
            cmocka_unit_test(template_that_renders_nothing_leaves_out_that_service),
            cmocka_unit_test(failing_piece_keeps_what_was_accepted),
            cmocka_unit_test(refused_piece_keeps_what_was_accepted),
            cmocka_unit_test(refused_piece_that_never_ran_is_left_out),
            cmocka_unit_test(piece_of_another_service_at_that_address_is_not_held),
            cmocka_unit_test(only_the_text_that_was_refused_is_refused_again),
            cmocka_unit_test(adopted_plan_tells_what_the_text_does),
            cmocka_unit_test(adopting_before_anything_ran_keeps_what_was_rendered),
            cmocka_unit_test(lines_lead_to_their_piece),
            cmocka_unit_test(frame_that_cannot_work_is_an_error),
            cmocka_unit_test(fifo_with_a_blank_in_its_path_is_refused),
            cmocka_unit_test(templates_are_found_by_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
