#include "io/acceptor.h"

#include "base/unix_socket.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct server {
        struct ev_loop *loop;
        struct acceptor acceptor;
        unsigned int accepted;
        char directory[64], path[108];
        int client; /* it waits in the backlog */
};

static void on_accepted(struct acceptor *acceptor, int fd)
{
        container_of(acceptor, struct server, acceptor)->accepted++;
        (void)close(fd);
}

static int setup(void **state)
{
        struct server *server = calloc(1, sizeof(*server));
        struct error error;
        int fd;

        assert_non_null(server);
        (void)snprintf(server->directory, sizeof(server->directory), "/tmp/coracle-acceptor-XXXXXX");
        assert_non_null(mkdtemp(server->directory));
        (void)snprintf(server->path, sizeof(server->path), "%s/socket", server->directory);
        server->loop = ev_loop_new(EVFLAG_AUTO);
        fd = unix_socket_listen(server->path, 0600, &error);
        assert_true(fd >= 0);
        acceptor_start(&server->acceptor, server->loop, fd, on_accepted);
        server->client = unix_socket_connect(server->path, &error);
        assert_true(server->client >= 0);
        *state = server;
        return 0;
}

static int teardown(void **state)
{
        struct server *server = *state;

        (void)close(server->client);
        acceptor_end(&server->acceptor);
        ev_loop_destroy(server->loop);
        assert_int_equal(unlink(server->path), 0);
        assert_int_equal(rmdir(server->directory), 0);
        free(server);
        return 0;
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)timer;
        (void)revents;
        ev_break(loop, EVBREAK_ALL);
}

/* Returns how often it woke. */
static unsigned int run_for(struct ev_loop *loop, double seconds)
{
        const unsigned int before = ev_iteration(loop);
        ev_timer timer;

        ev_timer_init(&timer, on_timeout, seconds, 0.);
        ev_now_update(loop);
        ev_timer_start(loop, &timer);
        ev_run(loop, 0);
        ev_timer_stop(loop, &timer);
        return ev_iteration(loop) - before;
}

static void without_descriptors_it_waits_and_then_accepts(void **state)
{
        struct server *server = *state;
        struct rlimit before, none;
        int unused = fcntl(server->client, F_DUPFD_CLOEXEC, 0);

        (void)close(unused);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = (rlim_t)unused;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_in_range(run_for(server->loop, 0.35), 1, 12);
        assert_int_equal(server->accepted, 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        (void)run_for(server->loop, 0.2);
        assert_int_equal(server->accepted, 1);
}

static void while_held_whoever_comes_waits(void **state)
{
        struct server *server = *state;

        acceptor_hold(&server->acceptor);
        (void)run_for(server->loop, 0.05);
        assert_int_equal(server->accepted, 0);
        acceptor_resume(&server->acceptor);
        (void)run_for(server->loop, 0.05);
        assert_int_equal(server->accepted, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(without_descriptors_it_waits_and_then_accepts, setup, teardown),
            cmocka_unit_test_setup_teardown(while_held_whoever_comes_waits, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
