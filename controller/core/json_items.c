#include "core/json_items.h"

#include <errno.h>
#include <string.h>

/* A piece of text under way through the scanner. */
struct piece {
        struct json_items *items;
        const char *data;
        size_t at;   /* the byte looked at */
        size_t from; /* those before it, from here on, belong to the frame (or the element) still */
};

static int too_long(const char *what, unsigned int max, struct error *error)
{
        (void)error_set(error, NULL, "%s of more than %u bytes", what, max);
        return -EMSGSIZE;
}

/* Moves the bytes up to `end` to where they belong. */
static int flush(struct piece *piece, size_t end, struct error *error)
{
        struct json_items *items = piece->items;
        struct strbuf *out = items->in_item ? &items->item : &items->frame;
        unsigned int max = items->in_item ? JSON_ITEMS_ITEM_MAX : JSON_ITEMS_FRAME_MAX;
        size_t length = end - piece->from;

        if (length > max - out->length)
                return too_long(items->in_item ? "an element" : "what surrounds the elements", max, error);
        if (length && strbuf_append(out, piece->data + piece->from, length) < 0)
                return error_oom(error);
        piece->from = end;
        return 0;
}

static int parse_item(struct json_items *items, const char *text, size_t length, json_item_fn *handler,
                      void *userdata, struct error *error)
{
        _cleanup_json_ json_t *item = NULL;
        json_error_t reason;

        item = json_loadb(text, length, JSON_ALLOW_NUL, &reason);
        if (!item && json_error_code(&reason) == json_error_out_of_memory)
                return error_oom(error);
        if (!item)
                return error_set(error, NULL, "%s[%zu] is not JSON: %s", items->member, items->count,
                                 reason.text);
        items->count++;
        return handler(userdata, item, error);
}

/* The element ends with the byte looked at. One that arrived whole is read where it is. */
static int end_item(struct piece *piece, json_item_fn *handler, void *userdata, struct error *error)
{
        struct json_items *items = piece->items;
        size_t end = piece->at + 1;
        int r;

        if (items->item.length == 0 && end - piece->from <= JSON_ITEMS_ITEM_MAX) {
                r = parse_item(items, piece->data + piece->from, end - piece->from, handler, userdata, error);
        } else {
                r = flush(piece, end, error);
                if (r == 0)
                        r = parse_item(items, items->item.text, items->item.length, handler, userdata, error);
                strbuf_reset(&items->item);
        }
        if (r < 0)
                return r;
        piece->from = end;
        items->in_item = false;
        return strbuf_puts(&items->frame, "{}") < 0 ? error_oom(error) : 0;
}

static int open_bracket(struct piece *piece, char c, struct error *error)
{
        struct json_items *items = piece->items;

        if (items->in_array && !items->in_item && items->depth == 2 && c == '{') {
                int r = flush(piece, piece->at, error);

                if (r < 0)
                        return r;
                items->in_item = true;
        }
        if (items->depth == 1 && c == '[' && items->is_member)
                items->in_array = true;
        items->depth++;
        return 0;
}

static int close_bracket(struct piece *piece, json_item_fn *handler, void *userdata, struct error *error)
{
        struct json_items *items = piece->items;

        if (items->depth == 0)
                return error_set(error, NULL, "not JSON: more closed than opened");
        items->depth--;
        if (items->in_item && items->depth == 2)
                return end_item(piece, handler, userdata, error);
        if (items->depth == 1)
                items->in_array = false;
        return 0;
}

/* Where the byte looked at will be in the frame. */
static size_t frame_offset(const struct piece *piece)
{
        return piece->items->frame.length + (piece->at - piece->from);
}

static int end_key(struct piece *piece, struct error *error)
{
        struct json_items *items = piece->items;
        int r = flush(piece, piece->at, error);
        size_t length = items->string_end - items->string_start;

        if (r < 0)
                return r;
        items->is_member = length == strlen(items->member) &&
                           memcmp(items->frame.text + items->string_start, items->member, length) == 0;
        return 0;
}

/* Skips to the end of the string, or of the piece. */
static void scan_string(struct piece *piece, size_t length)
{
        struct json_items *items = piece->items;

        for (; piece->at < length; piece->at++) {
                char c = piece->data[piece->at];

                if (items->escaped) {
                        items->escaped = false;
                } else if (c == '\\') {
                        items->escaped = true;
                } else if (c == '"') {
                        items->in_string = false;
                        if (items->depth == 1)
                                items->string_end = frame_offset(piece);
                        return;
                }
        }
}

static int scan_byte(struct piece *piece, json_item_fn *handler, void *userdata, struct error *error)
{
        struct json_items *items = piece->items;
        char c = piece->data[piece->at];

        switch (c) {
        case '"':
                items->in_string = true;
                if (items->depth == 1)
                        items->string_start = items->string_end = frame_offset(piece) + 1;
                return 0;
        case '{':
        case '[':
                return open_bracket(piece, c, error);
        case '}':
        case ']':
                return close_bracket(piece, handler, userdata, error);
        case ':':
                return items->depth == 1 ? end_key(piece, error) : 0;
        case ',':
                if (items->depth == 1)
                        items->is_member = false;
                return 0;
        default:
                return 0;
        }
}

int json_items_feed(struct json_items *items, const char *data, size_t length, json_item_fn *item,
                    void *userdata, struct error *error)
{
        struct piece piece = {.items = items, .data = data};

        while (piece.at < length) {
                if (items->in_string) {
                        scan_string(&piece, length);
                } else {
                        int r = scan_byte(&piece, item, userdata, error);

                        if (r < 0)
                                return r;
                }
                piece.at++;
        }
        return flush(&piece, length, error);
}

int json_items_finish(struct json_items *items, json_t **frame, struct error *error)
{
        _cleanup_json_ json_t *json = NULL;
        const json_t *array;
        json_error_t reason;

        if (items->in_item || !items->frame.text)
                return error_set(error, NULL, "not JSON: ends in the middle");
        json = json_loadb(items->frame.text, items->frame.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                          &reason);
        if (!json && json_error_code(&reason) == json_error_out_of_memory)
                return error_oom(error);
        if (!json)
                return error_set(error, NULL, "not JSON: %s", reason.text);
        array = json_object_get(json, items->member);
        if (!json_is_array(array) && !json_is_null(array))
                return error_set(error, NULL, "has no array %s", items->member);
        if (json_array_size(array) != items->count)
                return error_set(error, NULL, "%s holds something else than objects", items->member);
        *frame = TAKE_PTR(json);
        return 0;
}

void json_items_reset(struct json_items *items)
{
        strbuf_clear(&items->frame);
        strbuf_clear(&items->item);
        *items = (struct json_items){.member = items->member};
}
