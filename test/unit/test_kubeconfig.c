#include "core/kubeconfig.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define HEAD                                                   \
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\n" \
        "contexts:\n"                                          \
        "- {name: other, context: {cluster: x, user: y}}\n"    \
        "- {name: lab, context: {cluster: c, user: u, namespace: default}}\n"
#define CLUSTER(text) "clusters:\n- {name: x}\n- {name: c, cluster: {" text "}}\n"
#define USER(text) "users:\n- {name: u, user: {" text "}}\n"
#define SERVER "server: 'https://192.0.2.1:6443'"

static int parse(const char *text, struct kubeconfig *config, struct error *error)
{
        return kubeconfig_parse("kubeconfig", text, strlen(text), config, error);
}

static void current_context_names_server_and_files(void **state)
{
        _cleanup_kubeconfig_ struct kubeconfig config = {0};
        struct error error;

        (void)state;
        assert_int_equal(parse(HEAD CLUSTER(SERVER ", certificate-authority: ca.crt") USER(
                                   "client-certificate: me.crt, client-key: /etc/me.key, tokenFile: token"),
                               &config, &error),
                         0);
        assert_string_equal(config.server, "https://192.0.2.1:6443");
        assert_string_equal(config.ca_file, "ca.crt");
        assert_string_equal(config.certificate_file, "me.crt");
        assert_string_equal(config.key_file, "/etc/me.key");
        assert_string_equal(config.token_file, "token");
        assert_null(config.ca_data);
        assert_null(config.token);
}

static void data_wins_over_files_and_a_token_file_over_a_token(void **state)
{
        _cleanup_kubeconfig_ struct kubeconfig config = {0}, tokens = {0};
        struct error error;

        (void)state;
        assert_int_equal(
            parse(
                HEAD CLUSTER(SERVER ", certificate-authority: ca.crt, certificate-authority-data: Y2E=") USER(
                    "client-certificate-data: Y2VydA==, client-key-data: a2V5, token: secret, exec: null"),
                &config, &error),
            0);
        assert_null(config.ca_file);
        assert_string_equal(config.ca_data, "ca");
        assert_string_equal(config.certificate_data, "cert");
        assert_string_equal(config.key_data, "key");
        assert_string_equal(config.token, "secret");
        assert_int_equal(
            parse(HEAD CLUSTER(SERVER) USER("token: secret, tokenFile: /run/token"), &tokens, &error), 0);
        assert_null(tokens.token);
        assert_string_equal(tokens.token_file, "/run/token");
}

static void what_cannot_be_done_is_refused_and_not_ignored(void **state)
{
        static const char *const bad[][2] = {
            {"", "must hold one YAML document"},
            {"- a\n", "must be a mapping"},
            {"a: 1\n", "there is no current-context"},
            {"current-context: lab\n", "there is no context \"lab\""},
            {HEAD, "there is no cluster \"c\""},
            {HEAD CLUSTER("") USER(""), "cluster has no server"},
            {HEAD CLUSTER("server: 7") USER(""), "server"},
            {HEAD CLUSTER(SERVER), "there is no user \"u\""},
            {HEAD CLUSTER(SERVER ", insecure-skip-tls-verify: true") USER(""),
             "insecure-skip-tls-verify is refused"},
            {HEAD CLUSTER(SERVER ", tls-server-name: a") USER(""), "tls-server-name is not supported"},
            {HEAD CLUSTER(SERVER ", proxy-url: 'http://a'") USER(""), "proxy-url is not supported"},
            {HEAD CLUSTER(SERVER ", certificate-authority-data: '***'") USER(""), "is no base64 of a text"},
            {HEAD CLUSTER(SERVER) USER("exec: {command: aws}"), "exec plugins are not run by a daemon"},
            {HEAD CLUSTER(SERVER) USER("auth-provider: {name: oidc}"), "auth-provider plugins are not run"},
            {HEAD CLUSTER(SERVER) USER("username: me, password: hunter2"), "username and password are not"},
            {HEAD CLUSTER(SERVER) USER("as: root"), "as (impersonation) is not supported"},
            {HEAD CLUSTER(SERVER) USER("client-key: me.key"), "only of use together"},
            {HEAD CLUSTER(SERVER) USER("token: [secret]"), "token"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                struct kubeconfig config = {0};
                struct error error;

                assert_int_equal(parse(bad[i][0], &config, &error), -EINVAL);
                if (!strstr(error.what, bad[i][1]))
                        fail_msg("\"%s\" does not say \"%s\"", error.what, bad[i][1]);
                assert_memory_equal(error.where, "kubeconfig", 10);
                assert_null(strstr(error.what, "secret"));
                assert_null(strstr(error.what, "hunter2"));
                assert_null(config.server);
        }
}

static void false_is_as_good_as_absent(void **state)
{
        _cleanup_kubeconfig_ struct kubeconfig config = {0};
        struct error error;

        (void)state;
        assert_int_equal(parse(HEAD CLUSTER(SERVER ", insecure-skip-tls-verify: false, extensions: []")
                                   USER("username: '', unknown: 1"),
                               &config, &error),
                         0);
}

static void base64_is_read_strictly(void **state)
{
        static const char *const good[][2] = {{"", ""},
                                              {"Zg==", "f"},
                                              {"Zm8=", "fo"},
                                              {"Zm9v", "foo"},
                                              {"Zm9vYg==", "foob"},
                                              {" Zm9v\nYmE= ", "fooba"},
                                              {"/+8=", "\xff\xef"}};
        static const char *const bad[] = {"Z",    "Zg",   "Zg=",   "Zm9",     "Zg===", "=",   "Zg==Zg==",
                                          "Zh==", "Zm9=", "Zm9v=", "Zm\x01v", "AA==",  "Z-_v"};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(base64_decode(good[i][0], &text), 0);
                assert_string_equal(text, good[i][1]);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                char *text = NULL;

                assert_int_equal(base64_decode(bad[i], &text), -EINVAL);
                assert_null(text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(current_context_names_server_and_files),
            cmocka_unit_test(data_wins_over_files_and_a_token_file_over_a_token),
            cmocka_unit_test(what_cannot_be_done_is_refused_and_not_ignored),
            cmocka_unit_test(false_is_as_good_as_absent),
            cmocka_unit_test(base64_is_read_strictly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
