#include "core/yaml.h"

#include "base/array.h"
#include "core/yaml_scalar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 100
#define ALIAS_VALUES_MAX 100000 /* values that may come to stand once more through aliases */

struct value_line {
        const json_t *value;
        size_t line;
};

struct yaml_lines {
        struct value_line *items; /* sorted by address once the parse is over */
        size_t count;
        size_t capacity;
};

/* What a value weighs where an alias repeats it. */
struct extent {
        size_t values;
        size_t height;
};

struct anchor {
        json_t *value; /* borrowed from the document */
        struct extent extent;
};

/* A mapping or sequence that is not yet closed; a borrowed one, since the documents own everything. */
struct frame {
        json_t *container;
        char *key; /* of the member whose value comes next; NULL while a key is awaited */
        size_t key_line;
        char *anchor; /* the container's own name, NULL if it has none */
        struct extent extent;
};

struct builder {
        const char *file;
        const char *text;
        size_t length;
        json_t *documents;
        struct frame frames[DEPTH_MAX];
        size_t depth;
        json_t *anchor_names; /* name to index in anchors, for the current document */
        struct anchor *anchors;
        size_t n_anchors, anchors_capacity;
        size_t alias_values;
        struct yaml_lines *lines; /* NULL if nobody wants them */
        struct error *error;
};

static void builder_clear(struct builder *builder)
{
        json_decref(builder->documents);
        json_decref(builder->anchor_names);
        free(builder->anchors);
        yaml_lines_free(builder->lines);
        for (size_t i = 0; i < builder->depth; i++) {
                free(builder->frames[i].key);
                free(builder->frames[i].anchor);
        }
}

static int fail(struct builder *builder, const yaml_event_t *event, const char *what)
{
        return error_set_line(builder->error, builder->file, event->start_mark.line + 1, "%s", what);
}

static int add_line(struct builder *builder, const json_t *value, size_t line)
{
        struct yaml_lines *lines = builder->lines;

        if (!lines || json_is_null(value) || json_is_boolean(value))
                return 0;
        if (array_reserve(&lines->items, &lines->capacity, lines->count, sizeof(*lines->items)) < 0)
                return error_oom(builder->error);
        lines->items[lines->count++] = (struct value_line){.value = value, .line = line};
        return 0;
}

/* Puts a value, whose reference is taken over, where the document has come to. */
static int put_value(struct builder *builder, json_t *value, const yaml_event_t *event)
{
        struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;
        size_t line = event->start_mark.line + 1;
        int r;

        if (!frame) {
                if (json_is_null(value))
                        return 0;
                r = json_array_append_new(builder->documents, value);
        } else if (frame->key) {
                r = json_object_set_new(frame->container, frame->key, value);
                line = frame->key_line;
                free(TAKE_PTR(frame->key));
        } else {
                r = json_array_append_new(frame->container, value);
        }
        if (r < 0)
                return error_oom(builder->error);
        /* An aliased value keeps the line of its anchor. */
        return event->type == YAML_ALIAS_EVENT ? 0 : add_line(builder, value, line);
}

static void add_extent(struct builder *builder, const struct extent *extent)
{
        struct extent *outer;

        if (builder->depth == 0)
                return;
        outer = &builder->frames[builder->depth - 1].extent;
        outer->values += extent->values;
        if (outer->height < extent->height + 1)
                outer->height = extent->height + 1;
}

/* A complete value gets its name; earlier would let it hold itself. */
static int add_anchor(struct builder *builder, const char *name, json_t *value, const struct extent *extent)
{
        if (!name)
                return 0;
        if (array_reserve(&builder->anchors, &builder->anchors_capacity, builder->n_anchors,
                          sizeof(*builder->anchors)) < 0)
                return error_oom(builder->error);
        if (json_object_set_new(builder->anchor_names, name, json_integer((json_int_t)builder->n_anchors)) <
            0)
                return error_oom(builder->error);
        builder->anchors[builder->n_anchors++] = (struct anchor){.value = value, .extent = *extent};
        return 0;
}

static bool wants_key(const struct builder *builder)
{
        const struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;

        return frame && json_is_object(frame->container) && !frame->key;
}

static int handle_key(struct builder *builder, const yaml_event_t *event, const json_t *key)
{
        struct frame *frame = &builder->frames[builder->depth - 1];

        if (!json_is_string(key))
                return fail(builder, event, "a mapping's key must be a string; quote it");
        if (json_object_get(frame->container, json_string_value(key)))
                return error_set_line(builder->error, builder->file, event->start_mark.line + 1,
                                      "key \"%s\" stands twice", json_string_value(key));
        frame->key = strdup(json_string_value(key));
        frame->key_line = event->start_mark.line + 1;
        return frame->key ? 0 : error_oom(builder->error);
}

static int handle_scalar(struct builder *builder, const yaml_event_t *event)
{
        static const struct extent single = {.values = 1, .height = 0};
        _cleanup_json_ json_t *value = NULL;
        const char *problem;
        json_t *borrowed;
        int r;

        r = yaml_scalar_decode((const char *)event->data.scalar.value, event->data.scalar.length,
                               event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
                               (const char *)event->data.scalar.tag, &value, &problem);
        if (r == -ENOMEM)
                return error_oom(builder->error);
        if (r < 0)
                return fail(builder, event, problem);
        if (wants_key(builder))
                return handle_key(builder, event, value);
        borrowed = value;
        r = put_value(builder, TAKE_PTR(value), event);
        if (r < 0)
                return r;
        add_extent(builder, &single);
        return add_anchor(builder, (const char *)event->data.scalar.anchor, borrowed, &single);
}

static int open_container(struct builder *builder, const yaml_event_t *event)
{
        bool mapping = event->type == YAML_MAPPING_START_EVENT;
        const yaml_char_t *tag = mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
        const yaml_char_t *anchor =
            mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
        struct frame frame = {.extent = {.values = 1}};
        int r;

        if (wants_key(builder))
                return fail(builder, event, "a mapping's key must be a string");
        if (builder->depth == DEPTH_MAX)
                return fail(builder, event, "nested too deeply");
        if (tag && strcmp((const char *)tag, mapping ? YAML_MAP_TAG : YAML_SEQ_TAG) != 0)
                return fail(builder, event, "unknown tag");
        frame.container = mapping ? json_object() : json_array();
        if (!frame.container)
                return error_oom(builder->error);
        r = put_value(builder, frame.container, event);
        if (r < 0)
                return r;
        if (anchor) {
                frame.anchor = strdup((const char *)anchor);
                if (!frame.anchor)
                        return error_oom(builder->error);
        }
        builder->frames[builder->depth++] = frame;
        return 0;
}

static int close_container(struct builder *builder)
{
        struct frame *frame = &builder->frames[--builder->depth];
        _cleanup_free_ char *anchor = TAKE_PTR(frame->anchor);

        add_extent(builder, &frame->extent);
        return add_anchor(builder, anchor, frame->container, &frame->extent);
}

static int handle_alias(struct builder *builder, const yaml_event_t *event)
{
        const json_t *index = json_object_get(builder->anchor_names, (const char *)event->data.alias.anchor);
        const struct anchor *anchor;
        int r;

        if (wants_key(builder))
                return fail(builder, event, "a mapping's key must be a string, not an alias");
        if (!index)
                return fail(builder, event, "an alias without its anchor");
        anchor = &builder->anchors[json_integer_value(index)];
        if (builder->depth + anchor->extent.height > DEPTH_MAX)
                return fail(builder, event, "nested too deeply");
        builder->alias_values += anchor->extent.values;
        if (builder->alias_values > ALIAS_VALUES_MAX)
                return fail(builder, event, "aliases make this document too large");
        r = put_value(builder, json_incref(anchor->value), event);
        if (r < 0)
                return r;
        add_extent(builder, &anchor->extent);
        return 0;
}

static int handle_event(struct builder *builder, const yaml_event_t *event)
{
        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return handle_scalar(builder, event);
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                return open_container(builder, event);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return close_container(builder);
        case YAML_ALIAS_EVENT:
                return handle_alias(builder, event);
        case YAML_DOCUMENT_START_EVENT:
                builder->n_anchors = 0;
                json_object_clear(builder->anchor_names);
                return 0;
        default:
                return 0;
        }
}

/* The reader runs ahead of the parser, so what it dislikes is known by its offset alone. */
static size_t line_at(const struct builder *builder, size_t offset)
{
        size_t line = 1;

        for (size_t i = 0; i < offset && i < builder->length; i++)
                line += builder->text[i] == '\n';
        return line;
}

static int fail_syntax(struct builder *builder, const yaml_parser_t *parser)
{
        size_t line = parser->error == YAML_READER_ERROR ? line_at(builder, parser->problem_offset)
                                                         : parser->problem_mark.line + 1;

        if (parser->error == YAML_MEMORY_ERROR)
                return error_oom(builder->error);
        return error_set_line(builder->error, builder->file, line, "%s%s%s",
                              parser->problem ? parser->problem : "no YAML", parser->context ? " " : "",
                              parser->context ? parser->context : "");
}

static int parse_events(struct builder *builder, yaml_parser_t *parser)
{
        bool done = false;
        int r = 0;

        while (r == 0 && !done) {
                yaml_event_t event;

                if (!yaml_parser_parse(parser, &event))
                        return fail_syntax(builder, parser);
                done = event.type == YAML_STREAM_END_EVENT;
                r = handle_event(builder, &event);
                yaml_event_delete(&event);
        }
        return r;
}

static int compare_lines(const void *a, const void *b)
{
        const struct value_line *left = a, *right = b;

        return (left->value > right->value) - (left->value < right->value);
}

int yaml_parse(const char *file, const char *text, size_t length, json_t **documents,
               struct yaml_lines **lines, struct error *error)
{
        _cleanup_(builder_clear) struct builder builder = {
            .file = file, .text = text, .length = length, .error = error};
        yaml_parser_t parser;
        int r;

        builder.documents = json_array();
        builder.anchor_names = json_object();
        if (lines)
                builder.lines = calloc(1, sizeof(*builder.lines));
        if (!builder.documents || !builder.anchor_names || (lines && !builder.lines))
                return error_oom(error);
        if (!yaml_parser_initialize(&parser))
                return error_oom(error);
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
        r = parse_events(&builder, &parser);
        yaml_parser_delete(&parser);
        if (r < 0)
                return r;
        if (lines) {
                if (builder.lines->count)
                        qsort(builder.lines->items, builder.lines->count, sizeof(*builder.lines->items),
                              compare_lines);
                *lines = TAKE_PTR(builder.lines);
        }
        *documents = TAKE_PTR(builder.documents);
        return 0;
}

size_t yaml_line_of(const struct yaml_lines *lines, const json_t *value)
{
        const struct value_line wanted = {.value = value}, *found = NULL;

        if (lines->count)
                found = bsearch(&wanted, lines->items, lines->count, sizeof(*lines->items), compare_lines);
        return found ? found->line : 0;
}

void yaml_lines_free(struct yaml_lines *lines)
{
        if (!lines)
                return;
        free(lines->items);
        free(lines);
}
