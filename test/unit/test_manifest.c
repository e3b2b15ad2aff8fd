#include "core/manifest.h"

#include "unit.h"

#include <string.h>

static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        size_t *count = userdata;

        (void)kind;
        (void)namespace;
        (void)name;
        assert_true(error->what[0] != '\0');
        ++*count;
}

static int decode(const char *text, struct model *model, size_t *bad, struct error *error)
{
        return manifest_decode("objects.yaml", text, strlen(text), model, note_bad, bad, error);
}

static void documents_of_a_yaml_file_are_all_read(void **state)
{
        _cleanup_model_ struct model model = {0};
        struct error error = {{0}, {0}};
        size_t bad = 0;

        (void)state;
        assert_int_equal(decode("# of the shop\n"
                                "apiVersion: v1\n"
                                "kind: Service\n"
                                "metadata: {name: web, namespace: shop}\n"
                                "spec: {type: LoadBalancer, ports: [{port: 80}]}\n"
                                "---\n"
                                "---\n"
                                "apiVersion: apps/v1\n"
                                "kind: Deployment\n"
                                "---\n"
                                "apiVersion: v1\n"
                                "kind: Service\n"
                                "metadata: {name: bad}\n"
                                "spec: {ports: [{port: '80'}]}\n"
                                "---\n"
                                "apiVersion: discovery.k8s.io/v1\n"
                                "kind: EndpointSlice\n"
                                "metadata:\n"
                                "  name: web-1\n"
                                "  labels: {kubernetes.io/service-name: web}\n"
                                "addressType: IPv4\n"
                                "endpoints: [{addresses: [10.0.0.1]}]\n"
                                "ports: [{name: '', port: 8080}]\n",
                                &model, &bad, &error),
                         0);
        assert_int_equal(model.services.count, 1);
        assert_int_equal(model.endpoint_slices.count, 1);
        assert_int_equal(bad, 1);
}

static void json_is_told_by_its_brace(void **state)
{
        _cleanup_model_ struct model model = {0};
        struct error error = {{0}, {0}};
        size_t bad = 0;

        (void)state;
        assert_int_equal(decode(" \n{\"apiVersion\":\"v1\",\"kind\":\"ServiceList\",\"items\":"
                                "[{\"metadata\":{\"name\":\"web\"}}]}\n",
                                &model, &bad, &error),
                         0);
        assert_int_equal(model.services.count, 1);
}

static void json_with_a_nul_in_a_text_of_no_concern_is_read(void **state)
{
        _cleanup_model_ struct model model = {0};
        struct error error = {{0}, {0}};
        size_t bad = 0;

        (void)state;
        assert_int_equal(decode("{\"apiVersion\":\"v1\",\"kind\":\"ServiceList\",\"items\":["
                                "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"x\":\"\\u0000\"}}},"
                                "{\"metadata\":{\"name\":\"b\"}}]}",
                                &model, &bad, &error),
                         0);
        assert_int_equal(model.services.count, 2);
        assert_int_equal(bad, 0);
}

static void file_without_content_holds_no_objects(void **state)
{
        static const char *const texts[] = {"", "\n", "---\n", "# nothing\n", "---\n---\n"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                _cleanup_model_ struct model model = {0};
                struct error error = {{0}, {0}};
                size_t bad = 0;

                assert_int_equal(decode(texts[i], &model, &bad, &error), 0);
                assert_int_equal(model.services.count, 0);
        }
}

static void error_names_file_and_line(void **state)
{
        static const struct {
                const char *text, *where;
        } cases[] = {
            {"{\"kind\":\n\"Service\",\n", "objects.yaml:3"},
            {"kind: List\napiVersion: v1\n---\nname: web\n", "objects.yaml:4"},
            {"kind: [\n", "objects.yaml:2"},
            {"{\"kind\":\"Service\"}", "objects.yaml"},
            {"{\"a\":1,\"a\":2}", "objects.yaml:1"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_model_ struct model model = {0};
                struct error error = {{0}, {0}};
                size_t bad = 0;

                assert_true(decode(cases[i].text, &model, &bad, &error) < 0);
                assert_string_equal(error.where, cases[i].where);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(documents_of_a_yaml_file_are_all_read),
            cmocka_unit_test(json_is_told_by_its_brace),
            cmocka_unit_test(json_with_a_nul_in_a_text_of_no_concern_is_read),
            cmocka_unit_test(file_without_content_holds_no_objects),
            cmocka_unit_test(error_names_file_and_line),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
