/* What it costs to turn a cluster's objects into keepalived's configuration, beside what jansson alone needs
 * for the same bytes. Prints a table; fails if the cost grows faster than the cluster, or is out of
 * proportion.
 *
 *   bench_render TEMPLATES-DIR [SERVICES…]          10 endpoints each
 */
#include "base/cleanup.h"
#include "core/kube_decode.h"
#include "core/manifest.h"
#include "io/files.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENDPOINTS 10
#define ROUNDS 7

static const char config_text[] = "pools: [{name: bench, prefixes: [10.0.0.0/8]}]\n"
                                  "bgp: {localAS: 65021, reflectors: [{address: 192.0.2.1, as: 65021}]}\n";

struct bench {
        struct config *config;
        struct template_set templates;
        struct strbuf services, slices; /* as the API would send them */
};

static double now_s(void)
{
        struct timespec t;

        /* The processor's time, not the wall's: the machine has other things to do as well. */
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct error *error)
{
        fprintf(stderr, "bench_render: %s: %s %s\n", what, error ? error->where : "",
                error ? error->what : "");
        exit(1);
}

/* Objects as a real API server sends them, metadata and all. */
static void add_service(struct strbuf *out, int i)
{
        if (strbuf_printf(out,
                          "%s{\"metadata\":{\"name\":\"service-%06d\",\"namespace\":\"bench\",\"uid\":"
                          "\"ea33c85d-66fa-41e6-8a1e-%012d\","
                          "\"resourceVersion\":\"%d\",\"creationTimestamp\":\"2026-11-23T00:15:27Z\","
                          "\"labels\":{\"app\":\"service-%06d\"},"
                          "\"managedFields\":[{\"manager\":\"kubectl\",\"operation\":\"Update\","
                          "\"apiVersion\":\"v1\",\"time\":"
                          "\"2026-11-23T00:15:27Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:spec\":{"
                          "\"f:ports\":{},\"f:selector\":{},"
                          "\"f:type\":{}}}}]},\"spec\":{\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\","
                          "\"port\":80,\"targetPort\":8080,"
                          "\"nodePort\":30080}],\"selector\":{\"app\":\"service-%06d\"},\"clusterIP\":\"10."
                          "96.0.1\",\"clusterIPs\":"
                          "[\"10.96.0.1\"],\"type\":\"LoadBalancer\",\"sessionAffinity\":\"None\","
                          "\"externalTrafficPolicy\":\"Cluster\","
                          "\"ipFamilies\":[\"IPv4\"],\"ipFamilyPolicy\":\"SingleStack\","
                          "\"loadBalancerClass\":\"coracle.lb/ecmp\","
                          "\"internalTrafficPolicy\":\"Cluster\"},\"status\":{\"loadBalancer\":{\"ingress\":["
                          "{\"ip\":\"10.%d.%d.%d\","
                          "\"ipMode\":\"Proxy\"}]}}}",
                          i ? "," : "", i, i, i, i, i, i / 62500 + 1, i / 250 % 250, i % 250 + 1) < 0)
                die("out of memory", NULL);
}

static void add_slice(struct strbuf *out, int i)
{
        int r = strbuf_printf(
            out,
            "%s{\"metadata\":{\"name\":\"service-%06d-x7k2p\",\"generateName\":\"service-%06d-\","
            "\"namespace\":\"bench\",\"uid\":\"5d47dd37-fc3e-448f-a9e6-%012d\",\"resourceVersion\":\"%d\","
            "\"generation\":4,\"labels\":{\"endpointslice.kubernetes.io/managed-by\":"
            "\"endpointslice-controller.k8s.io\",\"kubernetes.io/service-name\":\"service-%06d\"}},"
            "\"addressType\":\"IPv4\",\"endpoints\":[",
            i ? "," : "", i, i, i, i, i);

        for (int e = 0; e < ENDPOINTS && r == 0; e++)
                r = strbuf_printf(
                    out,
                    "%s{\"addresses\":[\"172.%d.%d.%d\"],\"conditions\":{\"ready\":true,\"serving\":true,"
                    "\"terminating\":false},\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"bench\",\"name\":"
                    "\"service-%06d-%d\",\"uid\":\"356a97a5-8fe9-4f2e-b353-%012d\"},\"nodeName\":\"node%d\","
                    "\"zone\":\"zone-1\"}",
                    e ? "," : "", 16 + i / 6250 % 16, i / 25 % 250, i % 25 * 10 + e, i, e, i, e % 3);
        if (r < 0 ||
            strbuf_puts(out, "],\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}]}") < 0)
                die("out of memory", NULL);
}

static void generate(struct bench *bench, int services)
{
        (void)strbuf_puts(&bench->services,
                          "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
        (void)strbuf_puts(&bench->slices,
                          "{\"kind\":\"EndpointSliceList\",\"apiVersion\":\"discovery.k8s.io/v1\","
                          "\"metadata\":{},\"items\":[");
        for (int i = 0; i < services; i++) {
                add_service(&bench->services, i);
                add_slice(&bench->slices, i);
        }
        (void)strbuf_puts(&bench->services, "]}");
        (void)strbuf_puts(&bench->slices, "]}");
}

static void parse_alone(const struct bench *bench)
{
        json_t *services =
            json_loadb(bench->services.text, bench->services.length, JSON_REJECT_DUPLICATES, NULL);
        json_t *slices = json_loadb(bench->slices.text, bench->slices.length, JSON_REJECT_DUPLICATES, NULL);

        if (!services || !slices)
                die("jansson refuses the generated objects", NULL);
        json_decref(services);
        json_decref(slices);
}

static void on_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                   const struct error *error)
{
        (void)userdata;
        (void)kind;
        (void)namespace;
        (void)name;
        die("bad object", error);
}

/* The whole way; `parts` receives the seconds of decode, plan and render. */
static void whole_way(const struct bench *bench, int services, double parts[static 3])
{
        _cleanup_model_ struct model model = {0};
        _cleanup_plan_ struct plan *plan = NULL;
        _cleanup_ipvs_config_ struct ipvs_config text = {0};
        struct error error = {0};
        double t[4];

        t[0] = now_s();
        if (manifest_decode("services", bench->services.text, bench->services.length, &model, on_bad, NULL,
                            &error) < 0 ||
            manifest_decode("slices", bench->slices.text, bench->slices.length, &model, on_bad, NULL,
                            &error) < 0)
                die("decode", &error);
        object_list_sort(&model.services, service_object_unref);
        object_list_sort(&model.endpoint_slices, endpoint_slice_object_unref);
        t[1] = now_s();
        if (plan_build(bench->config, &model, NULL, PLAN_ADDRESSES_STATUS, &plan) < 0)
                die("plan", NULL);
        t[2] = now_s();
        if (ipvs_config_render(&(struct ipvs_config_request){.templates = &bench->templates}, plan, &text,
                               &error) < 0)
                die("render", &error);
        t[3] = now_s();
        if (plan->n_virtual_servers != (size_t)services || plan->n_problems ||
            plan->virtual_servers[0].n_real_servers != ENDPOINTS)
                die("the result is not what was generated", NULL);
        for (int i = 0; i < 3; i++)
                parts[i] = t[i + 1] - t[i];
}

static long peak_kb_of(void (*work)(const struct bench *, int), const struct bench *bench, int services)
{
        struct rusage usage;
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                work(bench, services);
                (void)getrusage(RUSAGE_SELF, &usage);
                _exit(0);
        }
        if (wait4(pid, &status, 0, &usage) < 0 || status != 0)
                die("a measuring process failed", NULL);
        return usage.ru_maxrss;
}

static void nothing(const struct bench *bench, int services)
{
        (void)bench;
        (void)services;
}

static void work_whole(const struct bench *bench, int services)
{
        double parts[3];

        whole_way(bench, services, parts);
}

static void work_parse(const struct bench *bench, int services)
{
        (void)services;
        parse_alone(bench);
}

static int compare_doubles(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *values)
{
        qsort(values, ROUNDS, sizeof(*values), compare_doubles);
        return values[ROUNDS / 2];
}

/* Returns the median seconds of the whole way; prints a line. */
static double measure(struct bench *bench, int services, double *ratio)
{
        double alone[ROUNDS], whole[ROUNDS], ratios[ROUNDS], parts[3][ROUNDS];
        long base_kb, whole_kb, parse_kb;

        strbuf_reset(&bench->services);
        strbuf_reset(&bench->slices);
        generate(bench, services);
        (void)malloc_trim(0); /* what is free here must not count as free there */
        base_kb = peak_kb_of(nothing, bench, services);
        parse_kb = peak_kb_of(work_parse, bench, services) - base_kb;
        whole_kb = peak_kb_of(work_whole, bench, services) - base_kb;
        for (int i = 0; i < ROUNDS; i++) { /* interleaved: the machine is not quiet */
                double t = now_s(), p[3];

                parse_alone(bench);
                alone[i] = now_s() - t;
                t = now_s();
                whole_way(bench, services, p);
                whole[i] = now_s() - t;
                ratios[i] = whole[i] / alone[i];
                for (int k = 0; k < 3; k++)
                        parts[k][i] = p[k];
        }
        *ratio = median(ratios);
        printf("%8d %8.1f %10.1f %10.1f %8.1f %8.1f %10.1f %7.2f %12.1f %10.1f\n", services,
               (double)(bench->services.length + bench->slices.length) / 1e6, median(alone) * 1e3,
               median(parts[0]) * 1e3, median(parts[1]) * 1e3, median(parts[2]) * 1e3, median(whole) * 1e3,
               *ratio, (double)whole_kb / 1024, (double)parse_kb / 1024);
        return median(whole);
}

int main(int argc, char **argv)
{
        static const int defaults[] = {1000, 10000};
        struct bench bench = {0};
        struct error error = {0};
        double first = 0, ratio = 0, worst = 0, last = 0, growth;

        if (argc < 2)
                die("usage: bench_render TEMPLATES-DIR", NULL);
        if (config_parse("bench", config_text, strlen(config_text), &bench.config, &error) < 0 ||
            files_read_templates(argv[1], &bench.templates, NULL, NULL, &error) < 0)
                die("setup", &error);
        printf("%d endpoints a service; median of %d rounds; times in ms, sizes in MB\n", ENDPOINTS, ROUNDS);
        printf("%8s %8s %10s %10s %8s %8s %10s %7s %12s %10s\n", "services", "JSON", "jansson", "decode",
               "plan", "render", "whole", "ratio", "peak whole", "jansson");
        for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
                last = measure(&bench, defaults[i], &ratio);
                first = i == 0 ? last : first;
                worst = ratio > worst ? ratio : worst;
        }
        growth = last / first;
        printf("growth for 10x: %.1fx (wanted: at most 11)   worst ratio to jansson alone: %.2f (wanted: at "
               "most 2.5)\n",
               growth, worst);
        config_free(bench.config);
        template_set_clear(&bench.templates);
        strbuf_clear(&bench.services);
        strbuf_clear(&bench.slices);
        /* Generous: the machine may be busy with something else. */
        return growth > 16 || worst > 3.5;
}
