#include "io/kube_call.h"

#include "base/strbuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (4u << 20) /* bytes; an object is 1.5 MB at most */

struct kube_call {
        struct http_transfer *transfer;
        struct strbuf body;
        kube_call_fn *done;
        void *userdata;
};

static void call_free(struct kube_call *call)
{
        strbuf_clear(&call->body);
        free(call);
}

static int on_data(void *userdata, const char *data, size_t length)
{
        struct kube_call *call = userdata;

        return strbuf_append(&call->body, data, length);
}

/* The API's Status object says what was wrong; anything else is told as it is. */
static void describe_refusal(const struct http_result *result, struct error *error)
{
        _cleanup_json_ json_t *status = result->body ? json_loads(result->body, 0, NULL) : NULL;
        const char *message = json_string_value(json_object_get(status, "message"));

        (void)error_set(error, NULL, "HTTP %d: %s", result->status,
                        message        ? message
                        : result->body ? result->body
                                       : "");
}

static void on_done(void *userdata, const struct http_result *result)
{
        struct kube_call *call = userdata;
        struct kube_answer answer = {.retry_after_ms = result->retry_after_ms};
        _cleanup_json_ json_t *json = NULL;

        if (result->complete)
                answer.status = result->status;
        else
                answer.error = result->error;
        if (answer.status >= 200 && answer.status < 300) {
                json = json_loadb(call->body.text ? call->body.text : "", call->body.length, JSON_ALLOW_NUL,
                                  NULL);
                answer.json = json;
        } else if (answer.status) {
                describe_refusal(result, &answer.error);
        }
        call->done(call->userdata, &answer);
        call_free(call);
}

int kube_call_start(struct http_client *client, enum http_method method, const char *url, const json_t *body,
                    const char *content_type, kube_call_fn *done, void *userdata, struct kube_call **out,
                    struct error *error)
{
        _cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        struct kube_call *call = calloc(1, sizeof(*call));
        const struct http_request request = {
            .method = method,
            .url = url,
            .body = text,
            .body_length = text ? strlen(text) : 0,
            .content_type = text ? (content_type ? content_type : "application/json") : NULL,
            .connect_s = KUBE_CALL_TIMEOUT_S,
            .idle_s = KUBE_CALL_TIMEOUT_S,
            .total_s = KUBE_CALL_TIMEOUT_S,
            .max_length = ANSWER_MAX,
            .data = on_data,
            .done = on_done,
            .userdata = call,
        };
        int r;

        if (!call || (body && !text)) {
                free(call);
                return error_oom(error);
        }
        *call = (struct kube_call){.done = done, .userdata = userdata};
        r = http_client_start(client, &request, &call->transfer, error);
        if (r < 0) {
                call_free(call);
                return r;
        }
        *out = call;
        return 0;
}

void kube_call_cancel(struct kube_call *call)
{
        if (!call)
                return;
        http_transfer_cancel(call->transfer);
        call_free(call);
}
