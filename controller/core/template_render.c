#include "core/template.h"

#include "core/template_nodes.h"

#include <errno.h>

struct renderer {
        const struct template *template;
        enum template_values values;
        const json_t *contexts[TEMPLATE_DEPTH_MAX + 1]; /* innermost last */
        size_t depth;
        struct strbuf *out;
        struct error *error;
};

static int fail_node(const struct renderer *renderer, const struct node *node, const char *what)
{
        return template_fail(renderer->template, node->line, renderer->error, what, node->text, node->length);
}

static int look_up(const struct renderer *renderer, const struct node *node, const json_t **out)
{
        const json_t *value;

        /* Checked while parsing too, but sections for `true` open no context. */
        if (node->up >= renderer->depth)
                return fail_node(renderer, node, "leads out of the view");
        value = renderer->contexts[renderer->depth - 1 - node->up];
        for (size_t i = 0; i < node->n_keys; i++) {
                const struct key *key = &renderer->template->keys[node->first_key + i];

                value = json_object_getn(value, key->text, key->length);
                if (!value)
                        return fail_node(renderer, node, "not in the view");
        }
        *out = value;
        return 0;
}

static bool is_token(const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++)
                if (!template_is_name_char(text[i]) && text[i] != '.' && text[i] != ':' && text[i] != '/')
                        return false;
        return length > 0;
}

static bool is_text(const char *text, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)text[i];

                if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
                        return false;
        }
        return true;
}

/* Most of a large table's values are integers: snprintf would take a third of the time. Returns the start. */
static const char *format_integer(json_int_t integer, char text[static 24], size_t *length)
{
        unsigned long long rest = integer < 0 ? 0 - (unsigned long long)integer : (unsigned long long)integer;
        char *c = text + 24;

        do {
                *--c = (char)('0' + rest % 10);
                rest /= 10;
        } while (rest);
        if (integer < 0)
                *--c = '-';
        *length = (size_t)(text + 24 - c);
        return c;
}

static int render_value(const struct renderer *renderer, const struct node *node)
{
        const char *text;
        char number[24];
        const json_t *value;
        size_t length;
        int r;

        r = look_up(renderer, node, &value);
        if (r < 0)
                return r;
        if (json_is_integer(value)) {
                text = format_integer(json_integer_value(value), number, &length);
        } else if (json_is_string(value)) {
                text = json_string_value(value);
                length = json_string_length(value);
                if (renderer->values == TEMPLATE_VALUES_TOKEN && !is_token(text, length))
                        return fail_node(renderer, node,
                                         "the value is empty or has characters other than A-Za-z0-9._:/-");
                if (!is_text(text, length))
                        return fail_node(renderer, node, "the value has control characters");
        } else {
                return fail_node(renderer, node, "neither a string nor an integer");
        }
        if (strbuf_append(renderer->out, text, length) < 0)
                return error_oom(renderer->error);
        return 0;
}

static bool is_truthy(const json_t *value)
{
        switch (json_typeof(value)) {
        case JSON_NULL:
        case JSON_FALSE:
                return false;
        case JSON_STRING:
                return json_string_length(value) > 0;
        case JSON_ARRAY:
                return json_array_size(value) > 0;
        default:
                return true;
        }
}

static int render_nodes(struct renderer *renderer, size_t from, size_t to);

static int render_in(struct renderer *renderer, const json_t *context, size_t from, size_t to)
{
        int r;

        renderer->contexts[renderer->depth++] = context;
        r = render_nodes(renderer, from, to);
        renderer->depth--;
        return r;
}

static int render_section(struct renderer *renderer, size_t index)
{
        const struct node *node = &renderer->template->nodes[index];
        const json_t *value, *element;
        size_t i;
        int r;

        r = look_up(renderer, node, &value);
        if (r < 0)
                return r;
        if (node->type == NODE_INVERTED)
                return is_truthy(value) ? 0 : render_nodes(renderer, index + 1, node->end);
        if (!is_truthy(value))
                return 0;
        if (json_is_true(value))
                return render_nodes(renderer, index + 1, node->end);
        if (!json_is_array(value))
                return render_in(renderer, value, index + 1, node->end);
        json_array_foreach (value, i, element) {
                r = render_in(renderer, element, index + 1, node->end);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int render_nodes(struct renderer *renderer, size_t from, size_t to)
{
        int r = 0;

        for (size_t i = from; r == 0 && i < to;) {
                const struct node *node = &renderer->template->nodes[i];

                if (node->type == NODE_TEXT && strbuf_append(renderer->out, node->text, node->length) < 0)
                        return error_oom(renderer->error);
                if (node->type == NODE_VALUE)
                        r = render_value(renderer, node);
                if (node->type == NODE_SECTION || node->type == NODE_INVERTED)
                        r = render_section(renderer, i);
                i = node->end ? node->end : i + 1;
        }
        return r;
}

int template_render(const struct template *template, const json_t *view, enum template_values values,
                    struct strbuf *out, struct error *error)
{
        struct renderer renderer = {.template = template,
                                    .values = values,
                                    .contexts = {view},
                                    .depth = 1,
                                    .out = out,
                                    .error = error};
        size_t before = out->length;
        int r;

        r = render_nodes(&renderer, 0, template->n_nodes);
        if (r < 0 && out->text) {
                out->length = before;
                out->text[before] = '\0';
        }
        return r;
}
