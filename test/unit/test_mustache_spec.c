/* The official cases of Mustache (https://github.com/mustache/spec) that apply to our stricter subset. They
 * are read from where they are, not copied; CORACLE_MUSTACHE_SPEC names another directory of the JSON files.
 */
#include "core/template.h"

#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPING "nothing is HTML-escaped"
#define MISSING "a name that is not in the view is an error"
#define PARENT "the parents' names need ../"
#define SCALAR "only strings and integers are values"

/* Cases where we differ on purpose; each must fail or render something else, or it has no place here. */
static const struct {
        const char *file, *name, *reason;
} differing[] = {
    {"interpolation", "HTML Escaping", ESCAPING},
    {"interpolation", "Implicit Iterators - HTML Escaping", ESCAPING},
    {"interpolation", "Basic Decimal Interpolation", SCALAR},
    {"interpolation", "Triple Mustache Decimal Interpolation", SCALAR},
    {"interpolation", "Ampersand Decimal Interpolation", SCALAR},
    {"interpolation", "Basic Null Interpolation", SCALAR},
    {"interpolation", "Triple Mustache Null Interpolation", SCALAR},
    {"interpolation", "Ampersand Null Interpolation", SCALAR},
    {"interpolation", "Basic Context Miss Interpolation", MISSING},
    {"interpolation", "Triple Mustache Context Miss Interpolation", MISSING},
    {"interpolation", "Ampersand Context Miss Interpolation", MISSING},
    {"interpolation", "Dotted Names - Broken Chains", MISSING},
    {"interpolation", "Dotted Names - Broken Chain Resolution", MISSING},
    {"interpolation", "Dotted Names - Context Precedence", MISSING},
    {"interpolation", "Dotted Names are never single keys", MISSING},
    {"sections", "Parent contexts", PARENT},
    {"sections", "Variable test", PARENT},
    {"sections", "List Contexts", PARENT},
    {"sections", "Deeply Nested Contexts", PARENT},
    {"sections", "Context Misses", MISSING},
    {"sections", "Implicit Iterator - Decimal", SCALAR},
    {"sections", "Implicit Iterator - HTML Escaping", ESCAPING},
    {"sections", "Dotted Names - Broken Chains", MISSING},
    {"inverted", "Context Misses", MISSING},
    {"inverted", "Dotted Names - Broken Chains", MISSING},
};

static const char *reason_to_differ(const char *file, const char *name)
{
        for (size_t i = 0; i < sizeof(differing) / sizeof(*differing); i++)
                if (strcmp(differing[i].file, file) == 0 && strcmp(differing[i].name, name) == 0)
                        return differing[i].reason;
        return NULL;
}

static bool renders_as_expected(const json_t *test)
{
        const char *text = json_string_value(json_object_get(test, "template"));
        const char *expected = json_string_value(json_object_get(test, "expected"));
        _cleanup_template_ struct template *template = NULL;
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error;

        if (template_parse("spec", text, strlen(text), &template, &error) < 0 ||
            template_render(template, json_object_get(test, "data"), TEMPLATE_VALUES_TEXT, &out, &error) < 0)
                return false;
        return strcmp(out.text ? out.text : "", expected) == 0;
}

static void run_file(const char *file)
{
        const char *directory = getenv("CORACLE_MUSTACHE_SPEC");
        _cleanup_json_ json_t *spec = NULL;
        unsigned int run = 0, skipped = 0;
        const json_t *tests, *test;
        char path[4096];
        size_t i;

        assert_true(snprintf(path, sizeof(path), "%s/%s.json", directory ? directory : MUSTACHE_SPEC, file) >
                    0);
        spec = json_load_file(path, 0, NULL);
        if (!spec) {
                print_message("%s is absent: nothing compared\n", path);
                skip(); /* the official cases are not ours to ship: read where they are, or not at all */
        }
        tests = json_object_get(spec, "tests");
        json_array_foreach (tests, i, test) {
                const char *name = json_string_value(json_object_get(test, "name"));
                const char *reason = reason_to_differ(file, name);
                bool same = renders_as_expected(test);

                if (reason)
                        skipped++;
                else
                        run++;
                if (reason && same)
                        fail_msg("%s, %s: renders as the specification wants, though %s", file, name, reason);
                if (!reason && !same)
                        fail_msg("%s, %s: does not render as the specification wants", file, name);
        }
        print_message("%s: %u cases run, %u skipped\n", file, run, skipped);
        assert_true(run > 0);
}

static void comments_render_as_specified(void **state)
{
        (void)state;
        run_file("comments");
}

static void interpolation_renders_as_specified(void **state)
{
        (void)state;
        run_file("interpolation");
}

static void sections_render_as_specified(void **state)
{
        (void)state;
        run_file("sections");
}

static void inverted_sections_render_as_specified(void **state)
{
        (void)state;
        run_file("inverted");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(comments_render_as_specified),
            cmocka_unit_test(interpolation_renders_as_specified),
            cmocka_unit_test(sections_render_as_specified),
            cmocka_unit_test(inverted_sections_render_as_specified),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
