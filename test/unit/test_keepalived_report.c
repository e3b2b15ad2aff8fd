#include "core/keepalived_report.h"

#include "site.h"
#include "unit.h"

#include <string.h>

#define SERVERS 3

/* Three virtual servers, two lines each, after a frame of one line. */
struct fixture {
        struct config *config;
        struct plan *plan;
        struct template_set templates;
        struct ipvs_config text;
};

static void add_template(struct template_set *set, const char *name, const char *text)
{
        struct template *template = NULL;
        struct error error;

        assert_int_equal(template_parse(name, text, strlen(text), &template, &error), 0);
        assert_int_equal(template_set_add(set, name, template), 0);
}

static int set_up(void **state)
{
        static struct fixture fixture;
        const struct ipvs_config_request request = {.templates = &fixture.templates};
        struct error error;

        fixture.config = site_config();
        fixture.plan = site_plan(
            fixture.config,
            SERVICE("web", "",
                    ", ports: [{name: a, port: 80}, {name: b, port: 81}, {name: c, port: 53, protocol: UDP}]")
                SLICE("s", "web",
                      "addressType: IPv4, ports: [{name: a, port: 80}, {name: b, port: 81}, {name: c, port: "
                      "53, protocol: UDP}],"
                      " endpoints: [" READY("172.16.1.1") "]"),
            PLAN_ADDRESSES_ALLOCATE);
        assert_int_equal(fixture.plan->n_virtual_servers, SERVERS);
        add_template(&fixture.templates, IPVS_FRAME_TEMPLATE,
                     "# frame\n{{virtual_servers}}\n" IPVS_CONFIG_END);
        add_template(&fixture.templates, IPVS_SERVICE_TEMPLATE, "vs {{vip}} {{port}} {\n}\n");
        assert_int_equal(ipvs_config_render(&request, fixture.plan, &fixture.text, &error), 0);
        *state = &fixture;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *fixture = *state;

        ipvs_config_clear(&fixture->text);
        template_set_clear(&fixture->templates);
        plan_free(fixture->plan);
        config_free(fixture->config);
        return 0;
}

static void assert_report(const struct fixture *fixture, const char *report, const char *refused,
                          const char *first)
{
        bool flags[SERVERS] = {false};
        struct error error = {0};
        size_t marked = keepalived_report_read(report, &fixture->text, fixture->plan, flags, &error);
        char text[SERVERS + 1] = "";

        for (size_t i = 0; i < SERVERS; i++) {
                text[i] = flags[i] ? 'x' : '.';
                marked -= flags[i];
        }
        assert_string_equal(text, refused);
        assert_int_equal(marked, 0);
        assert_string_equal(error.what, first);
}

static void line_number_leads_to_the_virtual_server(void **state)
{
        (void)state;
        assert_report(*state, "(/run/x.new: Line 2) Unknown keyword 'foo'\n", "x..",
                      "(/run/x.new: Line 2) Unknown keyword 'foo'");
        assert_report(*state, "(/run/x.new: Line 3) bad\n", "x..", "(/run/x.new: Line 3) bad");
        assert_report(*state,
                      "(/run/x.new: Line 4) bad\n(/run/x.new: Line 7) worse\n(/run/x.new: Line 5) again",
                      ".xx", "(/run/x.new: Line 4) bad");
}

static void key_leads_to_the_virtual_server(void **state)
{
        (void)state;
        assert_report(*state, "Virtual server [10.1.1.1]:udp:53 has no real servers - ignoring\n", "..x",
                      "Virtual server [10.1.1.1]:udp:53 has no real servers - ignoring");
        assert_report(*state, "Virtual server [10.1.1.1]:tcp:81 x\n", ".x.",
                      "Virtual server [10.1.1.1]:tcp:81 x");
}

static void complaint_about_the_frame_or_nobody_marks_nothing(void **state)
{
        static const char *const reports[] = {
            "(/run/x.new: Line 1) bad",
            "(/run/x.new: Line 8) bad",
            "(/run/x.new: Line 99999999999999999999) bad",
            "(/run/x.new: Line ) bad",
            "Virtual server [10.1.1.9]:tcp:80 x",
            "Virtual server [10.1.1.1]:tcp:80000 x",
            "Virtual server [10.1.1.1]:icmp:80 x",
            "Virtual server [10.1.1.1:tcp:80 x",
            "Virtual server [web]:tcp:80 x",
            "segmentation fault",
        };

        for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++)
                assert_report(*state, reports[i], "...", reports[i]);
        assert_report(*state, "", "...", "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(line_number_leads_to_the_virtual_server),
            cmocka_unit_test(key_leads_to_the_virtual_server),
            cmocka_unit_test(complaint_about_the_frame_or_nobody_marks_nothing),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
