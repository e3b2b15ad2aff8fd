#include "core/config.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define POOLS "pools: [{name: p, prefixes: [10.1.1.0/24]}]\n"
#define BGP "bgp: {localAS: 65021, reflectors: [{address: 10.0.0.109, as: 65021}]}\n"

static struct config *parse(const char *text)
{
        struct config *config = NULL;
        struct error error = {0};

        if (config_parse("c.yaml", text, strlen(text), &config, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        return config;
}

static void assert_refused(const char *text, const char *where, const char *what)
{
        struct config *config = NULL;
        struct error error = {0};

        if (config_parse("c.yaml", text, strlen(text), &config, &error) != -EINVAL)
                fail_msg("accepted: %s", text);
        assert_null(config);
        assert_string_equal(error.where, where);
        if (!strstr(error.what, what))
                fail_msg("\"%s\" does not say \"%s\"", error.what, what);
}

static void least_configuration_has_the_documented_defaults(void **state)
{
        _cleanup_config_ struct config *config = parse(POOLS BGP);

        (void)state;
        assert_string_equal(config->load_balancer_class, "coracle.lb/ecmp");
        assert_int_equal(config->bgp.hold_time_s, 9);
        assert_int_equal(config->bgp.announce_length4, 32);
        assert_int_equal(config->bgp.announce_length6, 128);
        assert_null(config->bgp.password_file);
        assert_int_equal(config->default_forwarding, FORWARDING_NAT);
        assert_int_equal(config->default_health_check.type, HEALTH_CHECK_TCP);
        assert_int_equal(config->default_health_check.interval_ms, 2000);
}

static void every_key_is_read(void **state)
{
        _cleanup_config_ struct config *config =
            parse("loadBalancerClass: example.com/x\n"
                  "pools:\n"
                  "  - {name: a, prefixes: [10.1.1.0/24, 'fd00:1:1::/112']}\n"
                  "  - {name: b, prefixes: [10.2.0.0/16]}\n"
                  "bgp:\n"
                  "  localAS: 4200000000\n"
                  "  holdTime: 3\n"
                  "  reflectors: [{address: 10.0.0.109, as: 65021}, {address: 'fd00::9', as: 65022}]\n"
                  "  passwordFile: /etc/coracle/bgp/password\n"
                  "  announce: {ipv4Length: 24, ipv6Length: 112}\n"
                  "defaults:\n"
                  "  forwarding: tunnel\n"
                  "  scheduler: wlc\n"
                  "  healthCheck: {type: 'http:/live', interval: 0.2, timeout: 1.5, retries: 0}\n");

        (void)state;
        assert_string_equal(config->load_balancer_class, "example.com/x");
        assert_int_equal(config->n_pools, 2);
        assert_string_equal(config->pools[1].name, "b");
        assert_int_equal(config->pools[0].n_prefixes, 2);
        assert_int_equal(config->bgp.local_as, 4200000000);
        assert_int_equal(config->bgp.hold_time_s, 3);
        assert_int_equal(config->bgp.n_reflectors, 2);
        assert_int_equal(config->bgp.reflectors[1].as, 65022);
        assert_string_equal(config->bgp.password_file, "/etc/coracle/bgp/password");
        assert_int_equal(config->bgp.announce_length4, 24);
        assert_int_equal(config->bgp.announce_length6, 112);
        assert_int_equal(config->default_forwarding, FORWARDING_TUNNEL);
        assert_string_equal(config->default_scheduler, "wlc");
        assert_int_equal(config->default_health_check.type, HEALTH_CHECK_HTTP);
        assert_string_equal(config->default_health_check.path, "/live");
        assert_int_equal(config->default_health_check.interval_ms, 200);
        assert_int_equal(config->default_health_check.timeout_ms, 1500);
        assert_int_equal(config->default_health_check.retries, 0);
}

static void unknown_key_is_named_with_its_line(void **state)
{
        (void)state;
        assert_refused(POOLS BGP "defautls: {}\n", "c.yaml:3", "unknown key 'defautls' (known here: ");
        assert_refused(POOLS BGP "defaults:\n  healthCheck:\n    intervall: 2\n", "c.yaml:5",
                       "unknown key 'intervall'");
        assert_refused("pools:\n- name: p\n  prefix: 10.1.1.0/24\n" BGP, "c.yaml:3", "unknown key 'prefix'");
}

static void missing_key_is_named(void **state)
{
        (void)state;
        assert_refused(POOLS, "c.yaml:1", "lacks the key 'bgp'");
        assert_refused(BGP, "c.yaml:1", "lacks the key 'pools'");
        assert_refused(POOLS "bgp:\n  localAS: 1\n", "c.yaml:2", "lacks the key 'reflectors'");
        assert_refused(POOLS "bgp: {localAS: 1, reflectors: [{address: 10.0.0.1}]}\n", "c.yaml:2",
                       "lacks the key 'as'");
        assert_refused("", "c.yaml", "one YAML document");
        assert_refused(POOLS BGP "---\n" POOLS, "c.yaml", "one YAML document");
}

static void impossible_values_are_refused(void **state)
{
        static const struct {
                const char *where, *text, *what;
        } cases[] = {
            {"c.yaml:1", "pools: []\n" BGP, "at least one"},
            {"c.yaml:1", "pools: [{name: p, prefixes: []}]\n" BGP, "at least one"},
            {"c.yaml:1", "pools: [{name: p, prefixes: [10.1.1.1/24]}]\n" BGP, "without host bits"},
            {"c.yaml:1", "pools: [{name: p, prefixes: 10.1.1.0/24}]\n" BGP, "must be a list"},
            {"c.yaml:1", "pools: [{name: 'a b', prefixes: [10.1.1.0/24]}]\n" BGP, "must be a text"},
            {"c.yaml:1", "pools: [x]\n" BGP, "must be a mapping"},
            {"c.yaml:2", POOLS "bgp: {localAS: 0, reflectors: [{address: 10.0.0.1, as: 1}]}",
             "localAS must be an integer"},
            {"c.yaml:2", POOLS "bgp: {localAS: 4294967296, reflectors: [{address: 10.0.0.1, as: 1}]}",
             "localAS must be"},
            {"c.yaml:2", POOLS "bgp: {localAS: 1.5, reflectors: [{address: 10.0.0.1, as: 1}]}",
             "localAS must be"},
            {"c.yaml:2", POOLS "bgp: {localAS: 1, holdTime: 2, reflectors: [{address: 10.0.0.1, as: 1}]}",
             "from 3 to 65535"},
            {"c.yaml:2", POOLS "bgp: {localAS: 1, reflectors: [{address: web, as: 1}]}",
             "must be an IP address"},
            {"c.yaml:2",
             POOLS "bgp: {localAS: 1, reflectors: [{address: 10.0.0.1, as: 1}], announce: {ipv4Length: 33}}",
             "1 to 32"},
            {"c.yaml:3", POOLS BGP "defaults: {forwarding: direct}", "nat or tunnel"},
            {"c.yaml:3", POOLS BGP "defaults: {scheduler: best}", "scheduler of IPVS"},
            {"c.yaml:3", POOLS BGP "defaults: {healthCheck: {type: udp}}", "tcp, none or http:/path"},
            {"c.yaml:3", POOLS BGP "defaults: {healthCheck: {interval: 0.01}}", "from 0.05 to 3600"},
            {"c.yaml:3", POOLS BGP "defaults: {healthCheck: {interval: soon}}", "number of seconds"},
            {"c.yaml:3", POOLS BGP "defaults: {healthCheck: {retries: -1}}", "from 0 to 100"},
            {"c.yaml:3", POOLS BGP "loadBalancerClass: [x]", "must be a text"},
            {"c.yaml:1", "[]", "must be a mapping"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                assert_refused(cases[i].text, cases[i].where, cases[i].what);
}

static void route_that_reaches_beyond_its_pool_is_refused(void **state)
{
        (void)state;
        assert_refused(
            POOLS "bgp: {localAS: 1, reflectors: [{address: 10.0.0.1, as: 1}], announce: {ipv4Length: 16}}",
            "c.yaml:2", "reaches beyond pool p");
}

static void address_is_found_in_its_pool(void **state)
{
        _cleanup_config_ struct config *config = parse("pools: [{name: a, prefixes: [10.1.1.0/24]}, {name: "
                                                       "b, prefixes: ['fd00::/112', 10.2.0.0/16]}]\n" BGP);
        char text[PREFIX_TEXT_SIZE];
        struct addr addr;

        (void)state;
        assert_int_equal(addr_parse("10.2.3.4", &addr), 0);
        assert_string_equal(prefix_format(config_pool_of(config, &addr), text), "10.2.0.0/16");
        assert_int_equal(addr_parse("10.3.0.1", &addr), 0);
        assert_null(config_pool_of(config, &addr));
}

static void safe_tokens_have_no_room_for_a_directive(void **state)
{
        static const char *const unsafe[] = {"",  " ",  "a b", "a\n", "{",        "}", "#",
                                             "!", "\"", "$",   "a;b", "\xc3\xa9", "\\"};

        (void)state;
        assert_true(token_is_safe("aZ09._:/-"));
        for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
                assert_false(token_is_safe(unsafe[i]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(least_configuration_has_the_documented_defaults),
            cmocka_unit_test(every_key_is_read),
            cmocka_unit_test(unknown_key_is_named_with_its_line),
            cmocka_unit_test(missing_key_is_named),
            cmocka_unit_test(impossible_values_are_refused),
            cmocka_unit_test(route_that_reaches_beyond_its_pool_is_refused),
            cmocka_unit_test(address_is_found_in_its_pool),
            cmocka_unit_test(safe_tokens_have_no_room_for_a_directive),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
