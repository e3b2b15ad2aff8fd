#include "io/kube_config.h"

#include "base/strbuf.h"
#include "base/fileio.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int in_cluster(const char *host, const char *port, struct kube_config *config)
{
        struct error error = {{0}, {0}};

        if (host)
                assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", host, 1), 0);
        else
                assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
        if (port)
                assert_int_equal(setenv("KUBERNETES_SERVICE_PORT", port, 1), 0);
        else
                assert_int_equal(unsetenv("KUBERNETES_SERVICE_PORT"), 0);
        return kube_config_in_cluster(NULL, config, &error);
}

static void pod_finds_the_api_in_its_environment(void **state)
{
        static const char *const cases[][3] = {
            {"10.96.0.1", "443", "https://10.96.0.1:443"},
            {"fd00:96::1", "6443", "https://[fd00:96::1]:6443"},
            {"kubernetes.default.svc", "443", "https://kubernetes.default.svc:443"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_kube_config_ struct kube_config config = {0};

                assert_int_equal(in_cluster(cases[i][0], cases[i][1], &config), 0);
                assert_string_equal(config.server, cases[i][2]);
                assert_string_equal(config.token_file, KUBE_SERVICE_ACCOUNT_DIR "/token");
                assert_string_equal(config.ca_file, KUBE_SERVICE_ACCOUNT_DIR "/ca.crt");
        }
}

static void environment_without_an_api_is_an_error(void **state)
{
        static const char *const cases[][2] = {
            {NULL, "443"},       {"10.96.0.1", NULL},    {"", ""},
            {"10.96.0.1", "0"},  {"10.96.0.1", "65536"}, {"10.96.0.1", "443x"},
            {"a b", "443"},      {"host/path", "443"},   {"user@host", "443"},
            {"host:443", "443"}, {"[fd00::1]", "443"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                struct kube_config config = {0};

                assert_true(in_cluster(cases[i][0], cases[i][1], &config) < 0);
                assert_null(config.server);
        }
}

static void operator_names_server_and_files(void **state)
{
        _cleanup_kube_config_ struct kube_config config = {0}, plain = {0};
        struct error error;

        (void)state;
        assert_int_equal(kube_config_explicit("https://[fd00::1]:6443/", "t", "c", &config, &error), 0);
        assert_string_equal(config.server, "https://[fd00::1]:6443");
        assert_string_equal(config.token_file, "t");
        assert_string_equal(config.ca_file, "c");
        assert_int_equal(kube_config_explicit("http://127.0.0.1:8001", NULL, NULL, &plain, &error), 0);
        assert_null(plain.token_file);
}

static void server_that_is_no_origin_is_refused(void **state)
{
        static const char *const servers[] = {
            "",          "10.0.0.1:6443",      "ftp://host",       "https://",
            "https:///", "https://host/path/", "https://u:p@host", "https://host?x",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
                struct kube_config config = {0};
                struct error error;

                if (kube_config_explicit(servers[i], NULL, NULL, &config, &error) == 0)
                        fail_msg("taken: %s", servers[i]);
        }
}

static void token_is_not_sent_in_the_clear(void **state)
{
        struct kube_config config = {0};
        struct error error;

        (void)state;
        assert_true(kube_config_explicit("http://10.0.0.1", "t", NULL, &config, &error) < 0);
}

static void expect_namespace(const char *directory, const char *expected)
{
        _cleanup_free_ char *namespace = NULL;
        struct error error;

        assert_int_equal(kube_config_namespace(directory, &namespace, &error), 0);
        assert_string_equal(namespace, expected);
}

static void service_account_that_names_no_namespace_is_in_default(void **state)
{
        char directory[] = "/tmp/coracle-test.XXXXXX", path[64];
        struct error error;

        (void)state;
        assert_non_null(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/namespace", directory);
        expect_namespace(directory, "default");
        assert_int_equal(file_write_new(path, "", 0, 0600, &error), 0);
        assert_int_equal(file_replace(path, &error), 0);
        expect_namespace(directory, "default");
        assert_int_equal(file_write_new(path, "lb", 2, 0600, &error), 0);
        assert_int_equal(file_replace(path, &error), 0);
        expect_namespace(directory, "lb");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(directory), 0);
}

static void write_kubeconfig(const char *path, const char *server, const char *user)
{
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_true(
            fprintf(file,
                    "current-context: a\n"
                    "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
                    "clusters: [{name: a, cluster: {server: \"%s\", certificate-authority: ca.crt}}]\n"
                    "users: [{name: a, user: {%s}}]\n",
                    server, user) > 0);
        assert_int_equal(fclose(file), 0);
}

static void expect_content(const char *path, const char *content)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        assert_int_equal(file_read(path, 1000, &text, &error), 0);
        assert_string_equal(text.text, content);
}

static void kubeconfig_with_data_keeps_it_in_memory(void **state)
{
        char directory[] = "/tmp/coracle-test.XXXXXX", path[64], ca_path[64], kept[64];
        struct kube_config config = {0};
        struct error error;

        (void)state;
        assert_non_null(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/config", directory);
        (void)snprintf(ca_path, sizeof(ca_path), "%s/ca.crt", directory);
        write_kubeconfig(path, "https://192.0.2.1:6443/",
                         "client-certificate-data: Y2VydA==, client-key-data: a2V5, token: secret");
        assert_int_equal(kube_config_from_file(path, &config, &error), 0);
        assert_string_equal(config.server, "https://192.0.2.1:6443");
        assert_string_equal(config.ca_file, ca_path);
        for (int i = 0; i < 2; i++) { /* each time from its beginning */
                expect_content(config.certificate_file, "cert");
                expect_content(config.key_file, "key");
                expect_content(config.token_file, "secret");
        }
        (void)snprintf(kept, sizeof(kept), "%s", config.key_file);
        kube_config_clear(&config);
        assert_int_equal(access(kept, F_OK), -1);

        write_kubeconfig(path, "http://192.0.2.1", "token: secret");
        assert_true(kube_config_from_file(path, &config, &error) < 0);
        assert_non_null(strstr(error.what, "only sent by https"));
        assert_int_equal(unlink(path), 0);
        assert_true(kube_config_from_file(path, &config, &error) < 0);
        assert_null(config.server);
        assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(pod_finds_the_api_in_its_environment),
            cmocka_unit_test(environment_without_an_api_is_an_error),
            cmocka_unit_test(operator_names_server_and_files),
            cmocka_unit_test(server_that_is_no_origin_is_refused),
            cmocka_unit_test(token_is_not_sent_in_the_clear),
            cmocka_unit_test(service_account_that_names_no_namespace_is_in_default),
            cmocka_unit_test(kubeconfig_with_data_keeps_it_in_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
