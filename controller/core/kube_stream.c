#include "core/kube_stream.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* A buffer that a large line left behind is given back rather than kept for ever. */
#define KEPT_CAPACITY (256u * 1024)

static const char *const type_names[] = {
    [KUBE_EVENT_ADDED] = "ADDED",       [KUBE_EVENT_MODIFIED] = "MODIFIED", [KUBE_EVENT_DELETED] = "DELETED",
    [KUBE_EVENT_BOOKMARK] = "BOOKMARK", [KUBE_EVENT_ERROR] = "ERROR",
};

static int parse_type(const json_t *line, enum kube_event_type *out, struct error *error)
{
        const char *name = json_string_value(json_object_get(line, "type"));

        if (!name)
                return error_set(error, NULL, "watch: a line without an event type");
        for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++) {
                if (strcmp(name, type_names[i]) == 0) {
                        *out = (enum kube_event_type)i;
                        return 0;
                }
        }
        return error_set(error, NULL, "watch: unknown event type %.40s", name);
}

/* An ERROR's object is a Status:
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
static void read_status(struct kube_event *event)
{
        json_int_t code = json_integer_value(json_object_get(event->object, "code"));
        const char *message = json_string_value(json_object_get(event->object, "message"));

        event->error_code = code > 0 && code < INT_MAX ? (int)code : 0;
        event->error_message = message ? message : "";
}

static int handle_line(const char *text, size_t length, kube_event_fn *handler, void *userdata,
                       struct error *error)
{
        _cleanup_json_ json_t *line = NULL;
        struct kube_event event = {0};
        json_error_t json_error;
        int r;

        if (length && text[length - 1] == '\r')
                length--;
        if (length == 0)
                return 0;
        line = json_loadb(text, length, JSON_ALLOW_NUL, &json_error);
        if (!line && json_error_code(&json_error) == json_error_out_of_memory)
                return error_oom(error);
        if (!line)
                return error_set(error, NULL, "watch: a line is not JSON: %s", json_error.text);
        r = parse_type(line, &event.type, error);
        if (r < 0)
                return r;
        event.object = json_object_get(line, "object");
        if (!json_is_object(event.object))
                return error_set(error, NULL, "watch: %s without an object", type_names[event.type]);
        if (event.type == KUBE_EVENT_ERROR) {
                read_status(&event);
        } else {
                event.resource_version = json_string_value(
                    json_object_get(json_object_get(event.object, "metadata"), "resourceVersion"));
                if (!event.resource_version)
                        return error_set(error, NULL, "watch: %s without a resourceVersion",
                                         type_names[event.type]);
        }
        return handler(userdata, &event, error);
}

static int keep(struct kube_stream *stream, const char *data, size_t length, struct error *error)
{
        if (length > KUBE_STREAM_LINE_MAX - stream->line.length) {
                (void)error_set(error, NULL, "watch: a line of more than %u bytes", KUBE_STREAM_LINE_MAX);
                return -EMSGSIZE;
        }
        if (strbuf_append(&stream->line, data, length) < 0)
                return error_oom(error);
        return 0;
}

int kube_stream_feed(struct kube_stream *stream, const char *data, size_t length, kube_event_fn *event,
                     void *userdata, struct error *error)
{
        while (length) {
                const char *newline = memchr(data, '\n', length);
                size_t part = newline ? (size_t)(newline - data) : length;
                int r;

                /* Lines that arrive whole are read where they are. */
                if (newline && stream->line.length == 0 && part <= KUBE_STREAM_LINE_MAX) {
                        r = handle_line(data, part, event, userdata, error);
                } else {
                        r = keep(stream, data, part, error);
                        if (r == 0 && newline) {
                                r = handle_line(stream->line.text, stream->line.length, event, userdata,
                                                error);
                                strbuf_reset(&stream->line);
                                if (stream->line.capacity > KEPT_CAPACITY)
                                        strbuf_clear(&stream->line);
                        }
                }
                if (r < 0)
                        return r;
                data += part + (newline ? 1 : 0);
                length -= part + (newline ? 1 : 0);
        }
        return 0;
}

bool kube_stream_pending(const struct kube_stream *stream)
{
        return stream->line.length > 0;
}

void kube_stream_clear(struct kube_stream *stream)
{
        strbuf_clear(&stream->line);
}
