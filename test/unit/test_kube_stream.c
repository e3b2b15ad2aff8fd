#include "core/kube_stream.h"

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define SERVICE(version) "{\"metadata\":{\"name\":\"web\",\"resourceVersion\":\"" version "\"}}"
#define ADDED(version) "{\"type\":\"ADDED\",\"object\":" SERVICE(version) "}\n"

/* What the events were, as text. */
struct seen {
        struct strbuf text;
        int result; /* of the callback */
};

static int see(void *userdata, const struct kube_event *event, struct error *error)
{
        struct seen *seen = userdata;

        (void)error;
        assert_true(json_is_object(event->object));
        if (event->type == KUBE_EVENT_ERROR) {
                assert_null(event->resource_version);
                assert_int_equal(
                    strbuf_printf(&seen->text, "error %d %s;", event->error_code, event->error_message), 0);
        } else {
                assert_null(event->error_message);
                assert_int_equal(
                    strbuf_printf(&seen->text, "%d %s;", (int)event->type, event->resource_version), 0);
        }
        return seen->result;
}

static int feed(struct kube_stream *stream, const char *text, struct seen *seen, struct error *error)
{
        return kube_stream_feed(stream, text, strlen(text), see, seen, error);
}

static void events_of_one_chunk_come_in_order(void **state)
{
        struct kube_stream stream = {0};
        struct seen seen = {0};
        struct error error;

        (void)state;
        assert_int_equal(feed(&stream,
                              ADDED("1") "{\"type\":\"MODIFIED\",\"object\":" SERVICE(
                                  "2") "}\r\n\n"
                                       "{\"type\":\"DELETED\",\"object\":" SERVICE(
                                           "3") "}\n"
                                                "{\"type\":\"BOOKMARK\",\"object\":" SERVICE("4") "}\n",
                              &seen, &error),
                         0);
        assert_string_equal(seen.text.text, "0 1;1 2;2 3;3 4;");
        assert_false(kube_stream_pending(&stream));
        kube_stream_clear(&stream);
        strbuf_clear(&seen.text);
}

static void event_cut_anywhere_is_put_together(void **state)
{
        static const char text[] = ADDED("17") ADDED("18");
        struct error error;

        (void)state;
        for (size_t cut = 0; cut <= sizeof(text) - 1; cut++) {
                struct kube_stream stream = {0};
                struct seen seen = {0};

                assert_int_equal(kube_stream_feed(&stream, text, cut, see, &seen, &error), 0);
                assert_int_equal(kube_stream_pending(&stream), cut % ((sizeof(text) - 1) / 2) != 0);
                assert_int_equal(feed(&stream, text + cut, &seen, &error), 0);
                assert_string_equal(seen.text.text, "0 17;0 18;");
                assert_false(kube_stream_pending(&stream));
                kube_stream_clear(&stream);
                strbuf_clear(&seen.text);
        }
}

static void event_of_an_object_with_a_nul_in_a_text_is_told(void **state)
{
        struct kube_stream stream = {0};
        struct seen seen = {0};
        struct error error;

        (void)state;
        assert_int_equal(
            feed(&stream,
                 "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"annotations\":{\"a\":\"x\\u0000y\"},"
                 "\"name\":\"web\",\"resourceVersion\":\"7\"}}}\n" ADDED("8"),
                 &seen, &error),
            0);
        assert_string_equal(seen.text.text, "0 7;0 8;");
        strbuf_clear(&seen.text);
        kube_stream_clear(&stream);
}

static void error_event_carries_the_status(void **state)
{
        struct kube_stream stream = {0};
        struct seen seen = {0};
        struct error error;

        (void)state;
        assert_int_equal(
            feed(
                &stream,
                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too old\",\"code\":410}}\n"
                "{\"type\":\"ERROR\",\"object\":{\"code\":\"x\",\"message\":7}}\n"
                "{\"type\":\"ERROR\",\"object\":{\"code\":99999999999}}\n",
                &seen, &error),
            0);
        assert_string_equal(seen.text.text, "error 410 too old;error 0 ;error 0 ;");
        strbuf_clear(&seen.text);
        kube_stream_clear(&stream);
}

static void what_is_no_event_is_an_error(void **state)
{
        static const struct {
                const char *text, *what;
        } cases[] = {
            {"no json\n", "not JSON"},
            {"{\"type\":\"ADDED\"\n", "not JSON"},
            {"[]\n", "without an event type"},
            {"{}\n", "without an event type"},
            {"{\"type\":7}\n", "without an event type"},
            {"{\"type\":\"RENAMED\",\"object\":{}}\n", "unknown event type RENAMED"},
            {"{\"type\":\"ADDED\"}\n", "ADDED without an object"},
            {"{\"type\":\"ADDED\",\"object\":[]}\n", "ADDED without an object"},
            {"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}\n", "BOOKMARK without a resourceVersion"},
            {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":7}}}\n",
             "without a resourceVersion"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                struct kube_stream stream = {0};
                struct seen seen = {0};
                struct error error = {0};

                assert_int_equal(feed(&stream, cases[i].text, &seen, &error), -EINVAL);
                assert_non_null(strstr(error.what, cases[i].what));
                assert_null(seen.text.text);
                kube_stream_clear(&stream);
        }
}

static void refusal_of_the_callback_ends_the_feed(void **state)
{
        struct kube_stream stream = {0};
        struct seen seen = {.result = -ECANCELED};
        struct error error;

        (void)state;
        assert_int_equal(feed(&stream, ADDED("1") ADDED("2"), &seen, &error), -ECANCELED);
        assert_string_equal(seen.text.text, "0 1;");
        strbuf_clear(&seen.text);
        kube_stream_clear(&stream);
}

static void endless_line_is_refused(void **state)
{
        struct kube_stream stream = {0};
        struct seen seen = {0};
        struct error error = {0};
        char chunk[65536];
        int r = 0;

        (void)state;
        memset(chunk, 'x', sizeof(chunk));
        for (size_t i = 0; r == 0 && i < 2 * KUBE_STREAM_LINE_MAX / sizeof(chunk); i++)
                r = kube_stream_feed(&stream, chunk, sizeof(chunk), see, &seen, &error);
        assert_int_equal(r, -EMSGSIZE);
        kube_stream_clear(&stream);
}

static void deep_nesting_is_refused(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct kube_stream stream = {0};
        struct seen seen = {0};
        struct error error = {0};

        (void)state;
        for (int i = 0; i < 1000000; i++)
                assert_int_equal(strbuf_puts(&text, "["), 0);
        assert_int_equal(strbuf_puts(&text, "\n"), 0);
        assert_int_equal(feed(&stream, text.text, &seen, &error), -EINVAL);
        kube_stream_clear(&stream);
}

static void large_line_leaves_no_large_buffer(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct kube_stream stream = {0};
        struct seen seen = {0};
        struct error error = {0};

        (void)state;
        assert_int_equal(strbuf_puts(&text, "{\"type\":\"ADDED\",\"pad\":\""), 0);
        for (int i = 0; i < 1000000; i++)
                assert_int_equal(strbuf_puts(&text, "xxx"), 0);
        assert_int_equal(strbuf_puts(&text, "\",\"object\":" SERVICE("5") "}"), 0);
        assert_int_equal(feed(&stream, text.text, &seen, &error), 0);
        assert_int_equal(feed(&stream, "\n", &seen, &error), 0);
        assert_string_equal(seen.text.text, "0 5;");
        assert_true(stream.line.capacity < 1000000);
        strbuf_clear(&seen.text);
        kube_stream_clear(&stream);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(events_of_one_chunk_come_in_order),
            cmocka_unit_test(event_cut_anywhere_is_put_together),
            cmocka_unit_test(event_of_an_object_with_a_nul_in_a_text_is_told),
            cmocka_unit_test(error_event_carries_the_status),
            cmocka_unit_test(what_is_no_event_is_an_error),
            cmocka_unit_test(refusal_of_the_callback_ends_the_feed),
            cmocka_unit_test(endless_line_is_refused),
            cmocka_unit_test(deep_nesting_is_refused),
            cmocka_unit_test(large_line_leaves_no_large_buffer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
