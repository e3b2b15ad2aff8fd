#include "core/values.h"

#include "base/cleanup.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static json_t *sample(void)
{
        return json_pack("{s:i, s:{s:s}, s:b, s:[s]}", "as", 65021, "router", "name", "edge", "ipv6", 0,
                         "pod_ranges", "172.16.0.0/16");
}

/* What `values` are after name=7, as JSON; or the error. */
static void check(const char *name, int expected_r, const char *expected)
{
        _cleanup_json_ json_t *values = sample(), *seven = json_integer(7);
        _cleanup_free_ char *text = NULL;
        struct error error = {{0}, {0}};

        assert_int_equal(values_set(values, name, seven, &error), expected_r);
        if (expected_r < 0) {
                assert_string_equal(error.what, expected);
                return;
        }
        text = json_dumps(values, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, expected);
}

static void value_replaces_another_or_is_added(void **state)
{
        check("as", 0,
              "{\"as\":7,\"ipv6\":false,\"pod_ranges\":[\"172.16.0.0/16\"],\"router\":{\"name\":\"edge\"}}");
        check("router.name", 0,
              "{\"as\":65021,\"ipv6\":false,\"pod_ranges\":[\"172.16.0.0/16\"],\"router\":{\"name\":7}}");
        check("router.b", 0,
              "{\"as\":65021,\"ipv6\":false,\"pod_ranges\":[\"172.16.0.0/"
              "16\"],\"router\":{\"b\":7,\"name\":\"edge\"}}");
        check("x", 0,
              "{\"as\":65021,\"ipv6\":false,\"pod_ranges\":[\"172.16.0.0/"
              "16\"],\"router\":{\"name\":\"edge\"},\"x\":7}");
        (void)state;
}

static void mapping_is_made_where_there_is_none(void **state)
{
        check("ipv6.a.b", 0,
              "{\"as\":65021,\"ipv6\":{\"a\":{\"b\":7}},\"pod_ranges\":[\"172.16.0.0/"
              "16\"],\"router\":{\"name\":\"edge\"}}");
        (void)state;
}

static void name_through_a_value_is_refused(void **state)
{
        check("as.x", -EINVAL, "\"as\" is no mapping");
        check("router.name.x", -EINVAL, "\"name\" is no mapping");
        check("pod_ranges.0", -EINVAL, "\"pod_ranges\" is no mapping");
        (void)state;
}

static void empty_name_is_refused(void **state)
{
        check("", -EINVAL, "a name is empty");
        check(".as", -EINVAL, "a name is empty");
        check("router.", -EINVAL, "a name is empty");
        check("router..name", -EINVAL, "a name is empty");
        (void)state;
}

static void values_that_are_no_mapping_are_refused(void **state)
{
        _cleanup_json_ json_t *values = json_array(), *seven = json_integer(7);
        struct error error = {{0}, {0}};

        assert_int_equal(values_set(values, "a", seven, &error), -EINVAL);
        (void)state;
}

/* As YAML's aliases make them. */
static void object_that_stands_in_two_places_changes_in_one(void **state)
{
        _cleanup_json_ json_t *values = sample(), *seven = json_integer(7);
        struct error error = {{0}, {0}};

        assert_int_equal(json_object_set(values, "twin", json_object_get(values, "router")), 0);
        assert_int_equal(values_set(values, "twin.name", seven, &error), 0);
        assert_string_equal(json_string_value(json_object_get(json_object_get(values, "router"), "name")),
                            "edge");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(values, "twin"), "name")), 7);
        (void)state;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(value_replaces_another_or_is_added),
            cmocka_unit_test(mapping_is_made_where_there_is_none),
            cmocka_unit_test(name_through_a_value_is_refused),
            cmocka_unit_test(empty_name_is_refused),
            cmocka_unit_test(values_that_are_no_mapping_are_refused),
            cmocka_unit_test(object_that_stands_in_two_places_changes_in_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
