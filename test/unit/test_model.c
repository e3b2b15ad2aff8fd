#include "core/model.h"

#include "unit.h"

#include <string.h>

static struct service *make_service(const char *namespace, const char *name, const char *class)
{
        struct service *service = service_new();

        assert_non_null(service);
        service->object.namespace = strdup(namespace);
        service->object.name = strdup(name);
        service->load_balancer_class = strdup(class);
        return service;
}

static void append(struct object_list *list, const char *namespace, const char *name, const char *class)
{
        assert_int_equal(object_list_append(list, &make_service(namespace, name, class)->object), 0);
}

static void put(struct object_list *list, const char *namespace, const char *name, const char *class)
{
        assert_int_equal(
            object_list_put(list, &make_service(namespace, name, class)->object, service_object_unref), 0);
}

static const char *class_of(const struct object_list *list, const char *namespace, const char *name)
{
        struct service *service = object_service(object_list_find(list, namespace, name));

        return service ? service->load_balancer_class : NULL;
}

static void list_sorts_by_namespace_then_name(void **state)
{
        struct object_list list = {0};

        (void)state;
        append(&list, "b", "a", "1");
        append(&list, "a", "b", "2");
        append(&list, "a", "a-b", "3");
        append(&list, "a", "a", "4");
        object_list_sort(&list, service_object_unref);
        assert_int_equal(list.count, 4);
        for (size_t i = 1; i < list.count; i++)
                assert_true(object_compare(list.objects[i - 1], list.objects[i]) < 0);
        assert_string_equal(class_of(&list, "a", "a-b"), "3");
        assert_null(class_of(&list, "b", "b"));
        object_list_clear(&list, service_object_unref);
}

static void of_several_with_one_name_the_last_stays(void **state)
{
        struct object_list list = {0};
        char name[16], class[16];

        (void)state;
        for (int i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "s%d", i * 7919 % 100);
                (void)snprintf(class, sizeof(class), "%d", i);
                append(&list, "shop", name, class);
        }
        object_list_sort(&list, service_object_unref);
        assert_int_equal(list.count, 100);
        for (int i = 900; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "s%d", i * 7919 % 100);
                (void)snprintf(class, sizeof(class), "%d", i);
                assert_string_equal(class_of(&list, "shop", name), class);
        }
        object_list_clear(&list, service_object_unref);
}

static void put_inserts_in_order_and_replaces(void **state)
{
        struct object_list list = {0};
        char name[16];

        (void)state;
        for (int i = 0; i < 100; i++) {
                (void)snprintf(name, sizeof(name), "s%d", i * 37 % 100);
                put(&list, "shop", name, "old");
        }
        put(&list, "shop", "s50", "new");
        assert_int_equal(list.count, 100);
        for (size_t i = 1; i < list.count; i++)
                assert_true(object_compare(list.objects[i - 1], list.objects[i]) < 0);
        assert_string_equal(class_of(&list, "shop", "s50"), "new");
        assert_string_equal(class_of(&list, "shop", "s51"), "old");
        object_list_clear(&list, service_object_unref);
}

static void list_that_grew_by_put_still_sorts(void **state)
{
        struct object_list list = {0};
        char name[16];

        (void)state;
        for (int i = 0; i < 50; i++) {
                (void)snprintf(name, sizeof(name), "p%d", i);
                put(&list, "shop", name, "put");
                (void)snprintf(name, sizeof(name), "a%d", 99 - i);
                append(&list, "shop", name, "appended");
                object_list_sort(&list, service_object_unref);
        }
        assert_int_equal(list.count, 100);
        for (size_t i = 1; i < list.count; i++)
                assert_true(object_compare(list.objects[i - 1], list.objects[i]) < 0);
        object_list_clear(&list, service_object_unref);
}

static void remove_tells_whether_it_was_there(void **state)
{
        struct object_list list = {0};

        (void)state;
        assert_false(object_list_remove(&list, "shop", "web", service_object_unref));
        put(&list, "shop", "web", "x");
        put(&list, "shop", "api", "x");
        assert_true(object_list_remove(&list, "shop", "api", service_object_unref));
        assert_false(object_list_remove(&list, "shop", "api", service_object_unref));
        assert_int_equal(list.count, 1);
        assert_string_equal(class_of(&list, "shop", "web"), "x");
        object_list_clear(&list, service_object_unref);
        assert_null(list.objects);
}

static void object_lives_as_long_as_its_last_reference(void **state)
{
        struct object_list list = {0};
        struct service *service = make_service("shop", "web", "x");

        (void)state;
        assert_int_equal(object_list_append(&list, &service_ref(service)->object), 0);
        object_list_clear(&list, service_object_unref);
        assert_string_equal(service->object.name, "web");
        service_unref(service);
        service_unref(NULL);
        endpoint_slice_unref(NULL);
}

static void slice_is_freed_with_all_it_holds(void **state)
{
        _cleanup_model_ struct model model = {0};
        struct endpoint_slice *slice = endpoint_slice_new();

        (void)state;
        assert_non_null(slice);
        slice->object.namespace = strdup("shop");
        slice->object.name = strdup("web-1");
        slice->service = strdup("web");
        slice->ports = calloc(1, sizeof(*slice->ports));
        slice->ports[0].name = strdup("http");
        slice->n_ports = 1;
        slice->endpoints = calloc(2, sizeof(*slice->endpoints));
        slice->n_endpoints = 2;
        endpoint_slice_unref(endpoint_slice_ref(slice));
        assert_int_equal(object_list_append(&model.endpoint_slices, &slice->object), 0);
}

static void names_are_spelled_as_kubernetes_does(void **state)
{
        (void)state;
        assert_string_equal(protocol_name(PROTOCOL_TCP), "TCP");
        assert_string_equal(protocol_name(PROTOCOL_UDP), "UDP");
        assert_string_equal(protocol_name(PROTOCOL_SCTP), "SCTP");
        for (unsigned int i = 0; i < ANNOTATION_COUNT; i++)
                assert_memory_equal(annotation_key(i), "coracle.lb/", strlen("coracle.lb/"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(list_sorts_by_namespace_then_name),
            cmocka_unit_test(of_several_with_one_name_the_last_stays),
            cmocka_unit_test(put_inserts_in_order_and_replaces),
            cmocka_unit_test(list_that_grew_by_put_still_sorts),
            cmocka_unit_test(remove_tells_whether_it_was_there),
            cmocka_unit_test(object_lives_as_long_as_its_last_reference),
            cmocka_unit_test(slice_is_freed_with_all_it_holds),
            cmocka_unit_test(names_are_spelled_as_kubernetes_does),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
