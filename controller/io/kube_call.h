/* One request to the API that is no list and no watch: JSON there, JSON back. */
#pragma once

#include "base/error.h"
#include "io/http_client.h"

#include <jansson.h>

struct kube_call;

struct kube_answer {
        int status;             /* HTTP status; 0: none came, and what was asked may have been done or not */
        const json_t *json;     /* of a status 200-299; NULL if there is none. Borrowed during the call */
        int64_t retry_after_ms; /* -1: the server did not say */
        struct error error; /* in words, for a status outside 200-299; the API's own message if it sent one */
};

/* The call is over and must not be used any more. May start others. */
typedef void kube_call_fn(void *userdata, const struct kube_answer *answer);

#define KUBE_CALL_TIMEOUT_S                                                            \
        5 /* less than the time between the end of a lease and the next leader's begin \
           */
#define KUBE_CALL_MERGE_PATCH "application/merge-patch+json"

/* `body` may be NULL; borrowed. content_type NULL: application/json. Returns 0 and *out, valid until `done`
 * or kube_call_cancel; or a negative errno with *error set, and `done` is never called. */
int kube_call_start(struct http_client *client, enum http_method method, const char *url, const json_t *body,
                    const char *content_type, kube_call_fn *done, void *userdata, struct kube_call **out,
                    struct error *error);

/* Ends it without calling `done`. NULL is fine. */
void kube_call_cancel(struct kube_call *call);
