#include "core/config.h"

#include "planning.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static const char everything[] =
    "loadBalancerClass: example.org/lb\n"
    "pools:\n"
    "  - {name: public, prefixes: [10.1.1.0/24, \"fd00:1:1::/112\"]}\n"
    "  - name: internal\n"
    "    prefixes: [10.2.0.0/28]\n"
    "bgp:\n"
    "  localAS: 4200000000\n"
    "  holdTime: 3\n"
    "  reflectors:\n"
    "    - {address: 10.0.0.109, as: 65021}\n"
    "    - {address: \"fd00::109\", as: 65022}\n"
    "  passwordFile: /etc/coracle/bgp/password\n"
    "  announce: {ipv4Length: 28, ipv6Length: 120}\n"
    "defaults:\n"
    "  forwarding: tunnel\n"
    "  scheduler: wlc\n"
    "  healthCheck: {type: \"http:/healthz\", interval: 0.2, timeout: 1.5, retries: 3}\n"
    "namespaces: [shop, kube-system]\n"
    "maxRemovalPercent: 60\n"
    "maxRemovalHold: 90\n";

static const char *text_of(const struct prefix *prefix)
{
        static char text[PREFIX_TEXT_SIZE];

        return prefix_format(prefix, text);
}

static void every_key_is_read(void **state)
{
        _cleanup_config_ struct config *config = config_of(everything);
        char text[ADDR_TEXT_SIZE];

        (void)state;
        assert_string_equal(config->load_balancer_class, "example.org/lb");
        assert_int_equal(config->n_pools, 2);
        assert_string_equal(config->pools[0].name, "public");
        assert_int_equal(config->pools[0].n_prefixes, 2);
        assert_string_equal(text_of(&config->pools[0].prefixes[1]), "fd00:1:1::/112");
        assert_string_equal(config->pools[1].name, "internal");
        assert_string_equal(text_of(&config->pools[1].prefixes[0]), "10.2.0.0/28");
        assert_int_equal(config->bgp.local_as, 4200000000u);
        assert_int_equal(config->bgp.hold_time_s, 3);
        assert_int_equal(config->bgp.n_reflectors, 2);
        assert_string_equal(addr_format(&config->bgp.reflectors[1].address, text), "fd00::109");
        assert_int_equal(config->bgp.reflectors[1].as, 65022);
        assert_string_equal(config->bgp.password_file, "/etc/coracle/bgp/password");
        assert_int_equal(config->bgp.announce_length4, 28);
        assert_int_equal(config->bgp.announce_length6, 120);
        assert_int_equal(config->default_forwarding, FORWARDING_TUNNEL);
        assert_string_equal(config->default_scheduler, "wlc");
        assert_int_equal(config->default_health_check.type, HEALTH_CHECK_HTTP);
        assert_string_equal(config->default_health_check.path, "/healthz");
        assert_int_equal(config->default_health_check.interval_ms, 200);
        assert_int_equal(config->n_namespaces, 2);
        assert_string_equal(config->namespaces[1], "kube-system");
        assert_int_equal(config->max_removal_percent, 60);
        assert_int_equal(config->max_removal_hold_ms, 90000);
        assert_int_equal(config->default_health_check.timeout_ms, 1500);
        assert_int_equal(config->default_health_check.retries, 3);
}

static void keys_left_out_have_the_documented_defaults(void **state)
{
        _cleanup_config_ struct config *config = config_of(SITE);

        (void)state;
        assert_string_equal(config->load_balancer_class, "coracle.lb/ecmp");
        assert_int_equal(config->bgp.hold_time_s, 9);
        assert_null(config->bgp.password_file);
        assert_int_equal(config->bgp.announce_length4, 32);
        assert_int_equal(config->bgp.announce_length6, 128);
        assert_int_equal(config->default_forwarding, FORWARDING_NAT);
        assert_null(config->default_scheduler);
        assert_int_equal(config->default_health_check.type, HEALTH_CHECK_TCP);
        assert_int_equal(config->default_health_check.interval_ms, 2000);
        assert_int_equal(config->default_health_check.timeout_ms, 1000);
        assert_int_equal(config->default_health_check.retries, 1);
}

struct bad {
        const char *text;
        const char *where;
        const char *what; /* a part of it */
};

static void expect_errors(const struct bad *bad, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct config *config = NULL;
                struct error error = {0};

                assert_int_equal(
                    config_parse("coracle.yaml", bad[i].text, strlen(bad[i].text), &config, &error), -EINVAL);
                assert_null(config);
                assert_string_equal(error.where, bad[i].where);
                if (!strstr(error.what, bad[i].what))
                        fail_msg("\"%s\" does not say \"%s\"", error.what, bad[i].what);
        }
}

#define EXPECT_ERRORS(bad) expect_errors(bad, sizeof(bad) / sizeof(*(bad)))

static void unknown_key_is_named_with_its_line_and_the_known_ones(void **state)
{
        static const struct bad bad[] = {
            {SITE "poools: 1\n", "coracle.yaml:3",
             "unknown key 'poools' (known here: loadBalancerClass, pools, bgp, defaults, namespaces, "
             "maxRemovalPercent, maxRemovalHold)"},
            {SITE "defaults:\n  forwarding: nat\n  sheduler: rr\n", "coracle.yaml:5",
             "unknown key 'sheduler' (known here: forwarding, scheduler, healthCheck)"},
            {SITE "defaults:\n  healthCheck:\n    typ: tcp\n", "coracle.yaml:5",
             "unknown key 'typ' (known here: type, interval, timeout, retries)"},
            {"pools:\n- {name: a, prefix: 10.0.0.0/24}\n" BGP, "coracle.yaml:2", "unknown key 'prefix'"},
            {POOLS("10.1.1.0/24") "bgp:\n  localAs: 1\n", "coracle.yaml:3", "unknown key 'localAs'"},
            {POOLS("10.1.1.0/24") "bgp:\n  announce:\n    ipv4: 1\n", "coracle.yaml:4", "unknown key 'ipv4'"},
            {POOLS("10.1.1.0/24") "bgp:\n  reflectors:\n  - {adress: x}\n", "coracle.yaml:4",
             "unknown key 'adress'"},
        };

        (void)state;
        EXPECT_ERRORS(bad);
}

static void key_that_is_needed_is_missed(void **state)
{
        static const struct bad bad[] = {
            {BGP, "coracle.yaml:1", "lacks the key 'pools'"},
            {POOLS("10.1.1.0/24"), "coracle.yaml:1", "lacks the key 'bgp'"},
            {POOLS("10.1.1.0/24") "bgp:\n  localAS: 1\n", "coracle.yaml:2", "bgp lacks the key 'reflectors'"},
            {POOLS("10.1.1.0/24") "bgp:\n  reflectors: [{address: 10.0.0.1, as: 1}]\n", "coracle.yaml:2",
             "bgp lacks the key 'localAS'"},
            {POOLS("10.1.1.0/24") "bgp:\n  localAS: 1\n  reflectors:\n  - address: 10.0.0.1\n",
             "coracle.yaml:5", "reflectors lacks the key 'as'"},
            {"pools:\n- name: a\n" BGP, "coracle.yaml:2", "pools lacks the key 'prefixes'"},
            {"pools:\n- prefixes: [10.0.0.0/24]\n" BGP, "coracle.yaml:2", "pools lacks the key 'name'"},
        };

        (void)state;
        EXPECT_ERRORS(bad);
}

static void wrong_type_is_named_with_its_line(void **state)
{
        static const struct bad bad[] = {
            {"- a\n", "coracle.yaml:1", "the configuration must be a mapping"},
            {SITE "defaults: nat\n", "coracle.yaml:3", "defaults must be a mapping"},
            {SITE "defaults:\n  healthCheck: tcp\n", "coracle.yaml:4", "healthCheck must be a mapping"},
            {SITE "loadBalancerClass: [a]\n", "coracle.yaml:3", "loadBalancerClass must be a text"},
            {SITE "loadBalancerClass: 7\n", "coracle.yaml:3", "loadBalancerClass must be a text"},
            {SITE "loadBalancerClass: \"\"\n", "coracle.yaml:3", "loadBalancerClass must be a text"},
            {"pools: {name: a}\n" BGP, "coracle.yaml:1", "pools must be a list with at least one element"},
            {"pools: []\n" BGP, "coracle.yaml:1", "pools must be a list with at least one element"},
            {POOLS("") BGP, "coracle.yaml:1", "prefixes must be a list with at least one element"},
            {POOLS("7") BGP, "coracle.yaml:1", "prefixes must be prefixes like"},
            {POOLS("10.1.1.0/24") "bgp: []\n", "coracle.yaml:2", "bgp must be a mapping"},
            {POOLS("10.1.1.0/24") "bgp: {localAS: \"65021\"}\n", "coracle.yaml:2",
             "localAS must be an integer"},
            {SITE "defaults:\n  scheduler: 1\n", "coracle.yaml:4", "scheduler must be a scheduler of IPVS"},
            {SITE "defaults:\n  healthCheck: {interval: soon}\n", "coracle.yaml:4",
             "interval must be a number of seconds"},
        };

        (void)state;
        EXPECT_ERRORS(bad);
}

#define WITH_BGP(text) POOLS("10.1.1.0/24") "bgp:\n  " text "\n"

static void impossible_value_is_named_with_its_line(void **state)
{
        static const struct bad bad[] = {
            {POOLS("10.1.1.1/24") BGP, "coracle.yaml:1", "without host bits"},
            {POOLS("10.1.1.0/33") BGP, "coracle.yaml:1", "prefixes must be prefixes like"},
            {POOLS("10.1.1.0") BGP, "coracle.yaml:1", "prefixes must be prefixes like"},
            {"pools: [{name: \"a b\", prefixes: [10.1.1.0/24]}]\n" BGP, "coracle.yaml:1",
             "name must be a text"},
            {WITH_BGP("localAS: 0"), "coracle.yaml:3", "localAS must be an integer from 1 to 4294967295"},
            {WITH_BGP("localAS: 4294967296"), "coracle.yaml:3", "localAS must be an integer from 1"},
            {WITH_BGP("holdTime: 2"), "coracle.yaml:3", "holdTime must be an integer from 3 to 65535"},
            {WITH_BGP("holdTime: 65536"), "coracle.yaml:3", "holdTime must be an integer from 3 to 65535"},
            {WITH_BGP("reflectors: [{address: router, as: 1}]"), "coracle.yaml:3",
             "address must be an IP address"},
            {WITH_BGP("passwordFile: \"a b\""), "coracle.yaml:3", "passwordFile must be a text"},
            {WITH_BGP("announce: {ipv4Length: 33}"), "coracle.yaml:3", "ipv4Length must be an integer"},
            {WITH_BGP("announce: {ipv6Length: 129}"), "coracle.yaml:3", "ipv6Length must be an integer"},
            {WITH_BGP("announce: {ipv6Length: 0}"), "coracle.yaml:3", "ipv6Length must be an integer"},
            {SITE "defaults:\n  forwarding: dr\n", "coracle.yaml:4", "forwarding must be nat or tunnel"},
            {SITE "defaults:\n  scheduler: fair\n", "coracle.yaml:4", "scheduler must be a scheduler"},
            {SITE "defaults: {healthCheck: {type: ping}}\n", "coracle.yaml:3",
             "type must be tcp, none or http:/path"},
            {SITE "defaults: {healthCheck: {type: \"http:/a b\"}}\n", "coracle.yaml:3", "type must be tcp"},
            {SITE "defaults: {healthCheck: {interval: 0}}\n", "coracle.yaml:3", "from 0.05 to 3600"},
            {SITE "defaults: {healthCheck: {timeout: 3601}}\n", "coracle.yaml:3", "from 0.05 to 3600"},
            {SITE "defaults: {healthCheck: {timeout: .nan}}\n", "coracle.yaml:3", "timeout must be"},
            {SITE "defaults: {healthCheck: {retries: -1}}\n", "coracle.yaml:3", "retries must be an integer"},
            {SITE "defaults: {healthCheck: {retries: 1.5}}\n", "coracle.yaml:3", "retries must be"},
        };

        (void)state;
        EXPECT_ERRORS(bad);
}

static void announced_length_shorter_than_a_pool_is_refused(void **state)
{
        static const struct bad bad[] = {
            {POOLS("10.1.1.0/24") "bgp:\n  localAS: 1\n  reflectors: [{address: 10.0.0.1, as: 1}]\n"
                                  "  announce: {ipv4Length: 23}\n",
             "coracle.yaml:2", "a route of length 23 reaches beyond pool public (/24)"},
            {POOLS("\"fd00::/112\"") "bgp: {localAS: 1, reflectors: [{address: 10.0.0.1, as: 1}],"
                                     " announce: {ipv6Length: 64}}\n",
             "coracle.yaml:2", "a route of length 64 reaches beyond pool public (/112)"},
        };
        _cleanup_config_ struct config *as_long =
            config_of(POOLS("10.1.1.0/24") "bgp: {localAS: 1, reflectors: [{address: 10.0.0.1, as: 1}],"
                                           " announce: {ipv4Length: 24, ipv6Length: 1}}\n");

        (void)state;
        EXPECT_ERRORS(bad);
        assert_int_equal(as_long->bgp.announce_length4, 24);
}

static void prefixes_that_overlap_are_refused(void **state)
{
        static const struct bad bad[] = {
            {POOLS("10.1.1.0/24, 10.1.1.0/24") BGP, "coracle.yaml:1",
             "10.1.1.0/24 of pool public lies within 10.1.1.0/24 of pool public"},
            {"pools:\n- {name: a, prefixes: [10.1.1.128/25]}\n- {name: b, prefixes: [10.1.0.0/16]}\n" BGP,
             "coracle.yaml:1", "10.1.1.128/25 of pool a lies within 10.1.0.0/16 of pool b"},
            {POOLS("\"fd00::/112\", \"fd00::/64\"") BGP, "coracle.yaml:1",
             "fd00::/112 of pool public lies within fd00::/64 of pool public"},
        };
        _cleanup_config_ struct config *neighbors = config_of(POOLS("10.1.1.0/25, 10.1.1.128/25") BGP);

        (void)state;
        EXPECT_ERRORS(bad);
        assert_int_equal(neighbors->pools[0].n_prefixes, 2);
}

static void namespaces_are_names_and_given_once(void **state)
{
        static const struct bad bad[] = {
            {SITE "namespaces: []\n", "coracle.yaml:3",
             "namespaces must be a list with at least one element"},
            {SITE "namespaces: shop\n", "coracle.yaml:3", "namespaces must be a list"},
            {SITE "namespaces: [Shop]\n", "coracle.yaml:3", "namespaces must be names of namespaces"},
            {SITE "namespaces: [a/b]\n", "coracle.yaml:3", "namespaces must be names of namespaces"},
            {SITE "namespaces: [-a]\n", "coracle.yaml:3", "namespaces must be names of namespaces"},
            {SITE "namespaces: [7]\n", "coracle.yaml:3", "namespaces must be names of namespaces"},
            {SITE "namespaces: [a, b, a]\n", "coracle.yaml:3", "namespaces: a is given twice"},
        };

        (void)state;
        EXPECT_ERRORS(bad);
}

static void fuse_has_a_share_and_a_time(void **state)
{
        static const struct bad bad[] = {
            {SITE "maxRemovalPercent: 0\n", "coracle.yaml:3",
             "maxRemovalPercent must be an integer from 1 to 99"},
            {SITE "maxRemovalPercent: 100\n", "coracle.yaml:3",
             "maxRemovalPercent must be an integer from 1 to 99"},
            {SITE "maxRemovalHold: 0\n", "coracle.yaml:3", "maxRemovalHold must be a number of seconds"},
        };
        _cleanup_config_ struct config *config = config_of(SITE);

        (void)state;
        EXPECT_ERRORS(bad);
        assert_int_equal(config->max_removal_percent, 0);
        assert_int_equal(config->max_removal_hold_ms, 300000);
}

static void text_that_is_no_single_document_is_refused(void **state)
{
        static const struct bad bad[] = {
            {"", "coracle.yaml", "must hold one YAML document, not 0"},
            {SITE "---\n" SITE, "coracle.yaml", "must hold one YAML document, not 2"},
            {"pools: [\n", "coracle.yaml:2", ""},
            {SITE BGP, "coracle.yaml:3", "bgp"},
        };

        (void)state;
        EXPECT_ERRORS(bad);
}

static void address_is_looked_for_in_every_pool(void **state)
{
        _cleanup_config_ struct config *config = config_of(everything);
        struct addr addr;

        (void)state;
        assert_int_equal(addr_parse("10.2.0.15", &addr), 0);
        assert_ptr_equal(config_pool_of(config, &addr), &config->pools[1].prefixes[0]);
        assert_int_equal(addr_parse("fd00:1:1::1", &addr), 0);
        assert_ptr_equal(config_pool_of(config, &addr), &config->pools[0].prefixes[1]);
        assert_int_equal(addr_parse("10.2.0.16", &addr), 0);
        assert_null(config_pool_of(config, &addr));
}

static void health_check_that_is_wrong_leaves_the_old_one(void **state)
{
        struct health_check check = {.type = HEALTH_CHECK_HTTP, .path = strdup("/old")};

        (void)state;
        assert_int_equal(health_check_parse("http:relative", &check), -EINVAL);
        assert_int_equal(health_check_parse("http:/a}b", &check), -EINVAL);
        assert_string_equal(check.path, "/old");
        assert_int_equal(health_check_parse("http:/new", &check), 0);
        assert_string_equal(check.path, "/new");
        assert_int_equal(health_check_parse("none", &check), 0);
        assert_null(check.path);
}

static void token_is_safe_only_without_what_keepalived_reads_as_syntax(void **state)
{
        static const char *const bad[] = {"", "a b", "a\nb", "a{", "a}", "a\"", "a#", "a!", "$a", "a\\", "ä"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_false(token_is_safe(bad[i]));
        assert_true(token_is_safe("shop/web-1_2.example:80"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_key_is_read),
            cmocka_unit_test(keys_left_out_have_the_documented_defaults),
            cmocka_unit_test(unknown_key_is_named_with_its_line_and_the_known_ones),
            cmocka_unit_test(key_that_is_needed_is_missed),
            cmocka_unit_test(wrong_type_is_named_with_its_line),
            cmocka_unit_test(impossible_value_is_named_with_its_line),
            cmocka_unit_test(announced_length_shorter_than_a_pool_is_refused),
            cmocka_unit_test(prefixes_that_overlap_are_refused),
            cmocka_unit_test(namespaces_are_names_and_given_once),
            cmocka_unit_test(fuse_has_a_share_and_a_time),
            cmocka_unit_test(text_that_is_no_single_document_is_refused),
            cmocka_unit_test(address_is_looked_for_in_every_pool),
            cmocka_unit_test(health_check_that_is_wrong_leaves_the_old_one),
            cmocka_unit_test(token_is_safe_only_without_what_keepalived_reads_as_syntax),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
