/* A list of one kind, collected from the pages that the API answers
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks). */
#pragma once

#include "base/error.h"
#include "core/json_items.h"
#include "core/kube_decode.h"
#include "core/model.h"

#include <stdint.h>

#define KUBE_RESOURCE_VERSION_SIZE 128 /* bytes, NUL included; they are numbers of 64 bits today */
#define KUBE_LIST_PAGES_MAX 100000     /* more is a server that goes in circles */

struct kube_list {
        struct model objects;                              /* of the one kind; sorted when complete */
        struct model bad;                                  /* names of those that do not decode; likewise */
        char resource_version[KUBE_RESOURCE_VERSION_SIZE]; /* of the first page: where a watch goes on */
        char *continue_token;                              /* NULL: complete, once a page has ended */
        uint32_t pages;                                    /* that have ended */
        struct json_items page;                            /* the one that is arriving */
};

/* Feeds bytes of a page as they arrive. Bad objects are told to `bad` as kube_decode_any does it, besides
 * being collected. Returns 0; or -EINVAL/-EMSGSIZE/-ENOMEM with *error set, the list is then of no further
 * use. */
int kube_list_feed(struct kube_list *list, enum kube_kind kind, const char *data, size_t length,
                   kube_decode_bad_fn *bad, void *userdata, struct error *error);

/* The page has arrived whole. Strict about its frame, for a list that is not all there must not be taken for
 * one: another kind, no items, no resourceVersion are errors.
 * Returns 0; or -EINVAL/-ENOMEM with *error set, the list is then of no further use. */
int kube_list_end_page(struct kube_list *list, enum kube_kind kind, struct error *error);

/* The page broke off; it may be asked for again, the ones before it stand. Objects of it that were decoded
 * already stay too: it will bring them again, and of several with one name the last one counts. */
void kube_list_drop_page(struct kube_list *list);

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
