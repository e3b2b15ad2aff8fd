#include "core/addr.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void ipv4_and_ipv6_survive_a_round_trip(void **state)
{
        static const char *const texts[] = {"10.1.1.1", "255.255.255.255", "fd00:1:1::1", "::"};
        char text[ADDR_TEXT_SIZE];
        struct addr addr;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                assert_int_equal(addr_parse(texts[i], &addr), 0);
                assert_string_equal(addr_format(&addr, text), texts[i]);
        }
}

static void what_is_no_address_is_refused(void **state)
{
        static const char *const texts[] = {"", "10.1.1", "10.1.1.256", "10.1.1.1 ", "fe80::1%eth0", "web"};
        struct addr addr;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
                assert_true(addr_parse(texts[i], &addr) < 0);
}

static void ipv4_sorts_before_ipv6_and_numerically(void **state)
{
        static const char *const sorted[] = {"9.0.0.1", "10.0.0.1", "10.0.0.2", "::1", "fd00::"};
        struct addr a, b;

        (void)state;
        for (size_t i = 1; i < sizeof(sorted) / sizeof(*sorted); i++) {
                assert_int_equal(addr_parse(sorted[i - 1], &a), 0);
                assert_int_equal(addr_parse(sorted[i], &b), 0);
                assert_true(addr_compare(&a, &b) < 0);
                assert_true(addr_compare(&b, &a) > 0);
        }
}

static void next_address_carries_and_ends_with_the_family(void **state)
{
        char text[ADDR_TEXT_SIZE];
        struct addr addr;

        (void)state;
        assert_int_equal(addr_parse("10.1.255.255", &addr), 0);
        assert_true(addr_next(&addr));
        assert_string_equal(addr_format(&addr, text), "10.2.0.0");
        assert_int_equal(addr_parse("255.255.255.255", &addr), 0);
        assert_false(addr_next(&addr));
}

static void prefix_with_host_bits_or_a_bad_length_is_refused(void **state)
{
        static const char *const texts[] = {"10.1.1.1/24", "10.1.1.0/33", "10.1.1.0", "10.1.1.0/",
                                            "10.1.1.0/2x", "fd00::1/112", "::/129",   "/24"};
        struct prefix prefix;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
                assert_true(prefix_parse(texts[i], &prefix) < 0);
}

static void masked_prefix_drops_host_bits_and_nothing_else(void **state)
{
        char text[PREFIX_TEXT_SIZE];
        struct prefix prefix;

        (void)state;
        assert_int_equal(prefix_parse_masked("10.1.2.3/8", &prefix), 0);
        assert_string_equal(prefix_format(&prefix, text), "10.0.0.0/8");
        assert_int_equal(prefix_parse_masked("fd00::1/0", &prefix), 0);
        assert_string_equal(prefix_format(&prefix, text), "::/0");
        assert_int_equal(prefix_parse_masked("10.1.2.3", &prefix), -EINVAL);
        assert_int_equal(prefix_parse_masked("10.1.2.3/33", &prefix), -EINVAL);
        assert_string_equal(prefix_format(&prefix, text), "::/0");
}

static void prefix_contains_its_own_and_no_other(void **state)
{
        struct prefix prefix;
        struct addr addr;

        (void)state;
        assert_int_equal(prefix_parse("10.1.1.0/25", &prefix), 0);
        assert_int_equal(addr_parse("10.1.1.127", &addr), 0);
        assert_true(prefix_contains(&prefix, &addr));
        assert_int_equal(addr_parse("10.1.1.128", &addr), 0);
        assert_false(prefix_contains(&prefix, &addr));
        assert_int_equal(addr_parse("::", &addr), 0);
        assert_false(prefix_contains(&prefix, &addr));
}

static void only_the_address_of_one_host_is_unicast(void **state)
{
        static const char *const yes[] = {"10.1.1.1", "223.255.255.255", "1.0.0.0",
                                          "fd00::1",  "fe80::1",         "2001:db8::"};
        static const char *const no[] = {"0.0.0.0",         "0.1.2.3", "127.0.0.1", "224.0.1.5", "240.0.0.1",
                                         "255.255.255.255", "::",      "::1",       "ff02::1"};
        struct addr addr;

        (void)state;
        for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
                assert_int_equal(addr_parse(yes[i], &addr), 0);
                assert_true(addr_is_unicast(&addr));
        }
        for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
                assert_int_equal(addr_parse(no[i], &addr), 0);
                assert_false(addr_is_unicast(&addr));
        }
        assert_false(addr_is_unicast(&(struct addr){0}));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(ipv4_and_ipv6_survive_a_round_trip),
            cmocka_unit_test(what_is_no_address_is_refused),
            cmocka_unit_test(ipv4_sorts_before_ipv6_and_numerically),
            cmocka_unit_test(next_address_carries_and_ends_with_the_family),
            cmocka_unit_test(prefix_with_host_bits_or_a_bad_length_is_refused),
            cmocka_unit_test(masked_prefix_drops_host_bits_and_nothing_else),
            cmocka_unit_test(prefix_contains_its_own_and_no_other),
            cmocka_unit_test(only_the_address_of_one_host_is_unicast),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
