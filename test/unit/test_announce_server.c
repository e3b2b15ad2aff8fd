#include "io/announce_server.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct fixture {
        struct ev_loop *loop;
        struct announce_server *server;
        char directory[64], path[108];
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct error error;

        assert_non_null(f);
        (void)snprintf(f->directory, sizeof(f->directory), "/tmp/coracle-test.XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        (void)snprintf(f->path, sizeof(f->path), "%s/announce.sock", f->directory);
        f->loop = ev_loop_new(EVFLAG_AUTO);
        assert_int_equal(announce_server_new(f->loop, f->path, &f->server, &error), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        announce_server_free(f->server);
        ev_loop_destroy(f->loop);
        assert_int_equal(rmdir(f->directory), 0); /* the socket is gone */
        free(f);
        return 0;
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
        (void)timer;
        (void)events;
        ev_break(loop, EVBREAK_ALL);
}

static void run_for(struct fixture *f, double seconds)
{
        ev_timer timer;

        ev_timer_init(&timer, on_timeout, seconds, 0.);
        ev_now_update(f->loop);
        ev_timer_start(f->loop, &timer);
        ev_run(f->loop, 0);
        ev_timer_stop(f->loop, &timer);
}

static int connect_to(const struct fixture *f)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
        assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static void set_routes(struct fixture *f, size_t count)
{
        _cleanup_announce_set_ struct announce_set set = {0};
        struct prefix prefix;

        assert_int_equal(prefix_parse("10.1.0.0/32", &prefix), 0);
        for (size_t i = 0; i < count; i++) {
                assert_int_equal(prefix_list_append(&set.routes, &prefix), 0);
                assert_true(addr_next(&prefix.addr));
        }
        assert_int_equal(announce_server_set(f->server, &set), 0);
}

static void say(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Whole lines that have arrived; -1: the server has closed. */
static int count_lines(int fd)
{
        char buf[65536];
        int count = 0;
        ssize_t n;

        while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
                for (ssize_t i = 0; i < n; i++)
                        count += buf[i] == '\n';
        return n == 0 ? -1 : count;
}

#define REPORT(up) "{\"announced\":[],\"graceful_shutdown\":false,\"neighbors_up\":" #up ",\"neighbors\":9}\n"

static void set_is_sent_on_connect_on_change_and_repeated(void **state)
{
        struct fixture *f = *state;
        _cleanup_close_ int fd = connect_to(f);

        run_for(f, 0.02);
        assert_int_equal(count_lines(fd), 0); /* nothing is known yet */
        set_routes(f, 1);
        run_for(f, 0.02);
        assert_int_equal(count_lines(fd), 1);
        set_routes(f, 1);
        run_for(f, 0.02);
        assert_int_equal(count_lines(fd), 0); /* no change */
        set_routes(f, 2);
        run_for(f, 0.02);
        assert_int_equal(count_lines(fd), 1);
        run_for(f, ANNOUNCE_HEARTBEAT_MS * 2.2e-3);
        assert_int_equal(count_lines(fd), 2);

        _cleanup_close_ int late = connect_to(f);
        run_for(f, 0.02);
        assert_int_equal(count_lines(late), 1);
}

static unsigned int neighbors_up(const struct fixture *f)
{
        const struct announce_report *report = announce_server_report(f->server);

        assert_non_null(report);
        return report->neighbors_up;
}

static void last_report_counts_while_the_announcer_is_connected(void **state)
{
        struct fixture *f = *state;
        int fd = connect_to(f);

        assert_null(announce_server_report(f->server));
        say(fd, REPORT(1));
        run_for(f, 0.02);
        assert_int_equal(neighbors_up(f), 1);
        say(fd, REPORT(1) REPORT(2));
        run_for(f, 0.02);
        assert_int_equal(neighbors_up(f), 2);
        (void)close(fd);
        run_for(f, 0.02);
        assert_null(announce_server_report(f->server));
}

static void newest_announcer_is_believed(void **state)
{
        struct fixture *f = *state;
        _cleanup_close_ int old = connect_to(f);
        int new;

        run_for(f, 0.02);
        new = connect_to(f);
        run_for(f, 0.02);
        say(new, REPORT(5));
        run_for(f, 0.02);
        say(old, REPORT(3));
        run_for(f, 0.02);
        assert_int_equal(neighbors_up(f), 5);
        (void)close(new);
        run_for(f, 0.02);
        assert_int_equal(neighbors_up(f), 3);
}

static void oldest_of_too_many_goes(void **state)
{
        struct fixture *f = *state;
        int fds[5];

        set_routes(f, 1);
        for (size_t i = 0; i < 5; i++) {
                fds[i] = connect_to(f);
                run_for(f, 0.02);
        }
        assert_int_equal(count_lines(fds[0]), -1);
        assert_int_equal(count_lines(fds[4]), 1);
        for (size_t i = 0; i < 5; i++)
                (void)close(fds[i]);
        run_for(f, 0.02);
}

static void bad_report_ends_the_connection_only(void **state)
{
        struct fixture *f = *state;
        _cleanup_close_ int bad = connect_to(f), good = connect_to(f);

        set_routes(f, 1);
        run_for(f, 0.02);
        say(bad, "{\"announced\":7}\n");
        run_for(f, 0.02);
        assert_int_equal(count_lines(bad), -1);
        assert_int_equal(count_lines(good), 1);
}

static void slow_reader_is_dropped(void **state)
{
        struct fixture *f = *state;
        _cleanup_close_ int slow = connect_to(f), quick = connect_to(f);
        ev_tstamp began;

        run_for(f, 0.02);
        say(slow, REPORT(1));
        run_for(f, 0.02);
        assert_int_equal(neighbors_up(f), 1);
        began = ev_time();
        set_routes(f, 60000); /* more than a socket's buffer holds */
        while (announce_server_report(f->server) && ev_time() - began < 20) {
                run_for(
                    f, 0.01); /* the quick one needs several turns: it is to be quick on a busy machine too */
                assert_true(count_lines(quick) >= 0);
        }
        /* A machine under load takes longer, but never less. */
        assert_null(announce_server_report(f->server));
        assert_true(ev_time() - began > ANNOUNCE_SILENCE_MS / 1e3);
}

static void socket_of_an_earlier_process_is_replaced(void **state)
{
        struct fixture *f = *state;
        struct announce_server *second = NULL;
        struct error error;

        assert_int_equal(announce_server_new(f->loop, f->path, &second, &error), 0);
        announce_server_free(second);
        assert_true(announce_server_new(f->loop, "/nowhere/announce.sock", &second, &error) < 0);
        assert_string_equal(error.where, "/nowhere/announce.sock");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(set_is_sent_on_connect_on_change_and_repeated, setup, teardown),
            cmocka_unit_test_setup_teardown(last_report_counts_while_the_announcer_is_connected, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(newest_announcer_is_believed, setup, teardown),
            cmocka_unit_test_setup_teardown(oldest_of_too_many_goes, setup, teardown),
            cmocka_unit_test_setup_teardown(bad_report_ends_the_connection_only, setup, teardown),
            cmocka_unit_test_setup_teardown(slow_reader_is_dropped, setup, teardown),
            cmocka_unit_test_setup_teardown(socket_of_an_earlier_process_is_replaced, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
