/* A page of a list as the API's body, for both kinds: an incomplete one is never taken for a list. */
#include "core/kube_list.h"

#include "fuzz.h"

#include <string.h>

static void count_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                      const struct error *error)
{
        (void)kind;
        (void)namespace;
        (void)name;
        FUZZ_ASSERT(error->what[0]);
        (*(size_t *)userdata)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *)data, size);
        char message[64];

        FUZZ_ASSERT(text);
        FUZZ_ASSERT(strlen(kube_status_message(text, message, sizeof(message))) < sizeof(message));
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                _cleanup_kube_list_ struct kube_list list = {0};
                struct error error;
                size_t bad = 0;

                if (kube_list_feed(&list, kind, (const char *)data, size, count_bad, &bad, &error) < 0 ||
                    kube_list_end_page(&list, kind, &error) < 0) {
                        FUZZ_ASSERT(error.what[0]);
                        continue;
                }
                FUZZ_ASSERT(list.pages == 1 && list.resource_version[0]);
                FUZZ_ASSERT(memchr(list.resource_version, '\0', sizeof(list.resource_version)));
        }
        return 0;
}
