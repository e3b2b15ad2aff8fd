#include "core/kube_url.h"

#include "unit.h"

static void lists_are_asked_for_in_pages(void **state)
{
        _cleanup_strbuf_ struct strbuf url = {0};

        (void)state;
        assert_int_equal(kube_url_list(&url, "https://[fd00::1]:6443", NULL, KUBE_KIND_SERVICE, 500, NULL),
                         0);
        assert_string_equal(url.text, "https://[fd00::1]:6443/api/v1/services?limit=500");
        strbuf_reset(&url);
        assert_int_equal(
            kube_url_list(&url, "https://k", NULL, KUBE_KIND_ENDPOINT_SLICE, 7, "a+/=&b%\x01\xff"), 0);
        assert_string_equal(url.text, "https://k/apis/discovery.k8s.io/v1/endpointslices?limit=7&continue="
                                      "a%2B%2F%3D%26b%25%01%FF");
}

static void watches_want_bookmarks(void **state)
{
        _cleanup_strbuf_ struct strbuf url = {0};

        (void)state;
        assert_int_equal(kube_url_watch(&url, "https://k", NULL, KUBE_KIND_ENDPOINT_SLICE, "12 3", 301), 0);
        assert_string_equal(url.text, "https://k/apis/discovery.k8s.io/v1/endpointslices?watch=1"
                                      "&allowWatchBookmarks=true&timeoutSeconds=301&resourceVersion=12%203");
}

static void namespace_stands_before_the_resource(void **state)
{
        _cleanup_strbuf_ struct strbuf url = {0};

        (void)state;
        assert_int_equal(kube_url_list(&url, "https://k", "shop", KUBE_KIND_SERVICE, 5, NULL), 0);
        assert_string_equal(url.text, "https://k/api/v1/namespaces/shop/services?limit=5");
        strbuf_reset(&url);
        assert_int_equal(kube_url_list(&url, "https://k", "a/../b", KUBE_KIND_ENDPOINT_SLICE, 5, NULL), 0);
        assert_string_equal(
            url.text, "https://k/apis/discovery.k8s.io/v1/namespaces/a%2F..%2Fb/endpointslices?limit=5");
}

static void resources_are_named_as_rbac_does(void **state)
{
        (void)state;
        assert_string_equal(kube_kind_resource(KUBE_KIND_SERVICE), "services");
        assert_string_equal(kube_kind_resource(KUBE_KIND_ENDPOINT_SLICE), "endpointslices");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(lists_are_asked_for_in_pages),
            cmocka_unit_test(watches_want_bookmarks),
            cmocka_unit_test(namespace_stands_before_the_resource),
            cmocka_unit_test(resources_are_named_as_rbac_does),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
