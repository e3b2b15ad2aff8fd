#include "io/http_server.h"

#include "base/cleanup.h"
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

struct fixture {
        struct ev_loop *loop;
        struct http_server *server;
        size_t big; /* bytes of the body of /big */
};

static void answer(void *userdata, const char *path, struct http_answer *out)
{
        const struct fixture *f = userdata;

        if (strcmp(path, "/livez") == 0) {
                out->status = 200;
                assert_int_equal(strbuf_puts(&out->body, "ok\n"), 0);
        } else if (strcmp(path, "/readyz") == 0) {
                out->status = 503;
        } else if (strcmp(path, "/big") == 0) {
                out->status = 200;
                for (size_t i = 0; i < f->big / 16; i++)
                        assert_int_equal(strbuf_puts(&out->body, "0123456789abcdef"), 0);
        }
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct error error;

        assert_non_null(f);
        f->loop = ev_loop_new(EVFLAG_AUTO);
        assert_int_equal(http_server_new(f->loop, "127.0.0.1:0", answer, f, &f->server, &error), 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        http_server_free(f->server);
        ev_loop_destroy(f->loop);
        free(f);
        return 0;
}

static int dial(const struct fixture *f)
{
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_port = htons((uint16_t)http_server_port(f->server)),
                                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        /* The kernel makes the connection; the server need not have accepted it. */
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
                struct pollfd connected = {.fd = fd, .events = POLLOUT};

                assert_int_equal(errno, EINPROGRESS);
                assert_int_equal(poll(&connected, 1, 10000), 1);
        }
        return fd;
}

static void say(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Runs the loop until the server closes the connection. Returns whether it did. */
static bool hear(const struct fixture *f, int fd, struct strbuf *out)
{
        char chunk[65536];

        for (int i = 0; i < 20000; i++) {
                ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

                if (n == 0 || (n < 0 && errno != EAGAIN))
                        return true;
                if (n > 0)
                        assert_int_equal(strbuf_append(out, chunk, (size_t)n), 0);
                (void)ev_run(f->loop, EVRUN_NOWAIT);
                if (n < 0)
                        (void)usleep(50);
        }
        return false;
}

static void expect_answer(const struct fixture *f, const char *request, const char *begin, const char *end)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_close_ int fd = dial(f);

        say(fd, request);
        assert_true(hear(f, fd, &text));
        assert_true(text.length > strlen(begin) + strlen(end));
        assert_memory_equal(text.text, begin, strlen(begin));
        assert_string_equal(text.text + text.length - strlen(end), end);
}

static void paths_get_their_answers(void **state)
{
        const struct fixture *f = *state;

        expect_answer(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
                      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n",
                      "Connection: close\r\n\r\nok\n");
        expect_answer(f, "GET /readyz?x HTTP/1.1\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n",
                      "\r\n\r\nService Unavailable\n");
        expect_answer(f, "GET /other HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "\r\n\r\nNot Found\n");
        expect_answer(f, "POST /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n",
                      "\r\n\r\nMethod Not Allowed\n");
}

static void answers_beyond_the_socket_buffer_are_sent_whole(void **state)
{
        struct fixture *f = *state;
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_close_ int fd = dial(f);

        f->big = (size_t)6 << 20;
        say(fd, "GET /big HTTP/1.1\r\n\r\n");
        assert_true(hear(f, fd, &text));
        assert_true(text.length > f->big);
        assert_string_equal(text.text + text.length - 16, "0123456789abcdef");
}

static void requests_in_pieces_are_put_together(void **state)
{
        const struct fixture *f = *state;
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_close_ int fd = dial(f);

        for (const char *c = "GET /livez HTTP/1.1\r\n\r\n"; *c; c++) {
                assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
                (void)ev_run(f->loop, EVRUN_NOWAIT);
        }
        assert_true(hear(f, fd, &text));
        assert_non_null(strstr(text.text, "200 OK"));
}

static void silent_clients_do_not_keep_a_probe_out(void **state)
{
        const struct fixture *f = *state;
        int silent[HTTP_SERVER_CLIENTS + 4];

        for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++) {
                silent[i] = dial(f);
                say(silent[i], "GET /li");
                (void)ev_run(f->loop, EVRUN_NOWAIT);
        }
        expect_answer(f, "GET /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "ok\n");
        for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++)
                assert_int_equal(close(silent[i]), 0);
}

static void silence_ends_with_the_timeout(void **state)
{
        const struct fixture *f = *state;
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_close_ int fd = dial(f);
        char byte;

        say(fd, "GET /li");
        while (recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN)
                (void)ev_run(f->loop, EVRUN_ONCE);
        assert_true(recv(fd, &byte, 1, 0) <= 0);
}

static void clients_that_hang_up_are_forgotten(void **state)
{
        struct fixture *f = *state;

        f->big = (size_t)6 << 20;
        for (int i = 0; i < 10; i++) {
                int fd = dial(f);

                say(fd, i % 2 ? "GET /big HTTP/1.1\r\n\r\n" : "GET");
                (void)ev_run(f->loop, EVRUN_NOWAIT);
                assert_int_equal(close(fd), 0);
                (void)ev_run(f->loop, EVRUN_NOWAIT);
        }
        expect_answer(f, "GET /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "ok\n");
}

static void addresses_are_ip_and_port(void **state)
{
        static const char *const bad[] = {"",           "9090",      ":9090",         "127.0.0.1",
                                          "127.0.0.1:", "::1",       "127.0.0.1:x",   "127.0.0.1:65536",
                                          "[::1]",      "[::1:9090", "localhost:9090"};
        const struct fixture *f = *state;
        struct http_server *server = NULL;
        struct error error;

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(http_server_new(f->loop, bad[i], answer, NULL, &server, &error), -EINVAL);
        assert_int_equal(http_server_new(f->loop, "192.0.2.1:0", answer, NULL, &server, &error),
                         -EADDRNOTAVAIL);
        assert_non_null(strstr(error.what, "cannot listen"));
        for (int i = 0; i < 2; i++) {
                int r = http_server_new(f->loop, i ? "[::1]:0" : "::1:0", answer, NULL, &server, &error);

                if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
                        continue; /* a machine without IPv6 */
                assert_int_equal(r, 0);
                assert_true(http_server_port(server) > 0);
                http_server_free(server);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(paths_get_their_answers, setup, teardown),
            cmocka_unit_test_setup_teardown(answers_beyond_the_socket_buffer_are_sent_whole, setup, teardown),
            cmocka_unit_test_setup_teardown(requests_in_pieces_are_put_together, setup, teardown),
            cmocka_unit_test_setup_teardown(silent_clients_do_not_keep_a_probe_out, setup, teardown),
            cmocka_unit_test_setup_teardown(silence_ends_with_the_timeout, setup, teardown),
            cmocka_unit_test_setup_teardown(clients_that_hang_up_are_forgotten, setup, teardown),
            cmocka_unit_test_setup_teardown(addresses_are_ip_and_port, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
