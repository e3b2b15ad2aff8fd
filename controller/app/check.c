/* coracle check: what an operator runs before he applies a change. Reads the configuration and the templates,
 * puts every template through made-up virtual servers of all kinds, and shows the result to keepalived -t. */
#include "app/commands.h"
#include "io/files.h"
#include "io/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
        const char *vip, *real;
        const char *scheduler;
        enum forwarding forwarding;
        enum health_check_type check;
        enum protocol protocol;
        uint32_t persistence_timeout_s;
} kinds[] = {
    {"192.0.2.1", "198.51.100.1", "rr", FORWARDING_NAT, HEALTH_CHECK_TCP, PROTOCOL_TCP, 0},
    {"192.0.2.1", "198.51.100.1", "mh", FORWARDING_TUNNEL, HEALTH_CHECK_HTTP, PROTOCOL_TCP, 600},
    {"192.0.2.1", "198.51.100.1", "wlc", FORWARDING_NAT, HEALTH_CHECK_NONE, PROTOCOL_UDP, 0},
    {"2001:db8::1", "2001:db8:1::1", "mh", FORWARDING_TUNNEL, HEALTH_CHECK_TCP, PROTOCOL_TCP, 0},
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

/* Adds the virtual servers that exercise one template. Sorted, as a plan is, by the port. */
static int add_samples(struct plan *plan, const char *template, const struct config *config, uint16_t *port)
{
        for (size_t i = 0; i < N_KINDS; i++) {
                struct plan_service *service = &plan->services[plan->n_services];
                struct virtual_server *vs = &plan->virtual_servers[plan->n_virtual_servers];
                struct real_server *reals = calloc(2, sizeof(*reals));

                *service = (struct plan_service){.health_check = config->default_health_check,
                                                 .persistence_timeout_s = kinds[i].persistence_timeout_s};
                *vs = (struct virtual_server){.port = (*port)++,
                                              .protocol = kinds[i].protocol,
                                              .forwarding = kinds[i].forwarding,
                                              .scheduler = kinds[i].scheduler,
                                              .checked = kinds[i].check != HEALTH_CHECK_NONE,
                                              .service = plan->n_services,
                                              .real_servers = reals,
                                              .n_real_servers = 2};
                plan->n_virtual_servers++;
                plan->n_services++;
                service->health_check.type = kinds[i].check;
                service->health_check.path = strdup("/");
                service->template = strdup(template);
                if (asprintf(&service->name, "check/%s", template) < 0)
                        service->name = NULL;
                if (!reals || !service->health_check.path || !service->template || !service->name)
                        return -ENOMEM;
                (void)addr_parse(kinds[i].vip, &vs->vip);
                (void)addr_parse(kinds[i].real, &reals[0].addr);
                reals[0].port = vs->port;
                reals[0].weight = 1;
                reals[1] = reals[0];
                (void)addr_next(&reals[1].addr);
                reals[1].weight = 0;
        }
        return 0;
}

static int sample_plan(const struct template_set *templates, const struct config *config, struct plan **out)
{
        _cleanup_plan_ struct plan *plan = calloc(1, sizeof(*plan));
        uint16_t port = 1;

        if (!plan)
                return -ENOMEM;
        plan->services = calloc(templates->count * N_KINDS, sizeof(*plan->services));
        plan->virtual_servers = calloc(templates->count * N_KINDS, sizeof(*plan->virtual_servers));
        if (!plan->services || !plan->virtual_servers)
                return -ENOMEM;
        for (size_t i = 0; i < templates->count; i++)
                if (strcmp(templates->templates[i].name, IPVS_FRAME_TEMPLATE) != 0 &&
                    add_samples(plan, templates->templates[i].name, config, &port) < 0)
                        return -ENOMEM;
        *out = TAKE_PTR(plan);
        return 0;
}

/* ---- keepalived -t ---- */

struct check_run {
        struct process process;
        int status;
};

static void on_exit_of_keepalived(struct process *process, int status)
{
        struct check_run *run = container_of(process, struct check_run, process);

        run->status = status;
        ev_break(process->loop, EVBREAK_ONE);
}

/* The first line of what it wrote, if it wrote anything. */
static int fail_of_keepalived(const char *program, const char *output, struct error *error)
{
        if (!output || !*output)
                return error_set(error, program, "-t failed without a word");
        return error_set(error, program, "%.*s", (int)strcspn(output, "\n"), output);
}

/* Returns 0, -EINVAL if keepalived has complaints (in *error, the first of them), -ENOENT if there is none.
 */
static int run_keepalived(const char *program, const char *path, struct error *error)
{
        const char *const argv[] = {program, "-t", "-C", "-f", path, NULL};
        struct check_run run = {.status = 0};
        int r;

        process_init(&run.process, ev_default_loop(0), on_exit_of_keepalived);
        r = process_start(&run.process, argv, true, error);
        if (r == 0)
                (void)ev_run(run.process.loop, 0);
        if (r == 0 && WIFEXITED(run.status) && WEXITSTATUS(run.status) == 127)
                r = -ENOENT;
        else if (r == 0 && run.status != 0)
                r = fail_of_keepalived(program, run.process.output.text, error);
        process_clear(&run.process);
        return r;
}

static int ask_keepalived(const char *program, const struct strbuf *text, struct error *error)
{
        char path[] = "/tmp/coracle-check-XXXXXX";
        _cleanup_close_ int fd = mkstemp(path);
        int r;

        if (fd < 0)
                return error_set(error, path, "cannot create: %s", strerror(errno));
        if (write(fd, text->text, text->length) == (ssize_t)text->length)
                r = run_keepalived(program, path, error);
        else
                r = error_set(error, path, "cannot write: %s", strerror(errno));
        (void)unlink(path);
        return r;
}

/* ---- the command ---- */

static void on_bad_template(void *userdata, const struct error *error)
{
        unsigned int *faults = userdata;

        command_complain(error);
        (*faults)++;
}

static int check_templates(const struct options *options, const struct config *config, unsigned int *faults,
                           struct error *error)
{
        _cleanup_(template_set_clear) struct template_set templates = {0};
        _cleanup_ipvs_config_ struct ipvs_config text = {0};
        _cleanup_plan_ struct plan *plan = NULL;
        int r = files_read_templates(options->templates, &templates, on_bad_template, faults, error);

        if (r < 0)
                return r;
        if (sample_plan(&templates, config, &plan) < 0)
                return error_oom(error);
        r = ipvs_config_render(&(struct ipvs_config_request){.templates = &templates, .notify_fifo = "/fifo"},
                               plan, &text, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < plan->n_problems; i++) {
                /* The same fault shows in each kind of virtual server. */
                if (i && strcmp(plan->problems[i].message, plan->problems[i - 1].message) == 0)
                        continue;
                (void)fprintf(stderr, "coracle: %s\n", plan->problems[i].message);
                (*faults)++;
        }
        r = ask_keepalived(options->keepalived, &text.text, error);
        if (r == -ENOENT) {
                printf("keepalived is not installed here: its own opinion was not asked\n");
                return 0;
        }
        return r;
}

int command_check(const struct options *options)
{
        _cleanup_config_ struct config *config = NULL;
        struct error error = {0};
        unsigned int faults = 0;

        if (!options->config || options->n_arguments) {
                (void)error_set(&error, NULL, "check needs --config; see --help");
                command_complain(&error);
                return EXIT_USAGE;
        }
        if (files_read_config(options->config, &config, &error) < 0 ||
            check_templates(options, config, &faults, &error) < 0) {
                command_complain(&error);
                return EXIT_USAGE;
        }
        if (faults)
                return EXIT_USAGE;
        printf("%s and the templates in %s are fine\n", options->config, options->templates);
        return EXIT_FINE;
}
