#include "core/kube_list.h"

#include "base/fileio.h"
#include "unit.h"

#include <string.h>

static void count_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                      const struct error *error)
{
        size_t *count = userdata;

        (void)kind;
        (void)namespace;
        (void)name;
        (void)error;
        ++*count;
}

/* In pieces of several sizes, as a network delivers them. */
static int add_in_pieces(struct kube_list *list, enum kube_kind kind, const char *text, size_t piece,
                         size_t *bad)
{
        size_t length = strlen(text);
        struct error error = {{0}, {0}};
        int r = 0;

        for (size_t at = 0; r == 0 && at < length; at += piece)
                r = kube_list_feed(list, kind, text + at, length - at < piece ? length - at : piece,
                                   count_bad, bad, &error);
        if (r == 0)
                r = kube_list_end_page(list, kind, &error);
        assert_int_equal(r < 0, error.what[0] != '\0');
        return r;
}

static int add(struct kube_list *list, enum kube_kind kind, const char *text, size_t *bad)
{
        return add_in_pieces(list, kind, text, 4096, bad);
}

static void read_fixture(const char *name, struct strbuf *out)
{
        char path[512];
        struct error error;

        (void)snprintf(path, sizeof(path), "%s/kube-1.36/%s", TEST_FIXTURES, name);
        if (file_read(path, 1u << 20, out, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
}

static void real_pages_make_up_one_list(void **state)
{
        _cleanup_strbuf_ struct strbuf first = {0}, second = {0}, whole = {0};
        _cleanup_kube_list_ struct kube_list paged = {0}, unpaged = {0};
        size_t bad = 0;

        (void)state;
        read_fixture("endpointslices-page1.json", &first);
        read_fixture("endpointslices-page2.json", &second);
        read_fixture("endpointslices.json", &whole);
        assert_int_equal(add(&paged, KUBE_KIND_ENDPOINT_SLICE, first.text, &bad), 0);
        assert_non_null(paged.continue_token);
        assert_int_equal(add(&paged, KUBE_KIND_ENDPOINT_SLICE, second.text, &bad), 0);
        assert_int_equal(paged.pages, 2);
        assert_true(paged.resource_version[0] != '\0');
        assert_true(paged.objects.endpoint_slices.count > 1);
        assert_int_equal(add(&unpaged, KUBE_KIND_ENDPOINT_SLICE, whole.text, &bad), 0);
        assert_null(unpaged.continue_token);
        for (size_t i = 1; i < unpaged.objects.endpoint_slices.count; i++)
                assert_true(object_compare(unpaged.objects.endpoint_slices.objects[i - 1],
                                           unpaged.objects.endpoint_slices.objects[i]) < 0);
        assert_int_equal(bad, 0);
}

static void version_is_that_of_the_first_page(void **state)
{
        _cleanup_kube_list_ struct kube_list list = {0};
        size_t bad = 0;

        (void)state;
        assert_int_equal(add(&list, KUBE_KIND_SERVICE,
                             "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":"
                             "{\"resourceVersion\":\"5\",\"continue\":\"x\"},\"items\":"
                             "[{\"metadata\":{\"name\":\"b\"}},{\"metadata\":{\"name\":\"c\"},\"spec\":1}]}",
                             &bad),
                         0);
        assert_string_equal(list.continue_token, "x");
        assert_int_equal(add(&list, KUBE_KIND_SERVICE,
                             "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":"
                             "{\"resourceVersion\":\"9\",\"continue\":\"\"},\"items\":"
                             "[{\"metadata\":{\"name\":\"a\"}}]}",
                             &bad),
                         0);
        assert_null(list.continue_token);
        assert_string_equal(list.resource_version, "5");
        assert_int_equal(list.objects.services.count, 2);
        assert_string_equal(list.objects.services.objects[0]->name, "a");
        assert_int_equal(bad, 1);
        assert_int_equal(list.bad.services.count, 1);
        assert_string_equal(list.bad.services.objects[0]->name, "c");
}

static void page_that_broke_off_is_added_again(void **state)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_kube_list_ struct kube_list list = {0};
        struct error error;
        size_t bad = 0;

        (void)state;
        read_fixture("services.json", &text);
        assert_int_equal(
            kube_list_feed(&list, KUBE_KIND_SERVICE, text.text, text.length / 2, count_bad, &bad, &error), 0);
        assert_true(list.objects.services.count > 0);
        kube_list_drop_page(&list);
        assert_int_equal(add_in_pieces(&list, KUBE_KIND_SERVICE, text.text, 1, &bad), 0);
        for (size_t i = 1; i < list.objects.services.count; i++)
                assert_true(object_compare(list.objects.services.objects[i - 1],
                                           list.objects.services.objects[i]) < 0);
        assert_int_equal(bad, 0);
}

static void empty_list_is_complete(void **state)
{
        static const char *const items[] = {"[]", "null"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                _cleanup_kube_list_ struct kube_list list = {0};
                size_t bad = 0;
                char text[256];

                (void)snprintf(text, sizeof(text),
                               "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":"
                               "{\"resourceVersion\":\"5\"},\"items\":%s}",
                               items[i]);
                assert_int_equal(add(&list, KUBE_KIND_SERVICE, text, &bad), 0);
                assert_int_equal(list.pages, 1);
                assert_null(list.continue_token);
        }
}

#define FRAME(kind, version, rest) "{\"kind\":\"" kind "\",\"apiVersion\":\"" version "\"," rest "}"
#define META "\"metadata\":{\"resourceVersion\":\"5\"},"

static void what_is_no_list_of_the_kind_is_refused(void **state)
{
        static const char *const texts[] = {
            "",
            "{",
            "[]",
            "{}",
            FRAME("ServiceList", "v1", META "\"items\":[]") "x",
            FRAME("EndpointSliceList", "discovery.k8s.io/v1", META "\"items\":[]"),
            FRAME("ServiceList", "v2", META "\"items\":[]"),
            FRAME("Service", "v1", META "\"items\":[]"),
            FRAME("Status", "v1", META "\"items\":[]"),
            FRAME("ServiceList", "v1", META "\"itemz\":[]"),
            FRAME("ServiceList", "v1", META "\"items\":{}"),
            FRAME("ServiceList", "v1", "\"metadata\":{},\"items\":[]"),
            FRAME("ServiceList", "v1", "\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]"),
            FRAME("ServiceList", "v1", "\"metadata\":{\"resourceVersion\":5},\"items\":[]"),
            FRAME("ServiceList", "v1",
                  "\"metadata\":{\"resourceVersion\":\"5\",\"continue\":1},\"items\":[]"),
            FRAME("ServiceList", "v1", "\"metadata\":[],\"items\":[]"),
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                _cleanup_kube_list_ struct kube_list list = {0};
                size_t bad = 0;

                if (add(&list, KUBE_KIND_SERVICE, texts[i], &bad) == 0)
                        fail_msg("taken: %s", texts[i]);
        }
}

static void status_message_is_found_in_what_servers_answer(void **state)
{
        char message[64];

        (void)state;
        assert_string_equal(
            kube_status_message("{\"kind\":\"Status\",\"message\":\"no\\nway\"}", message, sizeof(message)),
            "no");
        assert_string_equal(kube_status_message("Too many requests.\nLater.", message, sizeof(message)),
                            "Too many requests.");
        assert_string_equal(kube_status_message("", message, sizeof(message)), "");
        assert_string_equal(kube_status_message("12345", message, 4), "123");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(real_pages_make_up_one_list),
            cmocka_unit_test(version_is_that_of_the_first_page),
            cmocka_unit_test(page_that_broke_off_is_added_again),
            cmocka_unit_test(empty_list_is_complete),
            cmocka_unit_test(what_is_no_list_of_the_kind_is_refused),
            cmocka_unit_test(status_message_is_found_in_what_servers_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
