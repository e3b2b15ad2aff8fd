#include "core/yaml.h"

#include "base/strbuf.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

/* The documents as compact JSON with sorted keys. */
static void assert_reads(const char *text, const char *expected)
{
        _cleanup_json_ json_t *documents = NULL;
        _cleanup_free_ char *dump = NULL;
        struct error error = {0};

        if (yaml_parse("f", text, strlen(text), &documents, NULL, &error) < 0)
                fail_msg("%s: %s: %s", text, error.where, error.what);
        dump = json_dumps(documents, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(dump, expected);
}

static void assert_fails(const char *text, const char *where, const char *what)
{
        json_t *documents = NULL;
        struct yaml_lines *lines = NULL;
        struct error error = {0};

        if (yaml_parse("f", text, strlen(text), &documents, &lines, &error) != -EINVAL)
                fail_msg("accepted: %s", text);
        assert_null(documents);
        assert_null(lines);
        assert_string_equal(error.where, where);
        if (!strstr(error.what, what))
                fail_msg("%s: \"%s\" does not say \"%s\"", text, error.what, what);
}

static void plain_scalars_have_the_types_of_the_core_schema(void **state)
{
        (void)state;
        assert_reads("[~, null, Null, NULL, ]", "[[null,null,null,null]]");
        assert_reads("[true, True, TRUE, false, yes, on, y]",
                     "[[true,true,true,false,\"yes\",\"on\",\"y\"]]");
        assert_reads("[1, -1, +1, 017, 0o17, 0xfF, 0x, 0o8, 1_0]",
                     "[[1,-1,1,17,15,255,\"0x\",\"0o8\",\"1_0\"]]");
        assert_reads("[1.5, .5, 1., 1e3, -1.5E+1]", "[[1.5,0.5,1.0,1000.0,-15.0]]");
        assert_reads(
            "[., -, +, e1, 1e, 1.2.3, 10.1.1.1, .inf, .nan, 12:30]",
            "[[\".\",\"-\",\"+\",\"e1\",\"1e\",\"1.2.3\",\"10.1.1.1\",\".inf\",\".nan\",\"12:30\"]]");
}

static void quoted_scalars_are_strings(void **state)
{
        (void)state;
        assert_reads("['1', \"true\", 'null', !!str 5, \"\"]", "[[\"1\",\"true\",\"null\",\"5\",\"\"]]");
        assert_reads("a: |\n  1\n  2\nb: >-\n  3\n", "[{\"a\":\"1\\n2\\n\",\"b\":\"3\"}]");
}

static void tags_of_the_core_schema_are_checked(void **state)
{
        (void)state;
        assert_reads("[!!int \"5\", !!float 5, !!bool true, !!null ~, !!map {}, !!seq []]",
                     "[[5,5,true,null,{},[]]]");
        assert_fails("a: 1\nb: !!int x", "f:2", "does not fit its tag");
        assert_fails("!!binary aGk=", "f:1", "unknown tag");
        assert_fails("!mine {}", "f:1", "unknown tag");
        assert_fails("!!set {}", "f:1", "unknown tag");
        assert_fails("[!local x]", "f:1", "unknown tag");
}

static void every_document_is_read_and_empty_ones_left_out(void **state)
{
        (void)state;
        assert_reads("a: 1\n---\n---\n- 2\n...\n---\nx\n", "[{\"a\":1},[2],\"x\"]");
        assert_reads("", "[]");
        assert_reads("# nothing\n", "[]");
        assert_reads("{\"json\": [\"is\", {\"yaml\": 2}]}", "[{\"json\":[\"is\",{\"yaml\":2}]}]");
}

static void key_that_repeats_is_an_error(void **state)
{
        (void)state;
        assert_fails("a: 1\nb: 2\na: 3\n", "f:3", "\"a\" stands twice");
        assert_reads("x: {a: 1}\ny: {a: 1}\n", "[{\"x\":{\"a\":1},\"y\":{\"a\":1}}]");
}

static void key_that_is_no_string_is_an_error(void **state)
{
        (void)state;
        assert_fails("80: x", "f:1", "must be a string");
        assert_fails("true: x", "f:1", "must be a string");
        assert_fails("~: x", "f:1", "must be a string");
        assert_fails("? [a]\n: x", "f:1", "must be a string");
        assert_fails("? {a: b}\n: x", "f:1", "must be a string");
        assert_fails("- &k k\n- *k : x", "f:2", "must be a string");
        assert_reads("\"80\": x", "[{\"80\":\"x\"}]");
}

static void syntax_error_names_its_line(void **state)
{
        (void)state;
        assert_fails("a: 1\nb: [1, 2\nc: 3\n", "f:3", "");
        assert_fails("a: 1\n\tb: 2\n", "f:2", "");
        assert_fails("a: \"x\n", "f:2", "");
        assert_fails("a: 1\nb: \xff\n", "f:2", "");
}

static void number_out_of_range_is_an_error(void **state)
{
        (void)state;
        assert_reads("9223372036854775807", "[9223372036854775807]");
        assert_fails("a: 9223372036854775808", "f:1", "out of range");
        assert_fails("a: 1e999", "f:1", "out of range");
}

static void text_with_a_nul_is_an_error(void **state)
{
        (void)state;
        assert_fails("a: \"10.1.1.1\\0x\"", "f:1", "NUL");
        assert_fails("\"k\\0\": 1", "f:1", "NUL");
}

static void alias_repeats_its_anchor(void **state)
{
        (void)state;
        assert_reads("a: &x {k: [1]}\nb: *x\nc: &s text\nd: *s\n",
                     "[{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":\"text\",\"d\":\"text\"}]");
        assert_reads("[&a 1, *a, &a 2, *a]", "[[1,1,2,2]]");
        assert_fails("a: 1\nb: *x\n", "f:2", "without its anchor");
        assert_fails("&a [*a]", "f:1", "without its anchor");
        assert_fails("&a x\n---\n*a\n", "f:3", "without its anchor");
}

static void alias_bombs_are_refused(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};

        (void)state;
        assert_int_equal(strbuf_puts(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"), 0);
        for (int i = 1; i < 10; i++)
                assert_int_equal(
                    strbuf_printf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
                                  i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1),
                    0);
        assert_fails(text.text, "f:6", "too large");
}

static void depth_is_limited_also_through_aliases(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};

        (void)state;
        for (int i = 0; i < 100000; i++)
                assert_int_equal(strbuf_puts(&text, "["), 0);
        assert_fails(text.text, "f:1", "nested too deeply");
        strbuf_reset(&text);
        for (int i = 0; i < 200; i++)
                assert_int_equal(strbuf_puts(&text, "- "), 0);
        assert_fails(text.text, "f:1", "nested too deeply");
        strbuf_reset(&text);
        assert_int_equal(strbuf_puts(&text, "- &a0 []\n"), 0);
        for (int i = 1; i < 200; i++)
                assert_int_equal(strbuf_printf(&text, "- &a%d [*a%d]\n", i, i - 1), 0);
        assert_fails(text.text, "f:101", "nested too deeply");
}

static void lines_of_members_elements_and_documents_are_known(void **state)
{
        static const char text[] = "\na:\n  b: 1\n  c:\n    - x\n    -\n      - y\nd: true\n---\n7\n";
        _cleanup_json_ json_t *documents = NULL;
        _cleanup_yaml_lines_ struct yaml_lines *lines = NULL;
        struct error error;
        const json_t *root, *a, *c;

        (void)state;
        assert_int_equal(yaml_parse("f", text, strlen(text), &documents, &lines, &error), 0);
        root = json_array_get(documents, 0);
        a = json_object_get(root, "a");
        c = json_object_get(a, "c");
        assert_int_equal(yaml_line_of(lines, root), 2);
        assert_int_equal(yaml_line_of(lines, a), 2);
        assert_int_equal(yaml_line_of(lines, json_object_get(a, "b")), 3);
        assert_int_equal(yaml_line_of(lines, c), 4);
        assert_int_equal(yaml_line_of(lines, json_array_get(c, 0)), 5);
        assert_int_equal(yaml_line_of(lines, json_array_get(json_array_get(c, 1), 0)), 7);
        assert_int_equal(yaml_line_of(lines, json_object_get(root, "d")), 0);
        assert_int_equal(yaml_line_of(lines, json_array_get(documents, 1)), 10);
        assert_int_equal(yaml_line_of(lines, documents), 0);
}

static void large_file_takes_linear_time(void **state)
{
        _cleanup_json_ json_t *documents = NULL;
        _cleanup_yaml_lines_ struct yaml_lines *lines = NULL;
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        (void)state;
        for (int i = 0; i < 50000; i++)
                assert_int_equal(strbuf_printf(&text, "k%d: [&a%d x, *a%d]\n", i, i, i), 0);
        assert_int_equal(yaml_parse("f", text.text, text.length, &documents, &lines, &error), 0);
        assert_int_equal(json_object_size(json_array_get(documents, 0)), 50000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(plain_scalars_have_the_types_of_the_core_schema),
            cmocka_unit_test(quoted_scalars_are_strings),
            cmocka_unit_test(tags_of_the_core_schema_are_checked),
            cmocka_unit_test(every_document_is_read_and_empty_ones_left_out),
            cmocka_unit_test(key_that_repeats_is_an_error),
            cmocka_unit_test(key_that_is_no_string_is_an_error),
            cmocka_unit_test(syntax_error_names_its_line),
            cmocka_unit_test(number_out_of_range_is_an_error),
            cmocka_unit_test(text_with_a_nul_is_an_error),
            cmocka_unit_test(alias_repeats_its_anchor),
            cmocka_unit_test(alias_bombs_are_refused),
            cmocka_unit_test(depth_is_limited_also_through_aliases),
            cmocka_unit_test(lines_of_members_elements_and_documents_are_known),
            cmocka_unit_test(large_file_takes_linear_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
