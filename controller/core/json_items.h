/* Takes the elements of one array, a member of the outermost object, out of a JSON text that is still
 * arriving: {"kind": ..., "items": [{...}, {...}]}. So a list needs the memory of its largest element, not of
 * all, and is decoded while the rest is on its way.
 *
 * What remains is the frame, each element replaced by {}, which joins with nothing beside it; jansson reads
 * it in the end, as it reads the elements, so that the text is as strictly judged as if it were read in one
 * piece.
 */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdbool.h>

#define JSON_ITEMS_FRAME_MAX (4u * 1024 * 1024) /* bytes */
#define JSON_ITEMS_ITEM_MAX (16u * 1024 * 1024) /* bytes; etcd's own limit for an object is 1.5 MB */

/* Zero-initialised, but for `member`: nothing has arrived. */
struct json_items {
        const char *member; /* the array's name; borrowed */
        size_t count;       /* elements taken out */
        struct strbuf frame;
        struct strbuf item;  /* the beginning of one that has not arrived whole */
        size_t depth;        /* of braces and brackets */
        size_t string_start; /* in the frame: the last string at depth 1, quotes aside */
        size_t string_end;
        bool in_string, escaped;
        bool is_member; /* at depth 1: between the array's name and the next comma */
        bool in_array;
        bool in_item;
};

/* An element. Returns 0, or a negative errno with *error set, which ends the feed and is returned. */
typedef int json_item_fn(void *userdata, const json_t *item, struct error *error);

/* Feeds bytes. Returns 0; or -EINVAL/-EMSGSIZE/-ENOMEM with *error set: of no further use then. */
int json_items_feed(struct json_items *items, const char *data, size_t length, json_item_fn *item,
                    void *userdata, struct error *error);

/* After the last byte. Returns 0 and *frame, new, its array of as many empty objects (or null); or
 * -EINVAL/-ENOMEM with *error set: no JSON object, or one whose array is absent or holds something else than
 * objects. */
int json_items_finish(struct json_items *items, json_t **frame, struct error *error);

/* Frees what it holds and makes it as new, `member` included. */
void json_items_reset(struct json_items *items);
