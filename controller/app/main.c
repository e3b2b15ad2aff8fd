/* coracle: the controller of a load balancer pod, and the tools around it. */
#include "app/commands.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
        const char *name;
        enum command command;
        int (*run)(const struct options *options);
        const char *usage;
        const char *help;
} commands[] = {
    {"controller", COMMAND_CONTROLLER, command_controller, "--config FILE [--objects DIR]",
     "follow Services and EndpointSlices and drive keepalived (the daemon)"},
    {"render", COMMAND_RENDER, command_render,
     "--config FILE --objects FILE... | --values FILE TEMPLATE [NAME=VALUE | NAME=@FILE]...",
     "print keepalived's configuration, or any template, without a cluster"},
    {"check", COMMAND_CHECK, command_check, "--config FILE",
     "validate the configuration, the templates and what keepalived thinks of them"},
    {"status", COMMAND_STATUS, command_status, "", "ask the running daemon what it serves and announces"},
    {"trace", COMMAND_TRACE, command_trace, "CLIENT:PORT|- VIP:PORT",
     "name the real server that a client's connection gets, and what a change would move"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static void print_help(void)
{
        printf("coracle " CORACLE_VERSION
               " - a layer-4 load balancer that travels with a Kubernetes cluster\n\n");
        for (size_t i = 0; i < N_COMMANDS; i++)
                printf("  coracle %-10s %s\n", commands[i].name, commands[i].help);
        printf("\n  coracle COMMAND --help\n  coracle --version\n\n"
               "Exit codes: 0 fine, 1 failure, 2 bad usage or bad configuration.\n");
}

static int setup_log(const struct options *options, struct error *error)
{
        enum log_level level;

        if (log_level_parse(options->log_level, &level) < 0)
                return error_set(error, NULL, "--log-level must be error, warning, info or debug");
        if (strcmp(options->log_format, "json") != 0 && strcmp(options->log_format, "logfmt") != 0)
                return error_set(error, NULL, "--log-format must be logfmt or json");
        log_setup(level, strcmp(options->log_format, "json") == 0);
        return 0;
}

static int run(size_t i, int argc, char **argv)
{
        struct options options;
        struct error error = {0};

        if (options_parse(commands[i].command, argc, argv, &options, &error) < 0) {
                command_complain(&error);
                return EXIT_USAGE;
        }
        if (options.help) {
                printf("coracle %s %s\n%s\n\n", commands[i].name, commands[i].usage, commands[i].help);
                options_print(commands[i].command);
                return EXIT_FINE;
        }
        if (setup_log(&options, &error) < 0) {
                command_complain(&error);
                return EXIT_USAGE;
        }
        return commands[i].run(&options);
}

int main(int argc, char **argv)
{
        const char *name = argc > 1 ? argv[1] : "";

        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
                print_help();
                return EXIT_FINE;
        }
        if (strcmp(name, "--version") == 0) {
                printf("coracle " CORACLE_VERSION "\n");
                return EXIT_FINE;
        }
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (strcmp(name, commands[i].name) == 0)
                        return run(i, argc - 1, argv + 1);
        (void)fprintf(stderr, "coracle: %s%s; see coracle --help\n",
                      *name ? "unknown command " : "a command is needed", name);
        return EXIT_USAGE;
}
