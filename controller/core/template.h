/* Mustache templates over JSON, after https://mustache.github.io/mustache.5.html, and stricter on purpose:
 *
 *   {{name}} {{a.b}} {{.}}   a value; strings and integers only
 *   {{#name}} … {{/name}}    section: once for true, a non-empty string, a number or an object; once per
 *                            element of an array; never for false, null, "" and []
 *   {{^name}} … {{/name}}    inverted section
 *   {{! … }}                 comment
 *
 * - A name that is not in the view is an error with file:line, never an empty text.
 * - Names are looked up in the innermost context only; `../name` goes one context out, and may be repeated.
 * - An object, a string, a number and each element of an array is the context inside its section; `true` is
 *   not: there the names stay those of the outside.
 * - Nothing is escaped: the output is not HTML. {{{name}}} and {{&name}} are the same as {{name}}.
 * - Section, inverted, closing and comment tags that stand alone on a line take the line with them.
 * - Partials, lambdas and set-delimiter tags are errors.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <jansson.h>

struct template;

/* What a value may look like when it enters the text. */
enum template_values {
        TEMPLATE_VALUES_TEXT,  /* anything without control characters other than newline and tab */
        TEMPLATE_VALUES_TOKEN, /* integers and [A-Za-z0-9._:/-]+ : nothing can add a directive */
};

/* Compiles `text` (length bytes, need not be terminated; copied). `name` is used in errors as the file's
 * name. Returns 0 and *out, to be freed with template_free; or -EINVAL/-ENOMEM with *error set. */
int template_parse(const char *name, const char *text, size_t length, struct template **out,
                   struct error *error);

/* Appends the rendered text to *out. `view` is borrowed. On failure returns -EINVAL/-ENOMEM with *error set
 * (file:line of the tag), and *out is cut back to what it held before. */
int template_render(const struct template *template, const json_t *view, enum template_values values,
                    struct strbuf *out, struct error *error);

/* NULL is fine. */
void template_free(struct template *template);
DEFINE_CLEANUP(struct template *, template_free)
#define _cleanup_template_ _cleanup_(template_free_p)
