#include "core/inventory.h"

#include "planning.h"
#include "unit.h"

#include <string.h>

#define VERSION(text) ", resourceVersion: '" text "'"
#define OURS(name, version) SERVICE(name, VERSION(version), PORT80, "")
#define OURS_WITH(name, version, ip) SERVICE(name, VERSION(version), PORT80, STATUS(IP(ip)))
#define FOREIGN(name, version)                                                                  \
        "---\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: " name VERSION( \
            version) "},"                                                                       \
                     " spec: {type: LoadBalancer, loadBalancerClass: other}}\n"
#define ELSEWHERE(name, version)                                                                \
        "---\n{apiVersion: v1, kind: Service, metadata: {namespace: bank, name: " name VERSION( \
            version) "},"                                                                       \
                     " spec: {type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp}}\n"

static const struct object_list nothing_bad;

static struct inventory empty(void)
{
        return (struct inventory){.load_balancer_class = "coracle.lb/ecmp"};
}

/* The one object of the text; *kind receives what it is. */
static struct object *object_of(const char *text, enum kube_kind *kind)
{
        _cleanup_model_ struct model model = {0};
        struct object_list *list;
        struct object *object;

        model_of(text, &model);
        *kind = model.services.count ? KUBE_KIND_SERVICE : KUBE_KIND_ENDPOINT_SLICE;
        list = model_list(&model, *kind);
        assert_int_equal(list->count, 1);
        object = list->objects[0];
        list->count = 0;
        return object;
}

static int put(struct inventory *inventory, const char *text)
{
        enum kube_kind kind;
        struct object *object = object_of(text, &kind);

        return inventory_put(inventory, kind, object);
}

static int answer(struct inventory *inventory, const char *text, int64_t now_ms)
{
        enum kube_kind kind;

        return inventory_answer(inventory, object_of(text, &kind), now_ms);
}

static void list_services(struct inventory *inventory, const char *namespace, int64_t began_ms,
                          const char *text)
{
        _cleanup_model_ struct model model = {0};

        model_of(text, &model);
        assert_int_equal(inventory_replace(inventory, KUBE_KIND_SERVICE, namespace, began_ms, &model.services,
                                           &nothing_bad),
                         0);
        assert_int_equal(model.services.count, 0);
}

/* "namespace/name@version", and " address" of its status, of each Service. */
static void expect(const struct inventory *inventory, const char *expected)
{
        _cleanup_strbuf_ struct strbuf text = {0};

        assert_int_equal(strbuf_puts(&text, ""), 0);
        for (size_t i = 0; i < inventory->model.services.count; i++) {
                const struct service *service = object_service(inventory->model.services.objects[i]);
                char addr[ADDR_TEXT_SIZE];

                assert_int_equal(
                    strbuf_printf(&text, "%s/%s@%s%s%s;", service->object.namespace, service->object.name,
                                  service->resource_version, service->n_status_addrs ? " " : "",
                                  service->n_status_addrs ? addr_format(&service->status_addrs[0], addr)
                                                          : ""),
                    0);
        }
        assert_string_equal(text.text, expected);
}

static void services_of_other_classes_are_not_kept(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        list_services(&inventory, NULL, 0, OURS("a", "1") FOREIGN("b", "1"));
        expect(&inventory, "shop/a@1;");
        assert_false(put(&inventory, FOREIGN("c", "2")));
        expect(&inventory, "shop/a@1;");
        model_clear(&inventory.model);
}

static void service_that_changes_class_comes_or_goes(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        assert_true(put(&inventory, OURS("a", "1")));
        assert_true(put(&inventory, FOREIGN("a", "2")));
        expect(&inventory, "");
        assert_true(put(&inventory, OURS("a", "3")));
        expect(&inventory, "shop/a@3;");
        model_clear(&inventory.model);
}

static void slices_are_news_when_their_service_is_ours_or_was(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        assert_false(put(&inventory, SLICE("x", "web", READY("172.16.1.1"))));
        assert_true(put(&inventory, OURS("web", "1")));
        assert_int_equal(inventory.model.endpoint_slices.count, 1); /* it was there all the same */
        assert_true(put(&inventory, SLICE("x", "web", READY("172.16.1.2"))));
        assert_false(put(&inventory, SLICE("y", "other", READY("172.16.1.3"))));
        assert_true(put(&inventory, SLICE("x", "other", READY("172.16.1.2"))));
        assert_false(put(&inventory, SLICE("x", "other", READY("172.16.1.4"))));
        assert_false(inventory_remove(&inventory, KUBE_KIND_ENDPOINT_SLICE, "shop", "y"));
        assert_true(put(&inventory, SLICE("x", "web", READY("172.16.1.2"))));
        assert_true(inventory_remove(&inventory, KUBE_KIND_ENDPOINT_SLICE, "shop", "x"));
        assert_false(inventory_remove(&inventory, KUBE_KIND_ENDPOINT_SLICE, "shop", "x"));
        assert_true(inventory_remove(&inventory, KUBE_KIND_SERVICE, "shop", "web"));
        model_clear(&inventory.model);
}

static void list_of_a_namespace_leaves_the_others(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        list_services(&inventory, "shop", 0, OURS("a", "1") OURS("b", "1"));
        list_services(&inventory, "bank", 0, ELSEWHERE("c", "1"));
        list_services(&inventory, "shop", 0, OURS("b", "2"));
        expect(&inventory, "bank/c@1;shop/b@2;");
        model_clear(&inventory.model);
}

static void what_does_not_decode_keeps_its_last_good_version(void **state)
{
        struct inventory inventory = empty();
        _cleanup_model_ struct model list = {0}, bad = {0};

        (void)state;
        list_services(&inventory, NULL, 0, OURS("a", "1") OURS("b", "1"));
        model_of(OURS("b", "2"), &list);
        model_of(OURS("a", "2") OURS("never-seen", "2"), &bad);
        assert_int_equal(
            inventory_replace(&inventory, KUBE_KIND_SERVICE, NULL, 0, &list.services, &bad.services), 0);
        expect(&inventory, "shop/a@1;shop/b@2;");
        model_clear(&inventory.model);
}

static void answer_and_watch_tell_the_same_once(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        assert_true(put(&inventory, OURS("web", "7")));
        assert_true(answer(&inventory, OURS_WITH("web", "9", "10.1.1.1"), 1000));
        assert_false(put(&inventory, OURS("web", "8")));
        assert_false(put(&inventory, OURS_WITH("web", "9", "10.1.1.1")));
        expect(&inventory, "shop/web@9 10.1.1.1;");
        assert_true(put(&inventory, OURS("web", "10")));
        expect(&inventory, "shop/web@10;");
        assert_false(answer(&inventory, OURS_WITH("web", "9", "10.1.1.1"), 1000));
        expect(&inventory, "shop/web@10;");
        model_clear(&inventory.model);
}

static void versions_that_cannot_be_compared_are_taken_as_they_come(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        assert_true(put(&inventory, OURS("web", "b")));
        assert_true(put(&inventory, OURS("web", "a")));
        assert_true(put(&inventory, PLAIN("web")));
        assert_true(put(&inventory, PLAIN("web")));
        model_clear(&inventory.model);
}

static void list_that_began_before_an_answer_does_not_undo_it(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        list_services(&inventory, NULL, 100, OURS("a", "6") OURS("b", "6") OURS("c", "6"));
        assert_true(answer(&inventory, OURS_WITH("a", "8", "10.1.1.1"), 1000));
        assert_true(answer(&inventory, OURS_WITH("b", "9", "10.1.1.2"), 1001));
        assert_true(answer(&inventory, OURS_WITH("c", "10", "10.1.1.3"), 1002));
        list_services(&inventory, NULL, 1000, OURS("a", "6") OURS("b", "11"));
        expect(&inventory, "shop/a@8 10.1.1.1;shop/b@11;"); /* c has gone since */
        model_clear(&inventory.model);
}

/* As after a restore of etcd, where versions begin anew: what it says is true, and lower. */
static void list_that_began_after_an_answer_is_the_truth(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        list_services(&inventory, NULL, 100, OURS("a", "6"));
        assert_true(answer(&inventory, OURS_WITH("a", "8", "10.1.1.1"), 1000));
        list_services(&inventory, NULL, 1001, OURS("a", "3"));
        expect(&inventory, "shop/a@3;");
        model_clear(&inventory.model);
}

static void answer_does_not_bring_back_what_is_gone(void **state)
{
        struct inventory inventory = empty();

        (void)state;
        assert_true(put(&inventory, OURS("web", "7")));
        assert_true(inventory_remove(&inventory, KUBE_KIND_SERVICE, "shop", "web"));
        assert_false(answer(&inventory, OURS_WITH("web", "8", "10.1.1.1"), 1000));
        expect(&inventory, "");
        model_clear(&inventory.model);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(services_of_other_classes_are_not_kept),
            cmocka_unit_test(service_that_changes_class_comes_or_goes),
            cmocka_unit_test(slices_are_news_when_their_service_is_ours_or_was),
            cmocka_unit_test(list_of_a_namespace_leaves_the_others),
            cmocka_unit_test(what_does_not_decode_keeps_its_last_good_version),
            cmocka_unit_test(answer_and_watch_tell_the_same_once),
            cmocka_unit_test(versions_that_cannot_be_compared_are_taken_as_they_come),
            cmocka_unit_test(list_that_began_before_an_answer_does_not_undo_it),
            cmocka_unit_test(list_that_began_after_an_answer_is_the_truth),
            cmocka_unit_test(answer_does_not_bring_back_what_is_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
