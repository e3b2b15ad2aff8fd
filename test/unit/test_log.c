#include "base/log.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What the call wrote to stderr, without its ts field. */
#define LOGGED(text, call)                                                 \
        do {                                                               \
                int ends_[2], saved_ = dup(STDERR_FILENO);                 \
                ssize_t length_;                                           \
                assert_int_equal(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0); \
                assert_true(dup2(ends_[1], STDERR_FILENO) >= 0);           \
                call;                                                      \
                assert_true(dup2(saved_, STDERR_FILENO) >= 0);             \
                length_ = read(ends_[0], (text), sizeof(text) - 1);        \
                (text)[length_ > 0 ? length_ : 0] = '\0';                  \
                (void)close(ends_[0]);                                     \
                (void)close(ends_[1]);                                     \
                (void)close(saved_);                                       \
        } while (0)

static void line_is_logfmt_with_quotes_where_needed(void **state)
{
        char text[1024];

        (void)state;
        log_setup(LOG_LEVEL_INFO, false);
        LOGGED(text, log_info("plan", "made it", LOG_INT("n", -3), LOG_TEXT("a", "b c"),
                              LOG_TEXT("q", "\"\\\n\x01"), LOG_TEXT("none", NULL),
                              LOG_TEXT("bare", "10.1.1.1:80")));
        assert_memory_equal(text, "ts=20", 5);
        assert_string_equal(strchr(text, ' '),
                            " level=info module=plan msg=\"made it\" n=-3 a=\"b c\" q=\"\\\"\\\\\\n\\u0001\""
                            " none=\"\" bare=10.1.1.1:80\n");
}

static void json_line_has_the_same_keys(void **state)
{
        _cleanup_json_ json_t *json = NULL;
        struct error error = {.where = "default/web", .what = "a\"b\tc"};
        char text[1024];

        (void)state;
        log_setup(LOG_LEVEL_INFO, true);
        LOGGED(text, log_error("plan", "no", LOG_ERROR_FIELDS(&error), LOG_INT("n", 7)));
        json = json_loads(text, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "level")), "error");
        assert_string_equal(json_string_value(json_object_get(json, "module")), "plan");
        assert_string_equal(json_string_value(json_object_get(json, "msg")), "no");
        assert_string_equal(json_string_value(json_object_get(json, "where")), "default/web");
        assert_string_equal(json_string_value(json_object_get(json, "error")), "a\"b\tc");
        assert_int_equal(json_integer_value(json_object_get(json, "n")), 7);
        assert_int_equal(json_object_size(json), 7);
}

static void lines_below_the_threshold_are_not_written(void **state)
{
        char text[1024];

        (void)state;
        log_setup(LOG_LEVEL_WARNING, false);
        LOGGED(text, log_info("m", "no"));
        assert_string_equal(text, "");
        LOGGED(text, log_debug("m", "no"));
        assert_string_equal(text, "");
        LOGGED(text, log_warning("m", "yes"));
        assert_non_null(strstr(text, "level=warning"));
}

static void level_names_are_known(void **state)
{
        enum log_level level = LOG_LEVEL_INFO;

        (void)state;
        assert_int_equal(log_level_parse("debug", &level), 0);
        assert_int_equal(level, LOG_LEVEL_DEBUG);
        assert_int_equal(log_level_parse("error", &level), 0);
        assert_int_equal(level, LOG_LEVEL_ERROR);
        assert_int_equal(log_level_parse("Error", &level), -EINVAL);
        assert_int_equal(level, LOG_LEVEL_ERROR);
}

/* The pipe of a container runtime that is stuck: whoever waits for it announces nothing any more. */
static void line_that_nobody_reads_is_lost_and_told_of_later(void **state)
{
        char full[16384] = {0}, text[1024];
        int ends[2], saved = dup(STDERR_FILENO);
        ssize_t length;

        (void)state;
        log_setup(LOG_LEVEL_INFO, false);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, sizeof(full)), sizeof(full));
        assert_int_equal(write(ends[1], full, sizeof(full)), sizeof(full));
        assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
        (void)alarm(5);
        log_info("m", "first");
        log_info("m", "second");
        (void)alarm(0);
        assert_int_equal(read(ends[0], full, sizeof(full)), sizeof(full));
        log_info("m", "third");
        log_info("m", "fourth");
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        length = read(ends[0], text, sizeof(text) - 1);
        text[length > 0 ? length : 0] = '\0';
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)close(saved);
        assert_null(strstr(text, "first"));
        assert_non_null(
            strstr(text, "level=warning module=log msg=\"nobody read stderr: lines are lost\" lines=2\n"));
        assert_true(strstr(text, "lines=2") < strstr(text, "third"));
        assert_non_null(strstr(text, "msg=fourth"));
        assert_null(strstr(strstr(text, "third"), "lost"));
}

static void repeats_within_the_period_are_held_back(void **state)
{
        struct log_rate rate = {0};

        (void)state;
        assert_true(log_rate_allow(&rate, 1000, 500));
        assert_false(log_rate_allow(&rate, 1001, 500));
        assert_false(log_rate_allow(&rate, 1499, 500));
        assert_true(log_rate_allow(&rate, 1500, 500));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(line_is_logfmt_with_quotes_where_needed),
            cmocka_unit_test(json_line_has_the_same_keys),
            cmocka_unit_test(lines_below_the_threshold_are_not_written),
            cmocka_unit_test(level_names_are_known),
            cmocka_unit_test(line_that_nobody_reads_is_lost_and_told_of_later),
            cmocka_unit_test(repeats_within_the_period_are_held_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
