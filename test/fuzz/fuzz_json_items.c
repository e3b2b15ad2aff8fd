/* A list that arrives in pieces: what is taken apart and put together again is what jansson makes of the
 * whole, and how the pieces are cut makes no difference. */
#include "core/json_items.h"

#include "fuzz.h"

static int collect(void *userdata, const json_t *item, struct error *error)
{
        (void)error;
        FUZZ_ASSERT(json_is_object(item));
        return json_array_append(userdata, (json_t *)item);
}

/* NULL if it was refused. */
static json_t *take_apart(const char *text, size_t length, size_t piece)
{
        struct json_items items = {.member = "items"};
        _cleanup_json_ json_t *taken = json_array();
        json_t *frame = NULL;
        struct error error = {{0}, {0}};
        int r = 0;

        for (size_t at = 0; r == 0 && at < length; at += piece)
                r = json_items_feed(&items, text + at, length - at < piece ? length - at : piece, collect,
                                    taken, &error);
        if (r == 0)
                r = json_items_finish(&items, &frame, &error);
        FUZZ_ASSERT((r < 0) == (error.what[0] != '\0'));
        if (json_array_size(taken) && frame)
                FUZZ_ASSERT(json_object_set(frame, "items", taken) == 0);
        json_items_reset(&items);
        return frame;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;
        _cleanup_json_ json_t *at_once = take_apart(text, size, size ? size : 1);
        _cleanup_json_ json_t *in_pieces = take_apart(text, size, size ? 1 + data[size - 1] % 7 : 1);
        _cleanup_json_ json_t *whole = NULL;
        json_error_t reason;

        FUZZ_ASSERT(!at_once == !in_pieces);
        if (!at_once)
                return 0;
        FUZZ_ASSERT(json_equal(at_once, in_pieces));
        whole = json_loadb(text, size, JSON_ALLOW_NUL, &reason);
        /* An element's depth is not counted from the whole's beginning. */
        if (!whole && json_error_code(&reason) == json_error_stack_overflow)
                return 0;
        FUZZ_ASSERT(whole && json_equal(at_once, whole));
        return 0;
}
