#include "core/http_head.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define FIELDS "Host: 10.0.0.1:9090\r\nUser-Agent: kube-probe/1.36\r\n\r\n"

static int status_of(const char *text)
{
        struct http_head head = {.status = -1};

        return http_head_parse(text, strlen(text), &head) ? head.status : 0;
}

static void expect_path(const char *text, const char *path)
{
        struct http_head head;

        assert_int_equal(http_head_parse(text, strlen(text), &head), 1);
        assert_int_equal(head.status, 200);
        assert_int_equal(head.path_length, strlen(path));
        assert_memory_equal(head.path, path, head.path_length);
}

static void get_is_answered_whatever_the_query_says(void **state)
{
        (void)state;
        expect_path("GET /livez HTTP/1.1\r\n" FIELDS, "/livez");
        expect_path("GET /readyz?verbose=1?x HTTP/1.0\r\n\r\n", "/readyz");
        expect_path("GET / HTTP/1.1\r\nAccept:\r\n\r\nGET /next HTTP/1.1\r\n", "/");
}

static void every_beginning_of_a_request_is_incomplete(void **state)
{
        static const char request[] = "GET /metrics HTTP/1.1\r\n" FIELDS;
        struct http_head head = {.status = -1};

        (void)state;
        for (size_t length = 0; length < sizeof(request) - 1; length++)
                assert_int_equal(http_head_parse(request, length, &head), 0);
        assert_int_equal(head.status, -1);
}

static void other_methods_are_not_allowed(void **state)
{
        (void)state;
        assert_int_equal(status_of("POST /livez HTTP/1.1\r\n" FIELDS), 405);
        assert_int_equal(status_of("get /livez HTTP/1.1\r\n" FIELDS), 405);
        assert_int_equal(status_of("OPTIONS * HTTP/1.1\r\n" FIELDS), 405);
}

static void what_is_no_http_is_a_bad_request(void **state)
{
        static const char *const texts[] = {
            "GET /livez\r\n\r\n",
            "GET  /livez HTTP/1.1\r\n\r\n",
            "GET /livez HTTP/1.1 \r\n\r\n",
            "GET /li vez HTTP/1.1\r\n\r\n",
            "GET /livez\xff HTTP/1.1\r\n\r\n",
            "GET livez HTTP/1.1\r\n\r\n",
            "GET http://10.0.0.1/livez HTTP/1.1\r\n\r\n",
            "GET /livez FTTP/1.1\r\n\r\n",
            "GET /livez HTTP/1.1\r\nNo colon\r\n\r\n",
            "GET /livez HTTP/1.1\r\n: no name\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: a\nb: c\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: \x01\r\n\r\n",
            "\r\n\r\n",
            "\x16\x03\x01", /* TLS */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
                assert_int_equal(status_of(texts[i]), 400);
}

static void other_versions_are_not_supported(void **state)
{
        (void)state;
        assert_int_equal(status_of("PRI * HTTP/2.0\r\n\r\n"), 505);
        assert_int_equal(status_of("GET /livez HTTP/1.9\r\n\r\n"), 505);
}

static void heads_have_a_limit(void **state)
{
        char text[HTTP_HEAD_MAX + 64];

        (void)state;
        memset(text, 'a', sizeof(text));
        memcpy(text, "GET /", 5);
        text[HTTP_HEAD_MAX - 1] = '\0';
        assert_int_equal(status_of(text), 0);
        text[HTTP_HEAD_MAX - 1] = 'a';
        text[HTTP_HEAD_MAX] = '\0';
        assert_int_equal(status_of(text), 431);
        memcpy(text + HTTP_HEAD_MAX, "\r\n\r\n", 5);
        assert_int_equal(status_of(text), 431);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(get_is_answered_whatever_the_query_says),
            cmocka_unit_test(every_beginning_of_a_request_is_incomplete),
            cmocka_unit_test(other_methods_are_not_allowed),
            cmocka_unit_test(what_is_no_http_is_a_bad_request),
            cmocka_unit_test(other_versions_are_not_supported),
            cmocka_unit_test(heads_have_a_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
