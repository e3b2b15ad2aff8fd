/* coracle render: everything the daemon would write, without a daemon. */
#include "app/commands.h"
#include "base/fileio.h"
#include "core/announce_set.h"
#include "core/view.h"
#include "io/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail_to_write(struct error *error)
{
        (void)error_set(error, "standard output", "cannot write: %s", strerror(errno));
        return -EIO;
}

static int print_text(const struct strbuf *text, struct error *error)
{
        if (text->length && fwrite(text->text, 1, text->length, stdout) != text->length)
                return fail_to_write(error);
        return 0;
}

static int print_json(const json_t *json, struct error *error)
{
        if (!json)
                return error_oom(error);
        if (json_dumpf(json, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF)
                return fail_to_write(error);
        return 0;
}

/* ---- --values ---- */

static int render_values(const struct options *options, struct error *error)
{
        _cleanup_template_ struct template *template = NULL;
        _cleanup_strbuf_ struct strbuf text = {0};
        _cleanup_json_ json_t *values = NULL;
        int r;

        if (options->n_arguments < 1)
                return error_set(error, NULL, "--values wants a TEMPLATE");
        r = files_read_values(options->values, &values, error);
        for (size_t i = 1; r == 0 && i < options->n_arguments; i++)
                r = files_set_value(values, options->arguments[i], error);
        if (r < 0)
                return r;
        r = files_read_template(options->arguments[0], &template, error);
        if (r < 0)
                return r;
        r = template_render(template, values, TEMPLATE_VALUES_TEXT, &text, error);
        return r < 0 ? r : print_text(&text, error);
}

/* ---- --output pools, exabgp: the configuration alone ---- */

static int render_pools(const struct config *config)
{
        char text[PREFIX_TEXT_SIZE];

        for (size_t i = 0; i < config->n_pools; i++)
                for (size_t j = 0; j < config->pools[i].n_prefixes; j++)
                        printf("%s\n", prefix_format(&config->pools[i].prefixes[j], text));
        return 0;
}

/* "A" or "A,B": one address of each family at most, as Kubernetes' status.podIPs gives them. */
static int parse_addrs(const char *flag, const char *text, struct addr_pair *out, struct error *error)
{
        if (!text)
                return error_set(error, NULL, "--output exabgp needs %s", flag);
        while (*text) {
                size_t length = strcspn(text, ",");
                char one[ADDR_TEXT_SIZE];
                struct addr addr, *place;

                if (length >= sizeof(one))
                        return error_set(error, flag, "is not an IP address");
                memcpy(one, text, length);
                one[length] = '\0';
                if (addr_parse(one, &addr) < 0)
                        return error_set(error, flag, "\"%s\" is not an IP address", one);
                place = addr.family == AF_INET6 ? &out->v6 : &out->v4;
                if (place->family != AF_UNSPEC)
                        return error_set(error, flag, "more than one address of a family");
                *place = addr;
                text += length + (text[length] == ',');
        }
        return 0;
}

static int check_reflectors(const struct config *config, const struct addr_pair *pod, struct error *error)
{
        for (size_t i = 0; i < config->bgp.n_reflectors; i++) {
                const struct addr *reflector = &config->bgp.reflectors[i].address;
                char text[ADDR_TEXT_SIZE];

                if ((reflector->family == AF_INET6 ? &pod->v6 : &pod->v4)->family == AF_UNSPEC)
                        return error_set(error, "--pod-address", "none is of the family of the reflector %s",
                                         addr_format(reflector, text));
        }
        return 0;
}

static int render_exabgp(const struct options *options, const struct config *config, struct error *error)
{
        _cleanup_template_ struct template *template = NULL;
        struct addr_pair pod = {0}, node = {0};
        _cleanup_strbuf_ struct strbuf text = {0}, path = {0};
        _cleanup_free_ char *password = NULL;
        _cleanup_json_ json_t *view = NULL;

        if (parse_addrs("--pod-address", options->pod_address, &pod, error) < 0 ||
            parse_addrs("--node-address", options->node_address, &node, error) < 0 ||
            check_reflectors(config, &pod, error) < 0)
                return -EINVAL;
        if (config->bgp.password_file && files_read_password(config->bgp.password_file, &password, error) < 0)
                return -EINVAL;
        view = view_exabgp(config, &pod, &node, password);
        if (!view || strbuf_printf(&path, "%s/exabgp.conf", options->templates) < 0)
                return error_oom(error);
        if (files_read_template(path.text, &template, error) < 0)
                return -EINVAL;
        if (template_render(template, view, TEMPLATE_VALUES_TEXT, &text, error) < 0)
                return -EINVAL;
        return print_text(&text, error);
}

/* ---- --objects ---- */

struct bad_objects {
        struct error *error;
        size_t count;
};

/* Offline there is no last good version to fall back to: the first bad object is the result. */
static void on_bad_object(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                          const struct error *error)
{
        struct bad_objects *bad = userdata;

        (void)kind;
        (void)namespace;
        (void)name;
        if (bad->count++ == 0)
                *bad->error = *error;
}

static int read_objects(const char *path, struct model *model, struct error *error)
{
        struct bad_objects bad = {.error = error};
        int r = files_read_objects(path, model, on_bad_object, &bad, error);

        if (r == 0 && bad.count) {
                r = -EINVAL;
                error_at(error, path);
        }
        return r;
}

static int read_model(const struct options *options, struct model *model, struct error *error)
{
        int r = read_objects(options->objects, model, error);

        for (size_t i = 0; r == 0 && i < options->n_arguments; i++)
                r = read_objects(options->arguments[i], model, error);
        object_list_sort(&model->services, service_object_unref);
        object_list_sort(&model->endpoint_slices, endpoint_slice_object_unref);
        return r;
}

static void on_bad_template(void *userdata, const struct error *error)
{
        (void)userdata;
        command_complain(error);
}

static int render_keepalived(const struct options *options, struct plan *plan, struct error *error)
{
        _cleanup_(template_set_clear) struct template_set templates = {0};
        _cleanup_ipvs_config_ struct ipvs_config text = {0};
        int r = files_read_templates(options->templates, &templates, on_bad_template, NULL, error);

        if (r == 0)
                r = ipvs_config_render(&(struct ipvs_config_request){.templates = &templates}, plan, &text,
                                       error);
        return r < 0 ? r : print_text(&text.text, error);
}

/* The routes that would be announced if everything in the plan were up. */
static int render_routes(const struct config *config, const struct plan *plan, struct error *error)
{
        _cleanup_(prefix_list_clear) struct prefix_list list = {0};
        char text[PREFIX_TEXT_SIZE];

        for (size_t i = 0; i < plan->n_virtual_servers; i++) {
                const struct addr *vip = &plan->virtual_servers[i].vip;
                uint8_t length =
                    vip->family == AF_INET ? config->bgp.announce_length4 : config->bgp.announce_length6;
                struct prefix prefix = prefix_of(vip, length);

                if (prefix_list_append(&list, &prefix) < 0)
                        return error_oom(error);
        }
        prefix_list_sort(&list);
        for (size_t i = 0; i < list.count; i++)
                printf("%s\n", prefix_format(&list.prefixes[i], text));
        return 0;
}

static int render_objects(const struct options *options, const struct config *config, const char *output,
                          struct error *error)
{
        _cleanup_model_ struct model model = {0};
        _cleanup_plan_ struct plan *plan = NULL;
        _cleanup_json_ json_t *view = NULL;
        int r;

        if (!options->objects)
                return error_set(error, NULL, "--output %s needs --objects", output);
        r = read_model(options, &model, error);
        if (r < 0)
                return r;
        if (plan_build(config, &model, NULL, PLAN_ADDRESSES_ALLOCATE, &plan) < 0)
                return error_oom(error);
        if (strcmp(output, "routes") == 0) {
                r = render_routes(config, plan, error);
        } else if (strcmp(output, "view") == 0) {
                view = view_plan(plan);
                r = print_json(view, error);
        } else {
                r = render_keepalived(options, plan, error);
        }
        command_print_problems(plan);
        return r;
}

static int render(const struct options *options, struct error *error)
{
        static const char *const outputs[] = {"keepalived", "routes", "view"};
        const char *output = options->output ? options->output : "keepalived";
        _cleanup_config_ struct config *config = NULL;
        int r;

        if (options->values)
                return render_values(options, error);
        if (!options->config)
                return error_set(error, NULL, "render needs --config and --objects, or --values; see --help");
        r = files_read_config(options->config, &config, error);
        if (r < 0)
                return r;
        if (strcmp(output, "pools") == 0)
                return render_pools(config);
        if (strcmp(output, "exabgp") == 0)
                return render_exabgp(options, config, error);
        for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++)
                if (strcmp(output, outputs[i]) == 0)
                        return render_objects(options, config, output, error);
        return error_set(error, NULL, "--output must be keepalived, routes, view, pools or exabgp");
}

int command_render(const struct options *options)
{
        struct error error = {0};
        int r = render(options, &error);

        if (r == 0 && fflush(stdout) != 0)
                r = fail_to_write(&error);
        if (r == 0)
                return EXIT_FINE;
        command_complain(&error);
        return r == -EIO || r == -ENOMEM ? EXIT_RUNTIME : EXIT_USAGE;
}
