#include "core/json_items.h"

#include "base/fileio.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int collect(void *userdata, const json_t *item, struct error *error)
{
        (void)error;
        return json_array_append(userdata, (json_t *)item);
}

/* Takes the text apart in pieces of that size, and puts it together again. NULL if it was refused. */
static json_t *take_apart(const char *text, size_t length, size_t piece)
{
        struct json_items items = {.member = "items"};
        _cleanup_json_ json_t *taken = json_array();
        _cleanup_json_ json_t *frame = NULL;
        struct error error = {{0}, {0}};
        int r = 0;

        for (size_t at = 0; r == 0 && at < length; at += piece)
                r = json_items_feed(&items, text + at, length - at < piece ? length - at : piece, collect,
                                    taken, &error);
        if (r == 0)
                r = json_items_finish(&items, &frame, &error);
        json_items_reset(&items);
        assert_int_equal(r < 0, error.what[0] != '\0');
        if (r < 0)
                return NULL;
        if (json_is_array(json_object_get(frame, "items")))
                assert_int_equal(json_object_set(frame, "items", taken), 0);
        return TAKE_PTR(frame);
}

static void check_same(const char *text, size_t length)
{
        _cleanup_json_ json_t *whole = json_loadb(text, length, JSON_ALLOW_NUL, NULL);

        assert_non_null(whole);
        for (size_t piece = 1; piece < length + 1; piece = piece < 64 ? piece + 1 : piece * 3) {
                _cleanup_json_ json_t *parts = take_apart(text, length, piece);

                if (!parts || !json_equal(whole, parts))
                        fail_msg("in pieces of %zu: %.*s", piece, (int)length, text);
        }
}

static void parts_make_up_the_whole_however_it_arrives(void **state)
{
        static const char *const texts[] = {
            "{\"items\":[]}",
            "{\"items\":null}",
            "{\"items\":[{}]}",
            "{\"items\":[{},{\"a\":[1,{\"b\":\"}]\"}]},{\"items\":[{}]}]}",
            " {\n \"kind\" : \"List\", \"items\" : [ {\"a\":1} ,\n {\"b\":2} ] , "
            "\"metadata\":{\"items\":[{}]} } \n",
            "{\"other\":[{\"items\":[{\"x\":1}]}],\"items\":[{\"quote\":\"\\\"{[\\\\\"}]}",
            "{\"a\":\"items\",\"b\":[{\"c\":1}],\"items\":[{\"d\":\"\xc3\xa9\\u00e9\"}]}",
            "{\"it\":[{}],\"itemsx\":[{}],\"items\":[{\"n\":null}]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
                check_same(texts[i], strlen(texts[i]));
}

static void real_lists_come_apart_the_same(void **state)
{
        static const char *const names[] = {"services.json", "endpointslices-page1.json"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                _cleanup_strbuf_ struct strbuf text = {0};
                struct error error;
                char path[512];

                (void)snprintf(path, sizeof(path), "%s/kube-1.36/%s", TEST_FIXTURES, names[i]);
                assert_int_equal(file_read(path, 1u << 20, &text, &error), 0);
                check_same(text.text, text.length);
        }
}

/* The API takes any text as an annotation's value, and what one Service carries concerns no other. */
static void text_with_a_nul_leaves_the_list_readable(void **state)
{
        static const char text[] =
            "{\"items\":[{\"a\":\"x\\u0000y\"},{\"b\":1}],\"metadata\":{\"c\":\"\\u0000\"}}";

        (void)state;
        check_same(text, sizeof(text) - 1);
}

static void what_is_no_object_with_such_an_array_is_refused(void **state)
{
        static const char *const texts[] = {
            "",
            " ",
            "7",
            "[]",
            "{}",
            "{\"items\":7}",
            "{\"items\":{}}",
            "{\"items\":[0]}",
            "{\"items\":[{},0]}",
            "{\"items\":[[{}]]}",
            "{\"items\":[{}{}]}",
            "{\"items\":[{},]}",
            "{\"items\":[{}}",
            "{\"items\":[{}]",
            "{\"items\":[{\"a\":1",
            "{\"items\":[{\"a\":]}]}",
            "{\"items\":[{\"a\"}]}",
            "{\"items\":[{]}",
            "{\"items\":[{}]}}",
            "{\"items\":[{}]} x",
            "]",
            "{\"items\":[{}],\"items\":[{}]}",
            "{\"it\\u0065ms\":[{}]}",
            "{\"items\":[\"{}\"]}",
            "{\"items:[{}]}",
            "{\"items\":[{}.5]}", /* nor can what is left of an element be a part of something else */
            "{\"items\":[-{}]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                for (size_t piece = 1; piece < 30; piece++) {
                        _cleanup_json_ json_t *json = take_apart(texts[i], strlen(texts[i]), piece);

                        if (json)
                                fail_msg("taken: %s", texts[i]);
                }
        }
}

/* "{"items":[" and then the same bytes again and again. */
static int feed_without_end(const char *begin, char more, size_t length)
{
        struct json_items items = {.member = "items"};
        _cleanup_json_ json_t *taken = json_array();
        _cleanup_free_ char *text = malloc(65536);
        struct error error;
        int r;

        assert_non_null(text);
        memset(text, more, 65536);
        r = json_items_feed(&items, begin, strlen(begin), collect, taken, &error);
        for (size_t fed = 0; r == 0 && fed < length; fed += 65536)
                r = json_items_feed(&items, text, 65536, collect, taken, &error);
        json_items_reset(&items);
        return r;
}

static void texts_without_end_are_bounded(void **state)
{
        (void)state;
        assert_int_equal(feed_without_end("{\"items\":[", ' ', JSON_ITEMS_FRAME_MAX * 2), -EMSGSIZE);
        assert_int_equal(feed_without_end("{\"items\":[{\"a\":\"", 'a', JSON_ITEMS_ITEM_MAX * 2), -EMSGSIZE);
        assert_int_equal(feed_without_end("", '[', JSON_ITEMS_FRAME_MAX * 2), -EMSGSIZE);
        assert_int_equal(feed_without_end("", '{', JSON_ITEMS_FRAME_MAX * 2), -EMSGSIZE);
        assert_int_equal(feed_without_end("", '"', JSON_ITEMS_FRAME_MAX * 2), -EMSGSIZE);
        assert_int_equal(feed_without_end("", ']', JSON_ITEMS_FRAME_MAX * 2), -EINVAL);
}

static int refuse(void *userdata, const json_t *item, struct error *error)
{
        (void)userdata;
        (void)item;
        (void)error_set(error, NULL, "no");
        return -EPERM;
}

static void refused_element_ends_the_feed(void **state)
{
        struct json_items items = {.member = "items"};
        static const char text[] = "{\"items\":[{},{}]}";
        struct error error;

        (void)state;
        assert_int_equal(json_items_feed(&items, text, strlen(text), refuse, NULL, &error), -EPERM);
        assert_int_equal(items.count, 1);
        json_items_reset(&items);
        assert_string_equal(items.member, "items");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(parts_make_up_the_whole_however_it_arrives),
            cmocka_unit_test(real_lists_come_apart_the_same),
            cmocka_unit_test(text_with_a_nul_leaves_the_list_readable),
            cmocka_unit_test(what_is_no_object_with_such_an_array_is_refused),
            cmocka_unit_test(texts_without_end_are_bounded),
            cmocka_unit_test(refused_element_ends_the_feed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
