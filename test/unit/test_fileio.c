#include "base/fileio.h"

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char directory[] = "/tmp/coracle-fileio-XXXXXX";

static const char *in_directory(const char *name)
{
        static char path[PATH_MAX];

        assert_true(snprintf(path, sizeof(path), "%s/%s", directory, name) > 0);
        return path;
}

static int make_directory(void **state)
{
        (void)state;
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
        (void)state;
        (void)unlink(in_directory("f"));
        (void)unlink(in_directory("f.new"));
        return rmdir(directory);
}

static void new_file_is_invisible_until_it_replaces(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;
        struct stat status;

        (void)state;
        assert_int_equal(file_write_new(in_directory("f"), "hello", 5, 0640, &error), 0);
        assert_int_equal(access(in_directory("f"), F_OK), -1);
        assert_int_equal(file_replace(in_directory("f"), &error), 0);
        assert_int_equal(access(in_directory("f.new"), F_OK), -1);
        assert_int_equal(stat(in_directory("f"), &status), 0);
        assert_int_equal(status.st_mode & 07077, 040);
        assert_int_equal(file_read(in_directory("f"), 5, &text, &error), 0);
        assert_string_equal(text.text, "hello");
}

static void empty_file_is_an_empty_text(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        (void)state;
        assert_int_equal(file_write_new(in_directory("f"), "", 0, 0600, &error), 0);
        assert_int_equal(file_replace(in_directory("f"), &error), 0);
        assert_int_equal(file_read(in_directory("f"), 5, &text, &error), 0);
        assert_string_equal(text.text, "");
}

static void file_beyond_the_limit_is_refused(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        (void)state;
        assert_int_equal(file_write_new(in_directory("f"), "hello", 5, 0600, &error), 0);
        assert_int_equal(file_replace(in_directory("f"), &error), 0);
        assert_int_equal(file_read(in_directory("f"), 4, &text, &error), -EFBIG);
        assert_string_equal(error.where, in_directory("f"));
}

static void absent_file_is_named(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        (void)state;
        assert_int_equal(file_read("/nonexistent/x", 10, &text, &error), -ENOENT);
        assert_string_equal(error.where, "/nonexistent/x");
        assert_non_null(strstr(error.what, "No such file"));
        assert_int_equal(file_write_new("/nonexistent/x", "", 0, 0600, &error), -ENOENT);
        assert_string_equal(error.where, "/nonexistent/x.new");
        assert_int_equal(file_replace("/nonexistent/x", &error), -ENOENT);
}

static void directory_is_no_file(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        (void)state;
        assert_int_equal(file_read(directory, 10, &text, &error), -EISDIR);
}

static void failed_write_leaves_nothing_behind(void **state)
{
        const struct rlimit nothing = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
        struct rlimit before;
        struct error error;

        (void)state;
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &nothing), 0);
        assert_int_equal(file_write_new(in_directory("f"), "x", 1, 0600, &error), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(access(in_directory("f.new"), F_OK), -1);
}

/* The directory may be one that somebody else writes to as well. */
static void what_stands_in_the_new_files_place_is_removed_not_written_to(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;
        char other[PATH_MAX];

        (void)state;
        (void)snprintf(other, sizeof(other), "%s", in_directory("other"));
        assert_int_equal(file_write_new(other, "mine", 4, 0600, &error), 0);
        assert_int_equal(file_replace(other, &error), 0);
        assert_int_equal(symlink(other, in_directory("f.new")), 0);
        assert_int_equal(file_write_new(in_directory("f"), "hello", 5, 0600, &error), 0);
        assert_int_equal(file_replace(in_directory("f"), &error), 0);
        assert_int_equal(file_read(other, 10, &text, &error), 0);
        assert_string_equal(text.text, "mine");
        strbuf_reset(&text);
        assert_int_equal(file_read(in_directory("f"), 10, &text, &error), 0);
        assert_string_equal(text.text, "hello");
        assert_int_equal(unlink(other), 0);
}

static void path_that_is_too_long_is_refused(void **state)
{
        struct error error;
        char path[PATH_MAX + 1];

        (void)state;
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(file_write_new(path, "", 0, 0600, &error), -EINVAL);
        assert_int_equal(file_replace(path, &error), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(new_file_is_invisible_until_it_replaces),
            cmocka_unit_test(empty_file_is_an_empty_text),
            cmocka_unit_test(file_beyond_the_limit_is_refused),
            cmocka_unit_test(absent_file_is_named),
            cmocka_unit_test(directory_is_no_file),
            cmocka_unit_test(failed_write_leaves_nothing_behind),
            cmocka_unit_test(what_stands_in_the_new_files_place_is_removed_not_written_to),
            cmocka_unit_test(path_that_is_too_long_is_refused),
        };

        return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
