/* YAML to JSON values, by libyaml.
 *
 * Plain scalars are typed as the YAML 1.2 core schema does it (null, true/false, integers, decimals); the
 * rest, and everything quoted, is a string. Mapping keys must be strings and may not repeat. Anchors work;
 * the total of values after aliases are expanded is limited, so is the depth (the usual bombs).
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <jansson.h>

/* Where the values of a document stood, for errors that name file:line. */
struct yaml_lines;

/* Parses every document of `text`. `file` is used in errors only.
 * Returns 0 and *documents, a new array (empty documents are left out); or -EINVAL/-ENOMEM with *error set.
 * `lines` may be NULL; else *lines is to be freed with yaml_lines_free. */
int yaml_parse(const char *file, const char *text, size_t length, json_t **documents,
               struct yaml_lines **lines, struct error *error);

/* The line of a member's key, of an array's element, or of the document. `value` must have come out of the
 * same yaml_parse. true, false and null are shared by jansson and have no line: 0. */
size_t yaml_line_of(const struct yaml_lines *lines, const json_t *value);

/* NULL is fine. */
void yaml_lines_free(struct yaml_lines *lines);
DEFINE_CLEANUP(struct yaml_lines *, yaml_lines_free)
#define _cleanup_yaml_lines_ _cleanup_(yaml_lines_free_p)
