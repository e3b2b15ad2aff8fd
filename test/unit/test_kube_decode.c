#include "core/kube_decode.h"
#include "core/kube_meta.h"

#include "unit.h"

#include <string.h>

/* JSON in a C string stays legible with single quotes. */
static json_t *parse(const char *text)
{
        char *copy = strdup(text);
        json_error_t reason;
        json_t *json;

        assert_non_null(copy);
        for (char *c = copy; *c; c++)
                if (*c == '\'')
                        *c = '"';
        json = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, &reason);
        if (!json)
                fail_msg("%s: %s", copy, reason.text);
        free(copy);
        return json;
}

static struct object *decode(enum kube_kind kind, const char *text)
{
        _cleanup_json_ json_t *json = parse(text);
        struct object *object = NULL;
        struct error error = {{0}, {0}};

        if (kube_decode_object(kind, json, &object, &error) < 0)
                fail_msg("%s: %s", error.where, error.what);
        assert_int_equal(object->references, 1);
        return object;
}

static struct service *decode_service(const char *text)
{
        return object_service(decode(KUBE_KIND_SERVICE, text));
}

static struct endpoint_slice *decode_slice(const char *text)
{
        return object_endpoint_slice(decode(KUBE_KIND_ENDPOINT_SLICE, text));
}

static void refuse(enum kube_kind kind, const char *text, const char *where, const char *what)
{
        _cleanup_json_ json_t *json = parse(text);
        struct object *object = NULL;
        struct error error = {{0}, {0}};

        assert_true(kube_decode_object(kind, json, &object, &error) < 0);
        assert_null(object);
        assert_string_equal(error.where, where);
        if (!strstr(error.what, what))
                fail_msg("\"%s\" does not hold \"%s\"", error.what, what);
}

static void assert_addr(const struct addr *addr, const char *text)
{
        char buffer[ADDR_TEXT_SIZE];

        assert_string_equal(addr_format(addr, buffer), text);
}

#define META "'metadata':{'namespace':'shop','name':'web'}"

static void service_with_everything_is_decoded(void **state)
{
        _cleanup_(service_unref_p) struct service *service = decode_service(
            "{'metadata':{'namespace':'shop','name':'web','annotations':{'coracle.lb/scheduler':'wrr',"
            "'coracle.lb/health-check':'http:/"
            "x','other':3}},'spec':{'type':'LoadBalancer','loadBalancerClass':"
            "'coracle.lb/ecmp','loadBalancerIP':'10.1.1.9','ipFamilies':['IPv6','IPv4'],'sessionAffinity':"
            "'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':60}},'ports':[{'name':'http',"
            "'port':80},{'name':'dns','port':53,'protocol':'UDP','targetPort':'x','new':{}},{'name':'s',"
            "'port':65535,'protocol':'SCTP'}],'unknown':[]},'status':{'loadBalancer':{'ingress':"
            "[{'ip':'10.1.1.1','ipMode':'Proxy'},{'hostname':'lb.example.net'},{'ip':'fd00::1'}]}}}");

        (void)state;
        assert_string_equal(service->object.namespace, "shop");
        assert_string_equal(service->object.name, "web");
        assert_true(service->is_load_balancer && service->ipv4 && service->ipv6);
        assert_string_equal(service->load_balancer_class, "coracle.lb/ecmp");
        assert_string_equal(service->load_balancer_ip, "10.1.1.9");
        assert_string_equal(service->annotations[ANNOTATION_SCHEDULER], "wrr");
        assert_string_equal(service->annotations[ANNOTATION_HEALTH_CHECK], "http:/x");
        assert_null(service->annotations[ANNOTATION_FORWARDING]);
        assert_int_equal(service->affinity_timeout_s, 60);
        assert_int_equal(service->n_status_addrs, 2);
        assert_addr(&service->status_addrs[0], "10.1.1.1");
        assert_addr(&service->status_addrs[1], "fd00::1");
        assert_false(service->other_mode);
        assert_int_equal(service->n_ports, 3);
        assert_int_equal(service->ports[0].protocol, PROTOCOL_TCP);
        assert_string_equal(service->ports[1].name, "dns");
        assert_int_equal(service->ports[1].port, 53);
        assert_int_equal(service->ports[1].protocol, PROTOCOL_UDP);
        assert_int_equal(service->ports[2].port, 65535);
        assert_int_equal(service->ports[2].protocol, PROTOCOL_SCTP);
}

static void service_with_nothing_but_a_name_has_defaults(void **state)
{
        static const char *const texts[] = {
            "{'metadata':{'name':'web'}}",
            "{'metadata':{'name':'web','namespace':null,'annotations':null},'spec':null,'status':null}",
            "{'metadata':{'name':'web'},'spec':{'ports':null,'type':null,'ipFamilies':null,'sessionAffinity':"
            "'None','loadBalancerClass':null},'status':{'loadBalancer':{}}}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                _cleanup_(service_unref_p) struct service *service = decode_service(texts[i]);

                assert_string_equal(service->object.namespace, "default");
                assert_false(service->is_load_balancer);
                assert_null(service->load_balancer_class);
                assert_null(service->load_balancer_ip);
                assert_int_equal(service->n_ports, 0);
                assert_int_equal(service->n_status_addrs, 0);
                assert_int_equal(service->affinity_timeout_s, 0);
                assert_true(service->ipv4);
                assert_false(service->ipv6);
        }
}

static void source_ranges_are_masked_and_a_bad_one_is_told(void **state)
{
        _cleanup_(service_unref_p) struct service *service = decode_service(
            "{" META ",'spec':{'loadBalancerSourceRanges':[' 10.1.2.3/8 ','fd00::/16','10.0.0.0',"
            "'0010.0.0.0/8','10.0.0.0/33',7,'']}}");
        char text[PREFIX_TEXT_SIZE];

        (void)state;
        assert_int_equal(service->n_source_ranges, 2);
        assert_string_equal(prefix_format(&service->source_ranges[0], text), "10.0.0.0/8");
        assert_string_equal(prefix_format(&service->source_ranges[1], text), "fd00::/16");
        assert_int_equal(service->bad_source_range, 3);
}

static void traffic_policy_and_unready_addresses_are_noted(void **state)
{
        _cleanup_(service_unref_p) struct service *service = decode_service(
            "{" META ",'spec':{'externalTrafficPolicy':'Local','publishNotReadyAddresses':true}}");
        _cleanup_(service_unref_p) struct service *plain =
            decode_service("{" META ",'spec':{'externalTrafficPolicy':'Cluster'}}");

        (void)state;
        assert_true(service->local_traffic);
        assert_true(service->not_ready_addresses);
        assert_false(plain->local_traffic);
        assert_false(plain->not_ready_addresses);
        assert_int_equal(plain->bad_source_range, 0);
}

static void client_ip_affinity_without_timeout_lasts_three_hours(void **state)
{
        _cleanup_(service_unref_p) struct service *service =
            decode_service("{" META ",'spec':{'sessionAffinity':'ClientIP'}}");

        (void)state;
        assert_int_equal(service->affinity_timeout_s, 10800);
}

static void service_with_a_member_of_a_wrong_type_is_refused_by_name(void **state)
{
        static const char *const cases[][2] = {
            {"{" META ",'spec':[]}", "spec must be an object"},
            {"{" META ",'spec':{'type':1}}", "type must be a string"},
            {"{" META ",'spec':{'loadBalancerIP':[]}}", "loadBalancerIP must be a string"},
            {"{" META ",'spec':{'loadBalancerClass':'a\\u0000b'}}", "NUL"},
            {"{" META ",'spec':{'loadBalancerSourceRanges':'10.0.0.0/8'}}", "must be an array"},
            {"{" META ",'spec':{'externalTrafficPolicy':1}}", "externalTrafficPolicy must be a string"},
            {"{" META ",'spec':{'publishNotReadyAddresses':1}}", "publishNotReadyAddresses must be"},
            {"{" META ",'spec':{'ports':{}}}", "ports must be an array"},
            {"{" META ",'spec':{'ports':[null]}}", "ports[0].must be an object"},
            {"{" META ",'spec':{'ports':[{'port':80},{'port':'80'}]}}", "ports[1].port must be a whole"},
            {"{" META ",'spec':{'ports':[{'port':0}]}}", "ports[0].port must be from 1 to 65535, not 0"},
            {"{" META ",'spec':{'ports':[{'port':65536}]}}", "from 1 to 65535"},
            {"{" META ",'spec':{'ports':[{'port':-1}]}}", "from 1 to 65535"},
            {"{" META ",'spec':{'ports':[{'port':80.5}]}}", "whole number"},
            {"{" META ",'spec':{'ports':[{'name':'http'}]}}", "port is missing"},
            {"{" META ",'spec':{'ports':[{'port':80,'protocol':'QUIC'}]}}", "protocol must be"},
            {"{" META ",'spec':{'ports':[{'port':80,'name':'a\\nb'}]}}", "name is not valid"},
            {"{" META ",'spec':{'ipFamilies':['IPv5']}}", "ipFamilies[0]"},
            {"{" META ",'spec':{'ipFamilies':[4]}}", "ipFamilies[0]"},
            {"{" META ",'spec':{'sessionAffinity':'Cookie'}}", "sessionAffinity"},
            {"{" META ",'spec':{'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':"
             "{'timeoutSeconds':0}}}}",
             "timeoutSeconds"},
            {"{" META ",'status':{'loadBalancer':{'ingress':[{'ip':'web'}]}}}", "no IP address"},
            {"{" META ",'status':{'loadBalancer':{'ingress':[{'ip':1}]}}}", "ingress[0].ip must be a string"},
            {"{" META ",'status':{'loadBalancer':{'ingress':['10.1.1.1']}}}", "ingress[0]"},
            {"{" META ",'status':{'loadBalancer':{'ingress':[{'ip':'10.1.1.1','ipMode':1}]}}}",
             "ingress[0].ipMode must be a string"},
            {"{'metadata':{'namespace':'shop','name':'web','annotations':{'coracle.lb/scheduler':1}}}",
             "coracle.lb/scheduler must be a string"},
            {"{'metadata':{'namespace':'shop','name':'web','annotations':[]}}", "annotations"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                refuse(KUBE_KIND_SERVICE, cases[i][0], "Service shop/web", cases[i][1]);
}

static void name_that_could_inject_text_is_refused(void **state)
{
        static const char *const names[] = {"a\\nb", "a\\\"b",    "a b",         "a/b", "..",
                                            "a..b",  "-a",        "a-",          ".a",  "",
                                            "Web",   "w\\u00e9b", "web\\u0000x", "a{b"};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                char text[256];
                struct error error;
                struct object *object = NULL;
                const char *namespace, *name;

                (void)snprintf(text, sizeof(text), "{'metadata':{'namespace':'shop','name':'%s'}}", names[i]);
                _cleanup_json_ json_t *json = parse(text);
                assert_true(kube_decode_name(json, &namespace, &name) < 0);
                for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                        assert_true(kube_decode_object(kind, json, &object, &error) < 0);
                assert_null(strchr(error.where, '\n'));
                (void)snprintf(text, sizeof(text), "{'metadata':{'name':'web','namespace':'%s'}}", names[i]);
                _cleanup_json_ json_t *other = parse(text);
                assert_true(kube_decode_object(KUBE_KIND_SERVICE, other, &object, &error) < 0);
        }
}

static void name_longer_than_dns_allows_is_refused(void **state)
{
        char text[400];

        (void)state;
        (void)snprintf(text, sizeof(text), "{'metadata':{'name':'%0253d'}}", 0);
        service_unref(decode_service(text));
        (void)snprintf(text, sizeof(text), "{'metadata':{'name':'%0254d'}}", 0);
        _cleanup_json_ json_t *json = parse(text);
        struct object *object = NULL;
        struct error error = {{0}, {0}};
        assert_true(kube_decode_object(KUBE_KIND_SERVICE, json, &object, &error) < 0);
}

static void what_is_no_object_is_refused(void **state)
{
        static const char *const texts[] = {
            "null", "1", "'x'", "[]", "{}", "{'metadata':[]}", "{'metadata':{'name':1}}"};

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
                refuse(KUBE_KIND_ENDPOINT_SLICE, texts[i], "EndpointSlice default/?", "name");
}

#define SLICE_HEAD \
        "{'metadata':{'namespace':'shop','name':'web-1','labels':{'kubernetes.io/service-name':'web'}},"

static void endpoint_states_follow_their_conditions(void **state)
{
        static const uint8_t expected[] = {ENDPOINT_READY,    ENDPOINT_READY,    ENDPOINT_READY,
                                           ENDPOINT_DRAINING, ENDPOINT_DOWN,     ENDPOINT_DOWN,
                                           ENDPOINT_READY,    ENDPOINT_DRAINING, ENDPOINT_DOWN};
        _cleanup_(endpoint_slice_unref_p) struct endpoint_slice *slice = decode_slice(
            SLICE_HEAD
            "'addressType':'IPv4','endpoints':["
            "{'addresses':['10.0.0.1','10.9.9.9']},"
            "{'addresses':['10.0.0.2'],'conditions':null},"
            "{'addresses':['10.0.0.3'],'conditions':{'ready':null}},"
            "{'addresses':['10.0.0.4'],'conditions':{'ready':false,'serving':true,'terminating':true}},"
            "{'addresses':['10.0.0.5'],'conditions':{'ready':false,'serving':false,'terminating':true}},"
            "{'addresses':['10.0.0.6'],'conditions':{'ready':false}},"
            "{'addresses':['10.0.0.7'],'conditions':{'ready':true,'serving':true,'terminating':true}},"
            "{'addresses':['10.0.0.8'],'conditions':{'ready':false,'terminating':true}},"
            "{'addresses':['10.0.0.9'],'conditions':{'ready':false,'serving':true}}"
            "],'ports':[{'name':'http','port':8080,'protocol':'TCP'}]}");

        (void)state;
        assert_string_equal(slice->service, "web");
        assert_int_equal(slice->family, AF_INET);
        assert_int_equal(slice->n_endpoints, sizeof(expected));
        for (size_t i = 0; i < sizeof(expected); i++)
                assert_int_equal(slice->endpoints[i].state, expected[i]);
        assert_addr(&slice->endpoints[0].addr, "10.0.0.1");
        assert_int_equal(slice->n_ports, 1);
        assert_int_equal(slice->ports[0].port, 8080);
}

static void slice_without_endpoints_ports_or_label_is_empty(void **state)
{
        static const char *const texts[] = {
            "{'metadata':{'name':'web-1'},'addressType':'IPv6'}",
            "{'metadata':{'name':'web-1','labels':null},'addressType':'IPv6','endpoints':null,'ports':null}",
            "{'metadata':{'name':'web-1','labels':{}},'addressType':'IPv6','endpoints':[],'ports':[]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                _cleanup_(endpoint_slice_unref_p) struct endpoint_slice *slice = decode_slice(texts[i]);

                assert_null(slice->service);
                assert_int_equal(slice->family, AF_INET6);
                assert_int_equal(slice->n_endpoints, 0);
                assert_int_equal(slice->n_ports, 0);
        }
}

static void slice_port_without_number_is_left_out(void **state)
{
        _cleanup_(endpoint_slice_unref_p) struct endpoint_slice *slice = decode_slice(
            SLICE_HEAD "'addressType':'IPv6','ports':[{'name':'all','port':null},{'port':53,'protocol':'UDP',"
                       "'name':null}],'endpoints':[{'addresses':['fd00::a']}]}");

        (void)state;
        assert_int_equal(slice->n_ports, 1);
        assert_string_equal(slice->ports[0].name, "");
        assert_int_equal(slice->ports[0].port, 53);
        assert_int_equal(slice->ports[0].protocol, PROTOCOL_UDP);
        assert_addr(&slice->endpoints[0].addr, "fd00::a");
}

static void slice_of_host_names_has_no_family_and_no_endpoints(void **state)
{
        static const char *const types[] = {"'FQDN'", "'IPv9'", "null"};

        (void)state;
        for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
                char text[256];

                (void)snprintf(text, sizeof(text),
                               SLICE_HEAD "'addressType':%s,'endpoints':[{'addresses':['example.net']}]}",
                               types[i]);
                _cleanup_(endpoint_slice_unref_p) struct endpoint_slice *slice = decode_slice(text);
                assert_int_equal(slice->family, AF_UNSPEC);
                assert_int_equal(slice->n_endpoints, 0);
        }
}

static void slice_with_a_bad_endpoint_is_refused_by_name(void **state)
{
        static const char *const cases[][2] = {
            {"'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1']},{'addresses':['web']}]}",
             "endpoints[1].addresses[0] is no IP address: \"web\""},
            {"'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1\\n}']}]}", "addresses[0] is no IP"},
            {"'addressType':'IPv4','endpoints':[{'addresses':['fd00::1']}]}", "addressType"},
            {"'addressType':'IPv4','endpoints':[{'addresses':[]}]}", "addresses[0]"},
            {"'addressType':'IPv4','endpoints':[{'addresses':'10.0.0.1'}]}", "addresses must be an array"},
            {"'addressType':'IPv4','endpoints':[{'addresses':[1]}]}", "addresses[0]"},
            {"'addressType':'IPv4','endpoints':[7]}", "addresses[0]"},
            {"'addressType':'IPv4','endpoints':'x'}", "endpoints must be an array"},
            {"'addressType':4}", "addressType must be a string"},
            {"'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'conditions':{'ready':'yes'}}]}",
             "endpoints[0].ready must be true or false"},
            {"'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'conditions':{'ready':false,"
             "'serving':1}}]}",
             "serving"},
            {"'addressType':'IPv4','ports':[{'port':70000}]}", "ports[0].port must be from 1 to 65535"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char text[512];

                (void)snprintf(text, sizeof(text), SLICE_HEAD "%s", cases[i][0]);
                refuse(KUBE_KIND_ENDPOINT_SLICE, text, "EndpointSlice shop/web-1", cases[i][1]);
        }
        refuse(
            KUBE_KIND_ENDPOINT_SLICE,
            "{'metadata':{'namespace':'shop','name':'web-1','labels':{'kubernetes.io/service-name':'a b'}}}",
            "EndpointSlice shop/web-1", "label value");
        refuse(KUBE_KIND_ENDPOINT_SLICE, "{'metadata':{'namespace':'shop','name':'web-1','labels':7}}",
               "EndpointSlice shop/web-1", "labels must be an object");
}

struct bad {
        size_t count;
        char names[4][64];
};

static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        struct bad *bad = userdata;

        assert_true(bad->count < 4);
        assert_true(error->what[0] != '\0');
        (void)snprintf(bad->names[bad->count++], sizeof(bad->names[0]), "%s %s/%s", kube_kind_name(kind),
                       namespace ? namespace : "-", name ? name : "-");
}

static void lists_are_decoded_and_bad_objects_passed_over(void **state)
{
        static const char text[] =
            "{'kind':'List','apiVersion':'v1','items':["
            "{'kind':'Service','apiVersion':'v1','metadata':{'name':'c'}},"
            "{'kind':'ServiceList','apiVersion':'v1','items':[{'metadata':{'name':'b','namespace':'x'}},"
            "{'metadata':{'name':'bad','namespace':'x'},'spec':7},{'metadata':{}}]},"
            "{'kind':'Deployment','apiVersion':'apps/v1'},"
            "{'kind':'Service','apiVersion':'serving.knative.dev/v1','metadata':{'name':'k'},'spec':7},"
            "{'kind':'List','apiVersion':'v1','items':[{'kind':'EndpointSlice','apiVersion':'discovery.k8s."
            "io/v1',"
            "'metadata':{'name':'s'},'addressType':'IPv4'}]},"
            "{'kind':'EndpointSliceList','apiVersion':'discovery.k8s.io/v1','items':null}]}";
        _cleanup_json_ json_t *json = parse(text);
        _cleanup_model_ struct model model = {0};
        struct bad bad = {0};
        struct error error;

        (void)state;
        assert_int_equal(kube_decode_any(json, &model, note_bad, &bad, &error), 0);
        assert_int_equal(model.services.count, 2);
        assert_int_equal(model.endpoint_slices.count, 1);
        assert_int_equal(bad.count, 2);
        assert_string_equal(bad.names[0], "Service x/bad");
        assert_string_equal(bad.names[1], "Service -/-");
}

static void what_is_no_kubernetes_object_is_an_error(void **state)
{
        static const char *const texts[] = {
            "7",
            "{}",
            "[]",
            "{'kind':'Service'}",
            "{'kind':1,'apiVersion':'v1'}",
            "{'kind':'List','apiVersion':'v1','items':{}}",
            "{'kind':'ServiceList','apiVersion':'v1','items':'x'}",
            "{'kind':'List','apiVersion':'v1','items':[1]}",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                _cleanup_json_ json_t *json = parse(texts[i]);
                _cleanup_model_ struct model model = {0};
                struct bad bad = {0};
                struct error error = {{0}, {0}};

                assert_true(kube_decode_any(json, &model, note_bad, &bad, &error) < 0);
                assert_true(error.what[0] != '\0');
        }
}

static void lists_nested_without_end_are_an_error(void **state)
{
        _cleanup_json_ json_t *json = parse("{'kind':'List','apiVersion':'v1','items':[]}");
        _cleanup_model_ struct model model = {0};
        struct bad bad = {0};
        struct error error;

        (void)state;
        for (int i = 0; i < 20; i++)
                json = json_pack("{s:s,s:s,s:[o]}", "kind", "List", "apiVersion", "v1", "items", json);
        assert_true(kube_decode_any(json, &model, note_bad, &bad, &error) < 0);
}

static json_t *load_fixture(const char *name)
{
        char path[512];
        json_error_t reason;
        json_t *json;

        (void)snprintf(path, sizeof(path), "%s/kube-1.36/%s", TEST_FIXTURES, name);
        json = json_load_file(path, 0, &reason);
        if (!json)
                fail_msg("%s: %s", path, reason.text);
        return json;
}

static void versions_are_compared_as_numbers_of_any_length(void **state)
{
        (void)state;
        assert_true(kube_version_is_older("9", "10"));
        assert_true(kube_version_is_older("99", "100000000000000000000000000000000001"));
        assert_false(kube_version_is_older("10", "10"));
        assert_false(kube_version_is_older("11", "10"));
        /* What is no number cannot be compared. */
        assert_false(kube_version_is_older("", "10"));
        assert_false(kube_version_is_older("1", "a7"));
        assert_false(kube_version_is_older("09", "10"));
}

static void real_lists_decode_without_a_bad_object(void **state)
{
        static const char *const names[] = {"services.json", "endpointslices.json"};
        _cleanup_model_ struct model model = {0};
        struct bad bad = {0};
        struct error error;

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                _cleanup_json_ json_t *json = load_fixture(names[i]);

                assert_int_equal(kube_decode_any(json, &model, note_bad, &bad, &error), 0);
                assert_int_equal(model_list(&model, i)->count,
                                 json_array_size(json_object_get(json, "items")));
                object_list_sort(model_list(&model, i), kube_kind_unref(i));
        }
        assert_int_equal(bad.count, 0);

        struct service *web = object_service(object_list_find(&model.services, "shop", "web"));
        assert_non_null(web);
        assert_true(web->is_load_balancer);
        assert_string_equal(web->load_balancer_class, "coracle.lb/ecmp");
        assert_int_equal(web->n_ports, 2);
}

static void real_watch_events_decode_but_bookmarks_are_bare(void **state)
{
        char path[512];
        _cleanup_fclose_ FILE *file = NULL;
        _cleanup_free_ char *line = NULL;
        size_t size = 0, lines = 0;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/kube-1.36/watch-endpointslices.jsonl", TEST_FIXTURES);
        file = fopen(path, "r");
        assert_non_null(file);
        while (getline(&line, &size, file) > 0) {
                _cleanup_json_ json_t *json = json_loads(line, 0, NULL);
                const char *type = json_string_value(json_object_get(json, "type"));
                struct object *object = NULL;
                struct error error;

                assert_non_null(type);
                lines++;
                if (strcmp(type, "BOOKMARK") == 0)
                        continue;
                assert_int_equal(kube_decode_object(KUBE_KIND_ENDPOINT_SLICE, json_object_get(json, "object"),
                                                    &object, &error),
                                 0);
                endpoint_slice_object_unref(object);
        }
        assert_true(lines > 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(service_with_everything_is_decoded),
            cmocka_unit_test(service_with_nothing_but_a_name_has_defaults),
            cmocka_unit_test(source_ranges_are_masked_and_a_bad_one_is_told),
            cmocka_unit_test(traffic_policy_and_unready_addresses_are_noted),
            cmocka_unit_test(client_ip_affinity_without_timeout_lasts_three_hours),
            cmocka_unit_test(service_with_a_member_of_a_wrong_type_is_refused_by_name),
            cmocka_unit_test(name_that_could_inject_text_is_refused),
            cmocka_unit_test(name_longer_than_dns_allows_is_refused),
            cmocka_unit_test(what_is_no_object_is_refused),
            cmocka_unit_test(endpoint_states_follow_their_conditions),
            cmocka_unit_test(slice_without_endpoints_ports_or_label_is_empty),
            cmocka_unit_test(slice_port_without_number_is_left_out),
            cmocka_unit_test(slice_of_host_names_has_no_family_and_no_endpoints),
            cmocka_unit_test(slice_with_a_bad_endpoint_is_refused_by_name),
            cmocka_unit_test(lists_are_decoded_and_bad_objects_passed_over),
            cmocka_unit_test(what_is_no_kubernetes_object_is_an_error),
            cmocka_unit_test(lists_nested_without_end_are_an_error),
            cmocka_unit_test(versions_are_compared_as_numbers_of_any_length),
            cmocka_unit_test(real_lists_decode_without_a_bad_object),
            cmocka_unit_test(real_watch_events_decode_but_bookmarks_are_bare),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
