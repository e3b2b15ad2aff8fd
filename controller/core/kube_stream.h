/* The framing of a watch: JSON objects, one per line
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
 * Bytes go in as they arrive, events come out. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdbool.h>

#define KUBE_STREAM_LINE_MAX (16u * 1024 * 1024) /* bytes; etcd's own limit for an object is 1.5 MB */

enum kube_event_type {
        KUBE_EVENT_ADDED,
        KUBE_EVENT_MODIFIED,
        KUBE_EVENT_DELETED,
        KUBE_EVENT_BOOKMARK,
        KUBE_EVENT_ERROR,
};

struct kube_event {
        enum kube_event_type type;
        json_t *object;               /* borrowed during the callback */
        const char *resource_version; /* of the object; NULL in an ERROR */
        int error_code;               /* of an ERROR's Status, e.g. 410; else 0 */
        const char *error_message;    /* of an ERROR's Status, "" if it has none; else NULL */
};

struct kube_stream {
        struct strbuf line; /* the incomplete rest; holds no newline */
};

/* Feeds bytes. Calls `event` for each complete line; a negative return of it ends the feed and is returned.
 * Returns 0, or -EINVAL/-EMSGSIZE/-ENOMEM with *error set for what is no watch event: the stream is then of
 * no further use. */
typedef int kube_event_fn(void *userdata, const struct kube_event *event, struct error *error);
int kube_stream_feed(struct kube_stream *stream, const char *data, size_t length, kube_event_fn *event,
                     void *userdata, struct error *error);

/* Whether bytes of an incomplete line are left, as when a connection broke in the middle. */
bool kube_stream_pending(const struct kube_stream *stream);

void kube_stream_clear(struct kube_stream *stream);
