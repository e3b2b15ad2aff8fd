/* Whether a TCP server answers. */
#include "io/tcp_probe.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

static struct addr loopback(void)
{
        struct addr addr;

        assert_int_equal(addr_parse("127.0.0.1", &addr), 0);
        return addr;
}

/* A bound socket; it answers once it listens. */
static int bound(uint16_t *port)
{
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(name);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&name, length), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
        *port = ntohs(name.sin_port);
        return fd;
}

static void note(void *userdata, bool answers)
{
        *(int *)userdata = answers;
}

static void expect(bool listens)
{
        struct ev_loop *loop = ev_loop_new(0);
        const struct addr addr = loopback();
        int told = -1;
        uint16_t port;
        int fd = bound(&port);

        if (listens)
                assert_int_equal(listen(fd, 1), 0);
        assert_non_null(tcp_probe_start(loop, &addr, port, 5.0, note, &told));
        assert_int_equal(told, -1);
        (void)ev_run(loop, 0);
        assert_int_equal(told, listens);
        (void)close(fd);
        ev_loop_destroy(loop);
}

static void one_that_listens_answers(void **state)
{
        (void)state;
        expect(true);
}

static void one_that_refuses_does_not(void **state)
{
        (void)state;
        expect(false);
}

static void one_that_is_cancelled_tells_nothing(void **state)
{
        struct ev_loop *loop = ev_loop_new(0);
        const struct addr addr = loopback();
        int told = -1;
        uint16_t port;
        int fd = bound(&port);

        (void)state;
        tcp_probe_cancel(tcp_probe_start(loop, &addr, port, 5.0, note, &told));
        tcp_probe_cancel(NULL);
        (void)ev_run(loop, 0);
        assert_int_equal(told, -1);
        (void)close(fd);
        ev_loop_destroy(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(one_that_listens_answers),
            cmocka_unit_test(one_that_refuses_does_not),
            cmocka_unit_test(one_that_is_cancelled_tells_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
