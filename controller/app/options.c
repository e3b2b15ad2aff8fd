#include "app/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flag {
        const char *name;
        const char *argument;
        const char *help;
        const char *fallback;
        size_t offset;
        unsigned int commands;
};

#define ALL (COMMAND_CONTROLLER | COMMAND_RENDER | COMMAND_CHECK | COMMAND_STATUS | COMMAND_TRACE)

static const struct flag flags[] = {
    {"config", "FILE", "coracle.yaml", NULL, offsetof(struct options, config),
     COMMAND_CONTROLLER | COMMAND_RENDER | COMMAND_CHECK},
    {"objects", "PATH", "Kubernetes objects in files: a directory to follow, or files to render", NULL,
     offsetof(struct options, objects), COMMAND_CONTROLLER | COMMAND_RENDER},
    {"templates", "DIR", "directory of ipvs.conf, virtual_server and your own templates", CORACLE_TEMPLATES,
     offsetof(struct options, templates), COMMAND_CONTROLLER | COMMAND_RENDER | COMMAND_CHECK},
    {"run-dir", "DIR", "directory of sockets, pid files and keepalived's configuration", "/run/coracle",
     offsetof(struct options, run_dir), COMMAND_CONTROLLER | COMMAND_STATUS},
    {"keepalived", "PATH", "keepalived's program", "keepalived", offsetof(struct options, keepalived),
     COMMAND_CONTROLLER | COMMAND_CHECK},
    {"iptables", "PATH", "iptables-restore for loadBalancerSourceRanges; IPv6: the same with ip6tables",
     "iptables-legacy-restore", offsetof(struct options, iptables), COMMAND_CONTROLLER},
    {"output", "WHAT", "keepalived (default), routes, view, pools or exabgp; for status: text or json", NULL,
     offsetof(struct options, output), COMMAND_RENDER | COMMAND_STATUS},
    {"values", "FILE", "YAML values for any template", NULL, offsetof(struct options, values),
     COMMAND_RENDER},
    {"table", "FILE", "a copy of /proc/net/ip_vs (default: the kernel's table)", NULL,
     offsetof(struct options, table), COMMAND_TRACE},
    {"protocol", "NAME", "TCP, UDP or SCTP", "TCP", offsetof(struct options, protocol), COMMAND_TRACE},
    {"with", "IP:PORT[,IP:PORT]", "as if these real servers were added", NULL, offsetof(struct options, with),
     COMMAND_TRACE},
    {"without", "IP:PORT[,IP:PORT]", "as if these real servers were removed", NULL,
     offsetof(struct options, without), COMMAND_TRACE},
    {"pod-address", "IP[,IP]", "this pod's address of each family (output exabgp)", NULL,
     offsetof(struct options, pod_address), COMMAND_RENDER},
    {"node-address", "IP[,IP]", "the node's, which become the next-hops (output exabgp)", NULL,
     offsetof(struct options, node_address), COMMAND_RENDER},
    {"server", "URL", "the Kubernetes API (default: as in every pod)", NULL, offsetof(struct options, server),
     COMMAND_CONTROLLER},
    {"kubeconfig", "FILE", "the Kubernetes API and how to get in, as kubectl has it (no exec plugins)", NULL,
     offsetof(struct options, kubeconfig), COMMAND_CONTROLLER},
    {"token-file", "FILE", "bearer token for the API (default: the service account's)", NULL,
     offsetof(struct options, token_file), COMMAND_CONTROLLER},
    {"ca-file", "FILE", "certificate of the API's authority (default: the service account's)", NULL,
     offsetof(struct options, ca_file), COMMAND_CONTROLLER},
    {"http-address", "IP:PORT",
     "answer GET /livez, /readyz, /readyz/local and /metrics there (default: nowhere)", NULL,
     offsetof(struct options, http_address), COMMAND_CONTROLLER},
    {"pod-name", "NAME", "who this is in the Lease and in Events (default: the host's name)", NULL,
     offsetof(struct options, pod_name), COMMAND_CONTROLLER},
    {"namespace", "NAME", "where the Lease is (default: the service account's namespace)", NULL,
     offsetof(struct options, namespace), COMMAND_CONTROLLER},
    {"fleet", "NAMESPACE/SERVICE",
     "the Service of this fleet's LB pods, which compare what they plan (default: none)", NULL,
     offsetof(struct options, fleet), COMMAND_CONTROLLER},
    {"settle-seconds", "N", "leaving: the time that routers get to move traffic away, twice", "1",
     offsetof(struct options, settle_seconds), COMMAND_CONTROLLER},
    {"drain-seconds", "N", "leaving: the time after which it ends, whatever flows are left", "20",
     offsetof(struct options, drain_seconds), COMMAND_CONTROLLER},
    {"log-level", "LEVEL", "error, warning, info or debug", "info", offsetof(struct options, log_level), ALL},
    {"log-format", "FORMAT", "logfmt or json", "logfmt", offsetof(struct options, log_format), ALL},
};

#define N_FLAGS (sizeof(flags) / sizeof(*flags))

static const char **member(struct options *options, const struct flag *flag)
{
        return (const char **)((char *)options + flag->offset);
}

static const char *from_environment(const struct flag *flag)
{
        char name[64];
        size_t length = (size_t)snprintf(name, sizeof(name), "CORACLE_%s", flag->name);

        for (size_t i = 0; i < length; i++)
                name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
        return getenv(name);
}

int options_parse(enum command command, int argc, char **argv, struct options *out, struct error *error)
{
        struct option longopts[N_FLAGS + 2] = {0};
        const struct flag *known[N_FLAGS];
        struct options options = {0};
        int count = 0, index = 0, c;

        for (size_t i = 0; i < N_FLAGS; i++) {
                const char *value = from_environment(&flags[i]);

                *member(&options, &flags[i]) = value && *value ? value : flags[i].fallback;
                if (!(flags[i].commands & command))
                        continue;
                known[count] = &flags[i];
                longopts[count++] = (struct option){flags[i].name, required_argument, NULL, 1};
        }
        longopts[count] = (struct option){"help", no_argument, NULL, 'h'};
        opterr = 0;
        optind = 1;
        while ((c = getopt_long(argc, argv, ":h", longopts, &index)) != -1) {
                if (c == 'h')
                        options.help = 1;
                else if (c == 1)
                        *member(&options, known[index]) = optarg;
                else
                        return error_set(error, NULL, "%s %s; see --help",
                                         c == ':' ? "value missing after" : "unknown flag", argv[optind - 1]);
        }
        options.arguments = (const char **)argv + optind;
        options.n_arguments = (size_t)(argc - optind);
        *out = options;
        return 0;
}

void options_print(enum command command)
{
        for (size_t i = 0; i < N_FLAGS; i++) {
                char flag[40];

                if (!(flags[i].commands & command))
                        continue;
                (void)snprintf(flag, sizeof(flag), "--%s %s", flags[i].name, flags[i].argument);
                printf("  %-22s %s", flag, flags[i].help);
                if (flags[i].fallback)
                        printf(" [%s]", flags[i].fallback);
                putchar('\n');
        }
        printf(
            "Every flag --some-flag can be given as CORACLE_SOME_FLAG in the environment; the flag wins.\n");
}
