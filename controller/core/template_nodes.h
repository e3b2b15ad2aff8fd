/* A compiled template: what template.c makes and template_render.c walks. Private to these two. */
#pragma once

#include "base/error.h"
#include "core/template.h"

#include <stdbool.h>
#include <stddef.h>

/* Sections inside sections. Bounds the recursion of render_nodes and what nested lists can multiply to. */
#define TEMPLATE_DEPTH_MAX 16

enum node_type {
        NODE_TEXT,
        NODE_VALUE,
        NODE_SECTION,
        NODE_INVERTED,
};

/* One member name of a dotted name; points into the template's text. */
struct key {
        const char *text;
        size_t length;
};

/* The nodes of a template are one flat array; a section's body is the nodes that follow it, up to `end`. */
struct node {
        enum node_type type;
        size_t line;
        const char *text; /* the text, or the name as written */
        size_t length;
        unsigned int up; /* how many ../ stand before the name */
        size_t first_key;
        size_t n_keys; /* none: the context itself, "." */
        size_t end;
};

struct template
{
        char *name;
        char *text;
        struct node *nodes;
        size_t n_nodes, nodes_capacity;
        struct key *keys;
        size_t n_keys, keys_capacity;
};

static inline bool template_is_name_char(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
}

/* FILE:LINE and "{{name}}: what"; a name beyond 100 bytes is cut. Returns -EINVAL. */
int template_fail(const struct template *template, size_t line, struct error *error, const char *what,
                  const char *name, size_t length);
