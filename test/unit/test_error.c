#include "base/error.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static void place_and_reason_are_kept_apart(void **state)
{
        struct error error;

        (void)state;
        assert_int_equal(error_set(&error, "default/web", "port %d is taken", 80), -EINVAL);
        assert_string_equal(error.where, "default/web");
        assert_string_equal(error.what, "port 80 is taken");
        assert_int_equal(error_set_line(&error, "c.yaml", 12, "no"), -EINVAL);
        assert_string_equal(error.where, "c.yaml:12");
        assert_int_equal(error_set_line(&error, "c.yaml", 0, "no"), -EINVAL);
        assert_string_equal(error.where, "c.yaml");
        assert_int_equal(error_oom(&error), -ENOMEM);
        assert_string_equal(error.what, "out of memory");
}

static void foreign_bytes_cannot_forge_a_log_line(void **state)
{
        struct error error;

        (void)state;
        (void)error_set(&error, "a\nb\x1b", "%s", "x\r\ny\x7f\t\xc3\xa9");
        assert_string_equal(error.where, "a?b?");
        assert_string_equal(error.what, "x??y??\xc3\xa9");
}

static void texts_that_are_too_long_are_cut(void **state)
{
        struct error error;
        char text[4096];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        (void)error_set(&error, text, "%s", text);
        assert_int_equal(strlen(error.where), sizeof(error.where) - 1);
        assert_int_equal(strlen(error.what), sizeof(error.what) - 1);
        (void)error_set_line(&error, text, 3, "%s", text);
        assert_int_equal(strlen(error.where), sizeof(error.where) - 1);
}

static void place_known_later_does_not_replace_a_nearer_one(void **state)
{
        struct error error;

        (void)state;
        (void)error_set(&error, NULL, "no");
        error_at(&error, "default/web\n");
        assert_string_equal(error.where, "default/web?");
        error_at(&error, "elsewhere");
        assert_string_equal(error.where, "default/web?");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(place_and_reason_are_kept_apart),
            cmocka_unit_test(foreign_bytes_cannot_forge_a_log_line),
            cmocka_unit_test(texts_that_are_too_long_are_cut),
            cmocka_unit_test(place_known_later_does_not_replace_a_nearer_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
