#include "core/template.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

/* Renders, or returns the negative errno with *error set. */
static int render(const char *text, const char *view, enum template_values values, struct strbuf *out,
                  struct error *error)
{
        _cleanup_template_ struct template *template = NULL;
        _cleanup_json_ json_t *json = json_loads(view, JSON_DECODE_ANY, NULL);
        int r;

        assert_non_null(json);
        r = template_parse("t", text, strlen(text), &template, error);
        return r < 0 ? r : template_render(template, json, values, out, error);
}

static void assert_renders(const char *text, const char *view, const char *expected)
{
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error = {0};

        if (render(text, view, TEMPLATE_VALUES_TEXT, &out, &error) < 0)
                fail_msg("%s: %s: %s", text, error.where, error.what);
        assert_string_equal(out.text ? out.text : "", expected);
}

static void assert_fails(const char *text, const char *view, const char *where, const char *what)
{
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error = {0};

        assert_int_equal(render(text, view, TEMPLATE_VALUES_TEXT, &out, &error), -EINVAL);
        assert_string_equal(error.where, where);
        assert_non_null(strstr(error.what, what));
        assert_int_equal(out.length, 0);
}

static void values_of_dotted_names_enter_the_text(void **state)
{
        (void)state;
        assert_renders("{{a.b}} {{{ n }}} {{&n}}!", "{\"a\": {\"b\": \"x<&\"}, \"n\": -7}", "x<& -7 -7!");
        assert_renders("{{.}}", "\"x\"", "x");
        assert_renders("no tag } { at all", "{}", "no tag } { at all");
        assert_renders("", "{}", "");
}

static void integers_enter_as_decimal_digits(void **state)
{
        (void)state;
        assert_renders("{{a}} {{b}} {{c}}",
                       "{\"a\": 0, \"b\": -9223372036854775808, \"c\": 9223372036854775807}",
                       "0 -9223372036854775808 9223372036854775807");
}

static void section_renders_once_per_element(void **state)
{
        (void)state;
        assert_renders("{{#l}}<{{.}}>{{/l}}", "{\"l\": [1, \"a\"]}", "<1><a>");
        assert_renders("{{#l}}{{n}};{{/l}}", "{\"l\": [{\"n\": 1}, {\"n\": 2}]}", "1;2;");
}

static void section_is_skipped_for_what_is_empty(void **state)
{
        (void)state;
        assert_renders("{{#a}}no{{/a}}{{#b}}no{{/b}}{{#c}}no{{/c}}{{#d}}no{{/d}}.",
                       "{\"a\": false, \"b\": null, \"c\": \"\", \"d\": []}", ".");
        assert_renders("{{^a}}1{{/a}}{{^b}}2{{/b}}{{^c}}3{{/c}}{{^d}}4{{/d}}",
                       "{\"a\": false, \"b\": null, \"c\": \"\", \"d\": []}", "1234");
}

static void section_of_zero_and_of_an_empty_object_renders(void **state)
{
        (void)state;
        assert_renders("{{#n}}{{.}}{{/n}}{{#o}}o{{/o}}", "{\"n\": 0, \"o\": {}}", "0o");
}

static void section_of_true_keeps_the_context(void **state)
{
        (void)state;
        assert_renders("{{#on}}{{name}}{{/on}}", "{\"on\": true, \"name\": \"x\"}", "x");
        assert_renders("{{#l}}{{#on}}{{../name}}{{/on}}{{/l}}", "{\"l\": [{\"on\": true}], \"name\": \"x\"}",
                       "x");
}

static void name_of_the_outer_context_needs_dots(void **state)
{
        (void)state;
        assert_renders("{{#a}}{{#b}}{{../../x}}{{../y}}{{z}}{{/b}}{{/a}}",
                       "{\"x\": 1, \"a\": {\"y\": 2, \"b\": {\"z\": 3}}}", "123");
        assert_renders("{{#l}}{{../p.q}}{{.}} {{/l}}", "{\"l\": [1, 2], \"p\": {\"q\": \"v\"}}", "v1 v2 ");
        assert_fails("{{#a}}\n{{x}}{{/a}}", "{\"x\": 1, \"a\": {\"y\": 2}}", "t:2", "{{x}}: not in the view");
}

static void dots_beyond_the_view_are_an_error(void **state)
{
        (void)state;
        assert_fails("{{../x}}", "{\"x\": 1}", "t:1", "leads out of the view");
        assert_fails("{{#on}}{{../x}}{{/on}}", "{\"on\": true, \"x\": 1}", "t:1", "leads out of the view");
}

static void unknown_name_is_an_error_with_its_line(void **state)
{
        (void)state;
        assert_fails("a\n{{! two\nlines }}\n  {{prot}}\n", "{\"protocol\": 1}", "t:4",
                     "{{prot}}: not in the view");
        assert_fails("\n{{#sec.x}}{{/sec.x}}", "{\"sec\": {}}", "t:2", "not in the view");
        assert_fails("\n\n{{^x}}{{/x}}", "{}", "t:3", "not in the view");
        assert_fails("{{s.x}}", "{\"s\": \"text\"}", "t:1", "not in the view");
}

static void value_that_is_no_string_or_integer_is_refused(void **state)
{
        static const char *const views[] = {"{\"v\": 1.5}", "{\"v\": true}", "{\"v\": null}", "{\"v\": []}",
                                            "{\"v\": {}}"};

        (void)state;
        for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++)
                assert_fails("{{v}}", views[i], "t:1", "neither a string nor an integer");
}

static void control_characters_are_refused_in_text(void **state)
{
        (void)state;
        assert_renders("{{v}}", "{\"v\": \"a\\tb\\nc \xc3\xa9\"}", "a\tb\nc \xc3\xa9");
        assert_fails("{{v}}", "{\"v\": \"a\\u001b[2J\"}", "t:1", "control characters");
        assert_fails("{{v}}", "{\"v\": \"a\\r\"}", "t:1", "control characters");
        assert_fails("{{v}}", "{\"v\": \"a\\u007f\"}", "t:1", "control characters");
}

static void token_values_cannot_carry_a_directive(void **state)
{
        static const char *const bad[] = {"\"\"",    "\"a b\"",      "\"a\\n\"", "\"}\"",
                                          "\"a;b\"", "\"\xc3\xa9\"", "\"$x\""};
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error;
        char view[64];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                assert_true(snprintf(view, sizeof(view), "{\"v\": %s}", bad[i]) > 0);
                assert_int_equal(render("{{v}}", view, TEMPLATE_VALUES_TOKEN, &out, &error), -EINVAL);
        }
        assert_int_equal(
            render("{{v}} {{n}}", "{\"v\": \"aZ09._:/-\", \"n\": -3}", TEMPLATE_VALUES_TOKEN, &out, &error),
            0);
        assert_string_equal(out.text, "aZ09._:/- -3");
}

static void failed_render_leaves_the_text_as_it_was(void **state)
{
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error;

        (void)state;
        assert_int_equal(strbuf_puts(&out, "before"), 0);
        assert_int_equal(render("{{a}}{{a}}{{b}}", "{\"a\": \"xyz\"}", TEMPLATE_VALUES_TEXT, &out, &error),
                         -EINVAL);
        assert_string_equal(out.text, "before");
        assert_int_equal(out.length, 6);
}

static void tags_alone_on_a_line_take_it_with_them(void **state)
{
        (void)state;
        assert_renders("a\n  {{#s}}  \nb\n{{/s}}\nc\n", "{\"s\": true}", "a\nb\nc\n");
        assert_renders("a\n {{! c\n c }}\r\nb", "{}", "a\nb");
        assert_renders("{{#s}}\nx\n{{/s}}", "{\"s\": true}", "x\n");
        assert_renders(" {{#s}} {{/s}}\n", "{\"s\": true}", "  \n");
        assert_renders("  {{v}}  \n", "{\"v\": 1}", "  1  \n");
}

static void malformed_tags_are_errors_with_their_line(void **state)
{
        static const struct {
                const char *text, *where, *what;
        } cases[] = {
            {"\n{{a", "t:2", "not closed"},
            {"\n{{{a}}", "t:2", "not closed"},
            {"x\n\n{{#a}}", "t:3", "{{a}}: the section is not closed"},
            {"\n{{#a}}\n{{/b}}", "t:3", "{{/b}}: the open section is {{#a}} of line 2"},
            {"{{/a}}", "t:1", "not open"},
            {"{{}}", "t:1", "not a name"},
            {"{{a b}}", "t:1", "not a name"},
            {"{{a..b}}", "t:1", "not a name"},
            {"{{a.}}", "t:1", "not a name"},
            {"{{.a}}", "t:1", "not a name"},
            {"{{..}}", "t:1", "not a name"},
            {"{{a/../b}}", "t:1", "not a name"},
            {"{{ #a}}", "t:1", "not a name"},
            {"\n {{>partial}}", "t:2", "partials"},
            {"{{=<% %>=}}", "t:1", "set-delimiter"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                assert_fails(cases[i].text, "{}", cases[i].where, cases[i].what);
}

static void nesting_is_limited(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0}, out = {0};
        struct error error = {0};

        (void)state;
        for (size_t i = 0; i < 100000; i++)
                assert_int_equal(strbuf_puts(&text, "{{#.}}\n"), 0);
        assert_int_equal(render(text.text, "{}", TEMPLATE_VALUES_TEXT, &out, &error), -EINVAL);
        assert_non_null(strstr(error.what, "nested too deeply"));
        assert_string_equal(error.where, "t:17");
}

static void template_may_hold_nul_bytes(void **state)
{
        static const char text[] = {'a', '\0', '{', '{', 'v', '}', '}'};
        static const char bad[] = {'{', '{', '\0', '}', '}'};
        _cleanup_template_ struct template *template = NULL;
        _cleanup_json_ json_t *view = json_pack("{s:i}", "v", 1);
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error;

        (void)state;
        assert_int_equal(template_parse("t", bad, sizeof(bad), &template, &error), -EINVAL);
        assert_null(template);
        assert_int_equal(template_parse("t", text, sizeof(text), &template, &error), 0);
        assert_int_equal(template_render(template, view, TEMPLATE_VALUES_TEXT, &out, &error), 0);
        assert_int_equal(out.length, 3);
        assert_memory_equal(out.text, "a\0001", 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(values_of_dotted_names_enter_the_text),
            cmocka_unit_test(integers_enter_as_decimal_digits),
            cmocka_unit_test(section_renders_once_per_element),
            cmocka_unit_test(section_is_skipped_for_what_is_empty),
            cmocka_unit_test(section_of_zero_and_of_an_empty_object_renders),
            cmocka_unit_test(section_of_true_keeps_the_context),
            cmocka_unit_test(name_of_the_outer_context_needs_dots),
            cmocka_unit_test(dots_beyond_the_view_are_an_error),
            cmocka_unit_test(unknown_name_is_an_error_with_its_line),
            cmocka_unit_test(value_that_is_no_string_or_integer_is_refused),
            cmocka_unit_test(control_characters_are_refused_in_text),
            cmocka_unit_test(token_values_cannot_carry_a_directive),
            cmocka_unit_test(failed_render_leaves_the_text_as_it_was),
            cmocka_unit_test(tags_alone_on_a_line_take_it_with_them),
            cmocka_unit_test(malformed_tags_are_errors_with_their_line),
            cmocka_unit_test(nesting_is_limited),
            cmocka_unit_test(template_may_hold_nul_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
