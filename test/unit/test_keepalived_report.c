/* The reports are those of keepalived 2.2.7, captured with `keepalived -t -C -f`; only file names differ. */
#include "core/keepalived_report.h"

#include "planning.h"
#include "unit.h"

#include <string.h>

/* Three virtual servers of five lines each from line 2 on: a 10.1.1.1 TCP, b 10.1.1.2 UDP, c fd00:1:1::1 TCP.
 */
struct judgement {
        struct template_set templates;
        struct plan *plan;
        struct ipvs_config config;
        struct error first;
        bool refused[3];
};

static const char objects[] = PLAIN("a") SLICE("a-1", "a", READY("172.16.1.1"))
    SERVICE("b", "", ", ports: [{port: 53, protocol: UDP}]", "")
        SLICE_OF("IPv4", "b-1", "b", "{port: 53, protocol: UDP}", READY("172.16.1.1"))
            WITH_SPEC("c", ", ipFamilies: [IPv6]")
                SLICE_OF("IPv6", "c-1", "c", "{port: 80}", READY("fd00:2::1"));

static int make_judgement(void **state)
{
        struct judgement *j = calloc(1, sizeof(*j));

        assert_non_null(j);
        add_template(&j->templates, IPVS_FRAME_TEMPLATE, "frame\n{{virtual_servers}}\n" IPVS_CONFIG_END);
        add_template(&j->templates, IPVS_SERVICE_TEMPLATE, "1\n2\n3\n4\n5\n");
        j->plan = plan_of(SITE, objects, PLAN_ADDRESSES_ALLOCATE);
        assert_int_equal(j->plan->n_virtual_servers, 3);
        assert_int_equal(ipvs_config_render(&(struct ipvs_config_request){.templates = &j->templates},
                                            j->plan, &j->config, &j->first),
                         0);
        *state = j;
        return 0;
}

static int free_judgement(void **state)
{
        struct judgement *j = *state;

        template_set_clear(&j->templates);
        plan_free(j->plan);
        ipvs_config_clear(&j->config);
        free(j);
        return 0;
}

static void expect_refused(struct judgement *j, const char *report, size_t marked, bool a, bool b, bool c)
{
        assert_int_equal(keepalived_report_read(report, &j->config, j->plan, j->refused, &j->first), marked);
        assert_int_equal(j->refused[0], a);
        assert_int_equal(j->refused[1], b);
        assert_int_equal(j->refused[2], c);
}

static void line_number_leads_to_the_piece(void **state)
{
        struct judgement *j = *state;

        expect_refused(j,
                       "(/run/coracle/keepalived.conf.new: Line 8) Invalid lvs_scheduler 'bogus' - ignoring\n"
                       "Virtual server [10.1.1.2]:udp:53: no scheduler set, setting default 'wlc'\n",
                       1, false, true, false);
        assert_string_equal(
            j->first.what,
            "(/run/coracle/keepalived.conf.new: Line 8) Invalid lvs_scheduler 'bogus' - ignoring");
}

static void first_and_last_line_of_a_piece_are_its_own(void **state)
{
        expect_refused(*state,
                       "(k.conf: Line 2) Unknown keyword 'alhpa'\n"
                       "(k.conf: Line 16) connect_timeout 0 invalid - ignoring\n",
                       2, true, false, true);
}

static void line_of_the_frame_is_nobodys_fault(void **state)
{
        struct judgement *j = *state;

        expect_refused(j, "(k.conf: Line 1) Unknown keyword 'frame'\n(k.conf: Line 17) Unknown keyword 'x'\n",
                       0, false, false, false);
        assert_string_equal(j->first.what, "(k.conf: Line 1) Unknown keyword 'frame'");
}

static void virtual_server_is_found_by_its_address(void **state)
{
        expect_refused(*state,
                       "Virtual server [10.1.1.1]:tcp:80 has no real servers - ignoring\n"
                       "Virtual server [fd00:1:1::1]:tcp:80: no forwarding method set, setting default NAT\n",
                       2, true, false, true);
}

static void virtual_server_is_found_wherever_it_stands(void **state)
{
        expect_refused(*state,
                       "Warning - quorum 5 for [10.1.1.2]:udp:53 exceeds total weight of real servers 1, "
                       "reducing quorum to 1\n"
                       "Something [odd] about [fd00:1:1::1]:tcp:80\n",
                       2, false, true, true);
}

static void line_without_a_file_leads_to_the_piece_too(void **state)
{
        expect_refused(*state, "(Line 8) Extra '}' found\n", 1, false, true, false);
        expect_refused(*state, "(k.conf: Linear 3) x\n(aLine 3) x\nLine 3\n", 0, false, true, false);
}

static void address_with_another_protocol_or_port_is_nobodys(void **state)
{
        expect_refused(*state,
                       "Virtual server [10.1.1.1]:none:80: no protocol set - defaulting to UDP\n"
                       "Virtual server [10.1.1.1]:udp:80 has no real servers - ignoring\n"
                       "Virtual server [10.1.1.1]:tcp:81 has no real servers - ignoring\n"
                       "Virtual server [10.1.1.9]:tcp:80 has no real servers - ignoring\n",
                       0, false, false, false);
}

static void what_names_nothing_marks_nothing(void **state)
{
        struct judgement *j = *state;

        expect_refused(j, "There are 1 missing '}'s or extra '{'s\n(Line 18) Extra '}' found\n", 0, false,
                       false, false);
        assert_string_equal(j->first.what, "There are 1 missing '}'s or extra '{'s");
        expect_refused(j, "keepalived -t failed", 0, false, false, false);
        expect_refused(j, "", 0, false, false, false);
        assert_string_equal(j->first.what, "");
}

static void already_refused_is_not_counted_again(void **state)
{
        static const char report[] = "(k.conf: Line 3) x\n(k.conf: Line 4) y\n";

        expect_refused(*state, report, 1, true, false, false);
        expect_refused(*state, report, 0, true, false, false);
}

static void hostile_report_marks_nothing(void **state)
{
        expect_refused(
            *state,
            "(k.conf: Line 99999999999999999999999) x\n(k.conf: Line -3) x\n(k.conf: Line ) x\n(\n"
            "Virtual server [\nVirtual server []:tcp:80\nVirtual server [10.1.1.1\n"
            "Virtual server [10.1.1.1]\nVirtual server [10.1.1.1]:\nVirtual server [10.1.1.1]:tcp\n"
            "Virtual server [10.1.1.1]:tcp:\nVirtual server [10.1.1.1]:tcp:65616\n"
            "Virtual server [1111111111111111111111111111111111111111111111111111]:tcp:80\n",
            0, false, false, false);
}

int main(void)
{
#define JUDGE(test) cmocka_unit_test_setup_teardown(test, make_judgement, free_judgement)
        const struct CMUnitTest tests[] = {
            JUDGE(line_number_leads_to_the_piece),
            JUDGE(first_and_last_line_of_a_piece_are_its_own),
            JUDGE(line_of_the_frame_is_nobodys_fault),
            JUDGE(virtual_server_is_found_by_its_address),
            JUDGE(virtual_server_is_found_wherever_it_stands),
            JUDGE(line_without_a_file_leads_to_the_piece_too),
            JUDGE(address_with_another_protocol_or_port_is_nobodys),
            JUDGE(what_names_nothing_marks_nothing),
            JUDGE(already_refused_is_not_counted_again),
            JUDGE(hostile_report_marks_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
