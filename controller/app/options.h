/* The command line. Every flag --some-flag has the environment twin CORACLE_SOME_FLAG; the flag wins. */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Which commands a flag belongs to. */
enum command {
        COMMAND_CONTROLLER = 1 << 0,
        COMMAND_RENDER = 1 << 1,
        COMMAND_CHECK = 1 << 2,
        COMMAND_STATUS = 1 << 3,
        COMMAND_TRACE = 1 << 4,
};

/* All texts are borrowed from argv or the environment; NULL when not given, unless a default is noted. */
struct options {
        const char *config;
        const char *objects;
        const char *templates;  /* default: where they are installed */
        const char *run_dir;    /* default: /run/coracle */
        const char *keepalived; /* default: keepalived, searched in PATH */
        const char *iptables;   /* default: iptables-legacy-restore, searched in PATH */
        const char *output;
        const char *values;
        const char *table;    /* NULL: the kernel's */
        const char *protocol; /* default: TCP */
        const char *with;
        const char *without;
        const char *pod_address;
        const char *node_address;
        const char *server;
        const char *kubeconfig;
        const char *token_file;
        const char *ca_file;
        const char *http_address;
        const char *fleet;
        const char *pod_name;       /* default: the host's name, which in a pod is the pod's */
        const char *namespace;      /* default: the service account's */
        const char *settle_seconds; /* leaving: what routers need after they have been told; default: 1 */
        const char *drain_seconds;  /* leaving: for all of it; default: 20 */
        const char *log_level;      /* default: info */
        const char *log_format;     /* default: logfmt */
        const char **arguments;     /* what is left: not flags */
        size_t n_arguments;
        int help;
};

/* Parses argv after the command's name (argv[0] is skipped). Reorders argv. Returns 0, or -EINVAL with
 * *error. */
int options_parse(enum command command, int argc, char **argv, struct options *out, struct error *error);

/* Prints the flags of the command to stdout. */
void options_print(enum command command);
