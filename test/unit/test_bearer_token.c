#include "io/bearer_token.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int make_file(void **state)
{
        int fd;

        (void)state;
        (void)snprintf(path, sizeof(path), "/tmp/coracle-token-XXXXXX");
        fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        return 0;
}

static int drop_file(void **state)
{
        (void)state;
        (void)unlink(path);
        return 0;
}

static void write_token(const char *text)
{
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static struct bearer_token make_token(void)
{
        return (struct bearer_token){.path = strdup(path)};
}

static void token_that_rotates_is_read_again(void **state)
{
        struct bearer_token token = make_token();
        const char *text = NULL;
        struct error error;

        (void)state;
        write_token("first.token\n");
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        assert_string_equal(text, "first.token");
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        assert_string_equal(text, "first.token");
        write_token("the-second.token");
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        assert_string_equal(text, "the-second.token");
        bearer_token_forget(&token);
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        assert_string_equal(text, "the-second.token");
        bearer_token_clear(&token);
}

static void last_token_stands_in_while_the_file_is_unusable(void **state)
{
        struct bearer_token token = make_token();
        const char *text = NULL;
        struct error error;

        (void)state;
        write_token("good");
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        write_token("");
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        assert_string_equal(text, "good");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(bearer_token_get(&token, &text, &error), 0);
        assert_string_equal(text, "good");
        bearer_token_clear(&token);
}

static void file_without_a_token_is_an_error_that_does_not_tell_it(void **state)
{
        static const char *const texts[] = {"", "\n", "two words", "hidden\x01", "hidden\x7f"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                struct bearer_token token = make_token();
                struct error error = {{0}, {0}};
                const char *text = NULL;

                write_token(texts[i]);
                assert_int_equal(bearer_token_get(&token, &text, &error), -EINVAL);
                assert_null(text);
                assert_string_equal(error.where, path);
                assert_null(strstr(error.what, "hidden"));
                bearer_token_clear(&token);
        }
}

static void file_that_is_absent_is_an_error(void **state)
{
        struct bearer_token token = make_token();
        struct error error = {{0}, {0}};
        const char *text = NULL;

        (void)state;
        assert_int_equal(unlink(path), 0);
        assert_int_equal(bearer_token_get(&token, &text, &error), -ENOENT);
        bearer_token_clear(&token);
}

#define file_test(f) cmocka_unit_test_setup_teardown(f, make_file, drop_file)

int main(void)
{
        const struct CMUnitTest tests[] = {
            file_test(token_that_rotates_is_read_again),
            file_test(last_token_stands_in_while_the_file_is_unusable),
            file_test(file_without_a_token_is_an_error_that_does_not_tell_it),
            file_test(file_that_is_absent_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
