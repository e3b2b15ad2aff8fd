#include "io/http_client.h"

#include "base/strbuf.h"
#include "unit.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a server that answers by path, one connection at a time, in a child ---- */

static void say(int fd, const char *text)
{
        if (write(fd, text, strlen(text)) < 0)
                _exit(1);
}

/* "HTTP/1.1 200 OK" with the request itself as body. */
static void echo(int fd, const char *request)
{
        char head[128];

        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(request));
        say(fd, head);
        say(fd, request);
}

static bool is_whole(const char *request)
{
        const char *end = strstr(request, "\r\n\r\n");
        const char *length = strstr(request, "Content-Length: ");

        return end && (!length || strlen(end + 4) >= strtoul(length + 16, NULL, 10));
}

static void receive(int fd, char *request, size_t size)
{
        size_t length = 0;

        *request = '\0';
        while (length < size - 1 && !is_whole(request)) {
                ssize_t n = read(fd, request + length, size - 1 - length);

                if (n <= 0)
                        break;
                length += (size_t)n;
                request[length] = '\0';
        }
}

static void answer(int fd, const char *request)
{
        if (strstr(request, " /keep ")) {
                char next[8192];

                echo(fd, request);
                receive(fd, next, sizeof(next)); /* and it dies before it answers that one */
        } else if (strstr(request, " /echo "))
                echo(fd, request);
        else if (strstr(request, " /moved "))
                say(fd, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 5\r\n\r\nmoved");
        else if (strstr(request, " /busy "))
                say(fd, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy");
        else if (strstr(request, " /half "))
                say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        else if (strstr(request, " /silent "))
                say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nword\r\n");
        else if (strstr(request, " /endless")) {
                say(fd, strstr(request, "/endless-error") ? "HTTP/1.1 500 No\r\n\r\n"
                                                          : "HTTP/1.1 200 OK\r\n\r\n");
                for (int i = 0; i < 100000; i++)
                        say(fd, "ten bytes\n");
        }
}

static void serve(int listener)
{
        (void)signal(SIGPIPE, SIG_DFL);
        for (;;) {
                char request[8192];
                int fd = accept(listener, NULL, NULL);

                if (fd < 0)
                        continue;
                receive(fd, request, sizeof(request));
                /* Each in a child of its own: some of these answers never end. */
                if (fork() == 0) {
                        answer(fd, request);
                        if (strstr(request, " /silent "))
                                (void)pause();
                        _exit(0);
                }
                (void)close(fd);
        }
}

/* ---- the client's side ---- */

struct site {
        struct ev_loop *loop;
        struct http_client *client;
        struct http_transfer *transfer;
        pid_t server;
        char origin[64];
        char token_path[64];
        struct strbuf received;
        unsigned int answers;
        bool refuse_data;
        struct http_result result;
        char body[64];
};

static int make_site(void **state)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct site *site = calloc(1, sizeof(*site));
        socklen_t length = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
        struct error error;

        assert_non_null(site);
        (void)signal(SIGPIPE, SIG_IGN);
        assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
        assert_int_equal(listen(listener, 16), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
        site->server = fork();
        if (site->server == 0) {
                (void)setpgid(0, 0);
                (void)signal(SIGCHLD, SIG_IGN);
                serve(listener);
        }
        (void)setpgid(site->server, site->server);
        (void)close(listener);
        (void)snprintf(site->origin, sizeof(site->origin), "http://127.0.0.1:%d", ntohs(address.sin_port));
        (void)snprintf(site->token_path, sizeof(site->token_path), "/tmp/coracle-token-XXXXXX");
        fd = mkstemp(site->token_path);
        assert_true(fd >= 0);
        say(fd, "the.token\n");
        assert_int_equal(close(fd), 0);
        site->loop = ev_loop_new(EVFLAG_AUTO);

        const struct http_credentials credentials = {.token_file = site->token_path};
        assert_int_equal(http_client_new(site->loop, &credentials, &site->client, &error), 0);
        *state = site;
        return 0;
}

static int drop_site(void **state)
{
        struct site *site = *state;

        http_client_free(site->client);
        ev_loop_destroy(site->loop);
        strbuf_clear(&site->received);
        (void)unlink(site->token_path);
        (void)kill(-site->server, SIGKILL);
        (void)waitpid(site->server, NULL, 0);
        free(site);
        return 0;
}

static int on_data(void *userdata, const char *data, size_t length)
{
        struct site *site = userdata;

        if (site->refuse_data)
                return -1;
        return strbuf_append(&site->received, data, length);
}

static void on_done(void *userdata, const struct http_result *result)
{
        struct site *site = userdata;

        site->result = *result;
        site->result.body = NULL;
        (void)snprintf(site->body, sizeof(site->body), "%s", result->body);
        site->answers++;
        site->transfer = NULL;
        ev_break(site->loop, EVBREAK_ALL);
}

static void begin(struct site *site, const char *path, struct http_request request)
{
        struct error error;
        char url[128];

        (void)snprintf(url, sizeof(url), "%s%s", site->origin, path);
        request.url = url;
        request.data = on_data;
        request.done = on_done;
        request.userdata = site;
        if (http_client_start(site->client, &request, &site->transfer, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        assert_int_equal(site->answers, 0);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)timer;
        (void)revents;
        ev_break(loop, EVBREAK_ALL);
}

static void run(struct site *site, double seconds)
{
        ev_timer timeout;

        ev_timer_init(&timeout, on_timeout, seconds, 0);
        ev_timer_start(site->loop, &timeout);
        (void)ev_run(site->loop, 0);
        ev_timer_stop(site->loop, &timeout);
}

static void ask(struct site *site, const char *path, struct http_request request)
{
        begin(site, path, request);
        run(site, 10);
        assert_int_equal(site->answers, 1);
        assert_int_equal(site->result.complete, site->result.error.what[0] == '\0');
}

static void get_carries_the_token(void **state)
{
        struct site *site = *state;

        ask(site, "/echo", (struct http_request){0});
        assert_int_equal(site->result.status, 200);
        assert_true(site->result.complete);
        assert_int_equal(site->result.retry_after_ms, -1);
        assert_memory_equal(site->received.text, "GET /echo ", 10);
        assert_non_null(strstr(site->received.text, "\r\nAuthorization: Bearer the.token\r\n"));
        assert_non_null(strstr(site->received.text, "\r\nAccept: application/json\r\n"));
}

static void patch_carries_its_body(void **state)
{
        struct site *site = *state;

        ask(site, "/echo",
            (struct http_request){.method = HTTP_PATCH,
                                  .body = "{\"a\":1}",
                                  .body_length = 7,
                                  .content_type = "application/merge-patch+json",
                                  .accept = "application/yaml"});
        assert_memory_equal(site->received.text, "PATCH /echo ", 12);
        assert_non_null(strstr(site->received.text, "\r\nContent-Type: application/merge-patch+json\r\n"));
        assert_non_null(strstr(site->received.text, "\r\nAccept: application/yaml\r\n"));
        assert_non_null(strstr(site->received.text, "\r\n\r\n{\"a\":1}"));
}

/* On a connection that was used before libcurl takes the silence for the connection's end, and asks again. */
static void write_that_is_lost_with_its_connection_is_not_sent_again(void **state)
{
        struct site *site = *state;

        ask(site, "/keep", (struct http_request){0});
        site->answers = 0;
        ask(site, "/echo", (struct http_request){.method = HTTP_PATCH, .body = "{}", .body_length = 2});
        assert_int_equal(site->result.status, 0);
        assert_false(site->result.complete);
}

static void read_that_is_lost_with_its_connection_is_sent_again(void **state)
{
        struct site *site = *state;

        ask(site, "/keep", (struct http_request){0});
        site->answers = 0;
        ask(site, "/echo", (struct http_request){0});
        assert_int_equal(site->result.status, 200);
}

static void methods_without_body_keep_their_name(void **state)
{
        struct site *site = *state;

        ask(site, "/echo", (struct http_request){.method = HTTP_DELETE});
        assert_memory_equal(site->received.text, "DELETE /echo ", 13);
}

static void redirect_is_an_answer_like_others(void **state)
{
        struct site *site = *state;

        ask(site, "/moved", (struct http_request){0});
        assert_int_equal(site->result.status, 302);
        assert_true(site->result.complete);
        assert_string_equal(site->body, "moved");
        assert_int_equal(site->received.length, 0);
}

static void refusal_tells_when_to_come_back(void **state)
{
        struct site *site = *state;

        ask(site, "/busy", (struct http_request){0});
        assert_int_equal(site->result.status, 503);
        assert_int_equal(site->result.retry_after_ms, 7000);
        assert_string_equal(site->body, "busy");
}

static void half_an_answer_is_not_complete(void **state)
{
        struct site *site = *state;

        ask(site, "/half", (struct http_request){0});
        assert_int_equal(site->result.status, 200);
        assert_false(site->result.complete);
        assert_false(site->result.timed_out);
}

static void answer_without_end_is_cut(void **state)
{
        struct site *site = *state;

        ask(site, "/endless", (struct http_request){.max_length = 50000});
        assert_false(site->result.complete);
        assert_string_equal(site->result.error.what, "the answer is too long");
        assert_true(site->received.length <= 50000);
}

static void refusal_without_end_is_an_answer(void **state)
{
        struct site *site = *state;

        ask(site, "/endless-error", (struct http_request){0});
        assert_int_equal(site->result.status, 500);
        assert_true(site->result.complete);
        assert_memory_equal(site->body, "ten bytes\n", 10);
}

static void silent_answer_times_out(void **state)
{
        struct site *site = *state;

        ask(site, "/silent", (struct http_request){.idle_s = 1});
        assert_int_equal(site->result.status, 200);
        assert_false(site->result.complete);
        assert_true(site->result.timed_out);
        assert_int_equal(site->received.length, 4);
}

static void answer_that_takes_too_long_times_out(void **state)
{
        struct site *site = *state;

        ask(site, "/silent", (struct http_request){.total_s = 1});
        assert_true(site->result.timed_out);
}

static void data_that_is_refused_ends_the_request(void **state)
{
        struct site *site = *state;

        site->refuse_data = true;
        ask(site, "/echo", (struct http_request){0});
        assert_false(site->result.complete);
        assert_int_equal(site->result.status, 200);
}

static void server_that_is_not_there_has_no_status(void **state)
{
        struct site *site = *state;

        (void)snprintf(site->origin, sizeof(site->origin), "http://127.0.0.1:1");
        ask(site, "/echo", (struct http_request){0});
        assert_int_equal(site->result.status, 0);
        assert_false(site->result.complete);
}

static void cancelled_request_says_nothing(void **state)
{
        struct site *site = *state;

        begin(site, "/silent", (struct http_request){0});
        run(site, 0.2);
        http_transfer_cancel(site->transfer);
        http_transfer_cancel(NULL);
        begin(site, "/silent", (struct http_request){0});
        run(site, 0.1);
        assert_int_equal(site->answers, 0); /* and one is left for http_client_free */
}

static void client_without_a_readable_token_asks_nothing(void **state)
{
        const struct http_credentials credentials = {.token_file = "/nonexistent/token"};
        struct http_request request = {.url = "http://127.0.0.1:1/", .done = on_done};
        struct http_transfer *transfer = NULL;
        struct http_client *client = NULL;
        struct site *site = *state;
        struct error error;

        assert_int_equal(http_client_new(site->loop, &credentials, &client, &error), 0);
        assert_true(http_client_start(client, &request, &transfer, &error) < 0);
        assert_null(transfer);
        assert_string_equal(error.where, "/nonexistent/token");
        http_client_free(client);
        http_client_free(NULL);
}

#define site_test(f) cmocka_unit_test_setup_teardown(f, make_site, drop_site)

int main(void)
{
        const struct CMUnitTest tests[] = {
            site_test(get_carries_the_token),
            site_test(patch_carries_its_body),
            site_test(write_that_is_lost_with_its_connection_is_not_sent_again),
            site_test(read_that_is_lost_with_its_connection_is_sent_again),
            site_test(methods_without_body_keep_their_name),
            site_test(redirect_is_an_answer_like_others),
            site_test(refusal_tells_when_to_come_back),
            site_test(half_an_answer_is_not_complete),
            site_test(answer_without_end_is_cut),
            site_test(refusal_without_end_is_an_answer),
            site_test(silent_answer_times_out),
            site_test(answer_that_takes_too_long_times_out),
            site_test(data_that_is_refused_ends_the_request),
            site_test(server_that_is_not_there_has_no_status),
            site_test(cancelled_request_says_nothing),
            site_test(client_without_a_readable_token_asks_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
