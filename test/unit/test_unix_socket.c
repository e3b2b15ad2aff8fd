#include "base/unix_socket.h"

#include "base/cleanup.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

static void failure_is_the_first_one(void **state)
{
        struct rlimit before, none = {0};
        struct error error = {0};

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none.rlim_max = before.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_int_equal(unix_socket_listen("/nowhere/socket", 0600, &error), -EMFILE);
        assert_string_equal(error.where, "/nowhere/socket");
        assert_non_null(strstr(error.what, strerror(EMFILE)));
        assert_int_equal(unix_socket_connect("/nowhere/socket", &error), -EMFILE);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(unix_socket_listen("/nowhere/socket", 0600, &error), -ENOENT);
        assert_int_equal(unix_socket_connect("/nowhere/socket", &error), -ENOENT);
}

static void path_that_is_too_long_is_refused(void **state)
{
        struct error error = {0};
        char path[200];

        (void)state;
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(unix_socket_listen(path, 0600, &error), -EINVAL);
        assert_int_equal(unix_socket_connect(path, &error), -EINVAL);
        assert_non_null(strstr(error.what, "too long"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(failure_is_the_first_one),
            cmocka_unit_test(path_that_is_too_long_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
