#include "core/template.h"

#include "base/array.h"
#include "core/template_nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parser {
        struct template *template;
        const char *at, *end; /* what is not yet compiled */
        size_t line;          /* of `at` */
        size_t open[TEMPLATE_DEPTH_MAX];
        size_t depth;
        struct error *error;
};

/* What stands between the braces. */
struct tag {
        char sigil; /* '#', '^', '/', '!', or 0 for a value */
        const char *start, *end;
        const char *body;
        size_t length;
};

int template_fail(const struct template *template, size_t line, struct error *error, const char *what,
                  const char *name, size_t length)
{
        return error_set_line(error, template->name, line, "{{%.*s}}: %s", (int)(length < 100 ? length : 100),
                              name, what);
}

static int fail_tag(const struct parser *parser, const struct tag *tag, const char *what)
{
        return template_fail(parser->template, parser->line, parser->error, what, tag->body, tag->length);
}

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int add_node(struct parser *parser, const struct node *node)
{
        struct template *template = parser->template;

        if (array_reserve(&template->nodes, &template->nodes_capacity, template->n_nodes, sizeof(*node)) < 0)
                return error_oom(parser->error);
        template->nodes[template->n_nodes++] = *node;
        return 0;
}

static int add_key(struct parser *parser, const char *text, size_t length)
{
        struct template *template = parser->template;

        if (array_reserve(&template->keys, &template->keys_capacity, template->n_keys, sizeof(struct key)) <
            0)
                return error_oom(parser->error);
        template->keys[template->n_keys++] = (struct key){.text = text, .length = length};
        return 0;
}

static void skip_to(struct parser *parser, const char *to)
{
        for (; parser->at < to; parser->at++)
                parser->line += *parser->at == '\n';
}

/* Compiles the text up to `to`. */
static int add_text(struct parser *parser, const char *to)
{
        struct node node = {
            .type = NODE_TEXT, .line = parser->line, .text = parser->at, .length = (size_t)(to - parser->at)};

        if (node.length == 0)
                return 0;
        skip_to(parser, to);
        return add_node(parser, &node);
}

/* "../../a.b" to the node's `up` and keys. */
static int parse_name(struct parser *parser, const struct tag *tag, struct node *node)
{
        const char *c = tag->body, *end = tag->body + tag->length;

        node->text = tag->body;
        node->length = tag->length;
        node->first_key = parser->template->n_keys;
        for (; end - c >= 3 && memcmp(c, "../", 3) == 0; c += 3)
                if (++node->up > parser->depth)
                        return fail_tag(parser, tag, "leads out of the view");
        if (end - c == 1 && *c == '.')
                return 0;
        for (;;) {
                const char *start = c;

                while (c < end && template_is_name_char(*c))
                        c++;
                if (c == start || (c < end && *c != '.'))
                        return fail_tag(parser, tag, "not a name");
                if (add_key(parser, start, (size_t)(c - start)) < 0)
                        return -ENOMEM;
                node->n_keys++;
                if (c == end)
                        return 0;
                c++;
        }
}

static int close_section(struct parser *parser, const struct tag *tag)
{
        struct template *template = parser->template;
        struct node *opener;

        if (parser->depth == 0)
                return fail_tag(parser, tag, "closes a section that is not open");
        opener = &template->nodes[parser->open[parser->depth - 1]];
        if (opener->length != tag->length || memcmp(opener->text, tag->body, tag->length) != 0)
                return error_set_line(parser->error, template->name, parser->line,
                                      "{{/%.*s}}: the open section is {{#%.*s}} of line %zu",
                                      (int)(tag->length < 100 ? tag->length : 100), tag->body,
                                      (int)(opener->length < 100 ? opener->length : 100), opener->text,
                                      opener->line);
        opener->end = template->n_nodes;
        parser->depth--;
        return 0;
}

static int compile_tag(struct parser *parser, const struct tag *tag)
{
        struct node node = {.type = NODE_VALUE, .line = parser->line};
        int r;

        if (tag->sigil == '!')
                return 0;
        if (tag->sigil == '/')
                return close_section(parser, tag);
        r = parse_name(parser, tag, &node);
        if (r < 0)
                return r;
        if (tag->sigil) {
                node.type = tag->sigil == '#' ? NODE_SECTION : NODE_INVERTED;
                if (parser->depth == TEMPLATE_DEPTH_MAX)
                        return fail_tag(parser, tag, "sections are nested too deeply");
                parser->open[parser->depth++] = parser->template->n_nodes;
        }
        return add_node(parser, &node);
}

/* Reads the tag whose braces open at `start`; parser->at stands there. */
static int read_tag(struct parser *parser, const char *start, struct tag *tag)
{
        const char *body = start + 2, *close;
        bool triple = body < parser->end && *body == '{';

        *tag = (struct tag){.start = start};
        body += triple;
        close = memmem(body, (size_t)(parser->end - body), triple ? "}}}" : "}}", triple ? 3 : 2);
        if (!close)
                return error_set_line(parser->error, parser->template->name, parser->line,
                                      "a tag is not closed");
        tag->end = close + (triple ? 3 : 2);
        if (!triple && body < close && *body && strchr("#^/!&>=<$", *body)) {
                tag->body = body;
                tag->length = (size_t)(close - body);
                if (strchr(">=<$", *body))
                        return fail_tag(parser, tag, "partials, blocks and set-delimiter tags are not known");
                if (*body != '&')
                        tag->sigil = *body;
                body++;
        }
        while (body < close && is_space(*body))
                body++;
        while (close > body && is_space(close[-1]))
                close--;
        tag->body = body;
        tag->length = (size_t)(close - body);
        return 0;
}

/* Whether the tag is alone on its line; *before and *after are then the line's start and end. `text` is
 * where the text before the tag begins: never further back than the tag before, so that this stays linear. */
static bool is_standalone(const struct parser *parser, const struct tag *tag, const char **before,
                          const char **after)
{
        const char *c = tag->start;

        while (c > parser->at && (c[-1] == ' ' || c[-1] == '\t'))
                c--;
        if (c > parser->template->text && c[-1] != '\n')
                return false;
        *before = c;
        for (c = tag->end; c < parser->end && (*c == ' ' || *c == '\t'); c++)
                ;
        if (parser->end - c >= 2 && c[0] == '\r' && c[1] == '\n')
                c++;
        if (c < parser->end && *c != '\n')
                return false;
        *after = c < parser->end ? c + 1 : c;
        return true;
}

static int parse(struct parser *parser)
{
        int r = 0;

        while (r == 0 && parser->at < parser->end) {
                const char *start = memmem(parser->at, (size_t)(parser->end - parser->at), "{{", 2);
                const char *before, *after;
                struct parser ahead = *parser; /* for the line of a tag that is at fault */
                struct tag tag;

                if (!start)
                        return add_text(parser, parser->end);
                skip_to(&ahead, start);
                r = read_tag(&ahead, start, &tag);
                if (r < 0)
                        return r;
                if (!tag.sigil || !is_standalone(parser, &tag, &before, &after)) {
                        before = tag.start;
                        after = tag.end;
                }
                r = add_text(parser, before);
                if (r < 0)
                        return r;
                r = compile_tag(parser, &tag);
                skip_to(parser, after);
        }
        return r;
}

int template_parse(const char *name, const char *text, size_t length, struct template **out,
                   struct error *error)
{
        _cleanup_template_ struct template *template = calloc(1, sizeof(*template));
        struct parser parser = {.template = template, .line = 1, .error = error};
        int r;

        if (!template)
                return error_oom(error);
        template->name = strdup(name);
        template->text = malloc(length + 1);
        if (!template->name || !template->text)
                return error_oom(error);
        memcpy(template->text, text, length);
        template->text[length] = '\0';
        parser.at = template->text;
        parser.end = template->text + length;
        r = parse(&parser);
        if (r < 0)
                return r;
        if (parser.depth) {
                const struct node *opener = &template->nodes[parser.open[parser.depth - 1]];

                return template_fail(template, opener->line, error, "the section is not closed", opener->text,
                                     opener->length);
        }
        *out = TAKE_PTR(template);
        return 0;
}

void template_free(struct template *template)
{
        if (!template)
                return;
        free(template->name);
        free(template->text);
        free(template->nodes);
        free(template->keys);
        free(template);
}
