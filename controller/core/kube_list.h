/* A list of one kind, collected from the pages that the API answers
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks). */
#pragma once

#include "base/error.h"
#include "core/kube_decode.h"
#include "core/model.h"

#include <stdint.h>

#define KUBE_RESOURCE_VERSION_SIZE 128 /* bytes, NUL included; they are numbers of 64 bits today */
#define KUBE_LIST_PAGES_MAX 100000     /* more is a server that goes in circles */

struct kube_list {
        struct model objects;                              /* of the one kind; sorted when complete */
        struct model bad;                                  /* names of those that do not decode; likewise */
        char resource_version[KUBE_RESOURCE_VERSION_SIZE]; /* of the first page: where a watch goes on */
        char *continue_token;                              /* NULL: complete, once a page was added */
        uint32_t pages;
};

/* Adds a page. Strict about the frame, for a list that is not all there must not be taken for one: another
 * kind, no items, no resourceVersion are errors. Bad objects are told to `bad` as kube_decode_any does it,
 * besides being collected.
 * Returns 0; or -EINVAL/-ENOMEM with *error set, the list is then of no further use. */
int kube_list_add_page(struct kube_list *list, enum kube_kind kind, const char *text, size_t length,
                       kube_decode_bad_fn *bad, void *userdata, struct error *error);

/* Frees all it holds, and makes it empty. */
void kube_list_clear(struct kube_list *list);

static inline void kube_list_clear_p(struct kube_list *list)
{
        kube_list_clear(list);
}
#define _cleanup_kube_list_ _cleanup_(kube_list_clear_p)

/* The message of a Status, which is what the API answers when it refuses; else the text's first line. Writes
 * it, cut to size, and returns `out`. */
const char *kube_status_message(const char *text, char *out, size_t size);
