#include "io/notify_fifo.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct heard {
        unsigned int lines;
        bool up;
};

static void on_notified(void *userdata, const struct notify_line *line)
{
        struct heard *heard = userdata;

        heard->lines++;
        heard->up = line->up;
}

/* The directory may be one that somebody else writes to as well. */
static void what_stands_in_the_fifos_place_is_replaced(void **state)
{
        static const char down[] = "VS [10.1.1.1]:tcp:80 DOWN\n";
        char directory[] = "/tmp/coracle-fifo-XXXXXX", path[64], other[64];
        struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
        struct heard heard = {.up = true};
        struct notify_fifo *fifo = NULL;
        struct stat status;
        struct error error;
        int fd;

        (void)state;
        assert_non_null(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/fifo", directory);
        (void)snprintf(other, sizeof(other), "%s/other", directory);
        fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(symlink(other, path), 0);
        assert_int_equal(notify_fifo_new(loop, path, on_notified, &heard, &fifo, &error), 0);
        assert_int_equal(lstat(path, &status), 0);
        assert_true(S_ISFIFO(status.st_mode));

        fd = open(path, O_WRONLY | O_CLOEXEC); /* as keepalived does */
        assert_int_equal(write(fd, down, sizeof(down) - 1), sizeof(down) - 1);
        (void)close(fd);
        (void)ev_run(loop, EVRUN_ONCE);
        assert_int_equal(heard.lines, 1);
        assert_false(heard.up);

        notify_fifo_free(fifo);
        ev_loop_destroy(loop);
        assert_int_equal(unlink(other), 0);
        assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_stands_in_the_fifos_place_is_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
