/* A watch, whole and cut into pieces of a size taken from the first byte: both must tell the same. */
#include "core/kube_stream.h"

#include "fuzz.h"

static int count(void *userdata, const struct kube_event *event, struct error *error)
{
        size_t *events = userdata;

        (void)error;
        FUZZ_ASSERT(json_is_object(event->object));
        FUZZ_ASSERT((event->type == KUBE_EVENT_ERROR) == !event->resource_version);
        FUZZ_ASSERT((event->type == KUBE_EVENT_ERROR) == !!event->error_message);
        (*events)++;
        return 0;
}

static int feed(const char *text, size_t length, size_t step, size_t *events, bool *pending)
{
        struct kube_stream stream = {0};
        struct error error;
        int r = 0;

        for (size_t at = 0; r == 0 && at < length; at += step)
                r = kube_stream_feed(&stream, text + at, length - at < step ? length - at : step, count,
                                     events, &error);
        *pending = kube_stream_pending(&stream);
        kube_stream_clear(&stream);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t whole = 0, cut = 0;
        bool whole_pending, cut_pending;
        int r, s;

        if (size < 2)
                return 0;
        r = feed((const char *)data + 1, size - 1, size, &whole, &whole_pending);
        s = feed((const char *)data + 1, size - 1, data[0] % 61u + 1, &cut, &cut_pending);
        FUZZ_ASSERT(r == s && whole == cut);
        FUZZ_ASSERT(r < 0 || whole_pending == cut_pending);
        return 0;
}
