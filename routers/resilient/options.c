#include "resilient/options.h"

#include <errno.h>
#include <getopt.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: coracle-resilient --pool PREFIX... [OPTION]...\n"
    "\n"
    "Mirrors the routes inside the pools from the main table into a table of its own, as resilient next-hop\n"
    "groups: when load balancers come and go, the flows of the others stay where they are.\n"
    "\n"
    "  --pool PREFIX            whose routes, itself or longer ones; repeatable, IPv4 and IPv6\n"
    "  --table N                the mirror's routing table [100]\n"
    "  --protocol N             marks what is ours; nobody else may use it [68]\n"
    "  --buckets N              of each group, 256 to 65535 [1024]\n"
    "  --idle-timer S           a bucket without packets for so long may move to a new next-hop [120]\n"
    "  --unbalanced-timer S     after so long, what is missing of its share is taken from busy buckets; 0 "
    "is\n"
    "                           never [600]\n"
    "  --log-level LEVEL        error, warning, info or debug [info]\n"
    "  --log-format FORMAT      logfmt or json [logfmt]\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM (or SIGINT) removes the mirror and ends; SIGUSR1 ends and leaves it to the next "
    "coracle-resilient.\n"
    "Exit status: 0 after one of these, 1 failure, 2 bad usage or a kernel without resilient groups.\n";

enum {
        OPTION_POOL = 256,
        OPTION_TABLE,
        OPTION_PROTOCOL,
        OPTION_BUCKETS,
        OPTION_IDLE_TIMER,
        OPTION_UNBALANCED_TIMER,
        OPTION_LOG_LEVEL,
        OPTION_LOG_FORMAT,
        OPTION_HELP,
        OPTION_VERSION,
};

static const struct option longs[] = {
    {"pool", required_argument, NULL, OPTION_POOL},
    {"table", required_argument, NULL, OPTION_TABLE},
    {"protocol", required_argument, NULL, OPTION_PROTOCOL},
    {"buckets", required_argument, NULL, OPTION_BUCKETS},
    {"idle-timer", required_argument, NULL, OPTION_IDLE_TIMER},
    {"unbalanced-timer", required_argument, NULL, OPTION_UNBALANCED_TIMER},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static int parse_number(const char *name, unsigned long min, unsigned long max, uint32_t *out,
                        struct error *error)
{
        unsigned long number;
        char *end;

        errno = 0;
        number = strtoul(optarg, &end, 10);
        if (*optarg < '0' || *optarg > '9' || *end || errno || number < min || number > max)
                return error_set(error, name, "\"%s\" is not a number from %lu to %lu", optarg, min, max);
        *out = (uint32_t)number;
        return 0;
}

static int add_pool(struct options *options, struct error *error)
{
        struct prefix prefix;

        if (prefix_parse(optarg, &prefix) < 0)
                return error_set(error, "--pool", "\"%s\" is not a prefix", optarg);
        return prefix_list_append(&options->scope.pools, &prefix) < 0 ? error_oom(error) : 0;
}

static int parse_one(int option, struct options *options, struct error *error)
{
        uint32_t number = 0;
        int r;

        switch (option) {
        case OPTION_POOL:
                return add_pool(options, error);
        case OPTION_TABLE:
                r = parse_number("--table", 1, UINT32_MAX, &options->scope.table, error);
                if (r == 0 && options->scope.table >= RT_TABLE_DEFAULT &&
                    options->scope.table <= RT_TABLE_LOCAL)
                        r = error_set(error, "--table", "253 to 255 are the kernel's own");
                return r;
        case OPTION_PROTOCOL: /* up to RTPROT_STATIC they belong to the kernel and the administrator */
                r = parse_number("--protocol", RTPROT_STATIC + 1, UINT8_MAX, &number, error);
                options->scope.protocol = (uint8_t)number;
                return r;
        case OPTION_BUCKETS:
                r = parse_number("--buckets", FIB_HOPS_MAX, UINT16_MAX, &number, error);
                options->plan.buckets = (uint16_t)number;
                return r;
        case OPTION_IDLE_TIMER:
                return parse_number("--idle-timer", 1, 86400, &options->plan.idle_timer_s, error);
        case OPTION_UNBALANCED_TIMER:
                return parse_number("--unbalanced-timer", 0, 86400, &options->plan.unbalanced_timer_s, error);
        case OPTION_LOG_LEVEL:
                if (log_level_parse(optarg, &options->log_level) < 0)
                        return error_set(error, "--log-level", "\"%s\" is not error, warning, info or debug",
                                         optarg);
                return 0;
        case OPTION_LOG_FORMAT:
                options->log_json = strcmp(optarg, "json") == 0;
                if (!options->log_json && strcmp(optarg, "logfmt") != 0)
                        return error_set(error, "--log-format", "\"%s\" is not logfmt or json", optarg);
                return 0;
        case OPTION_HELP:
                (void)fputs(usage, stdout);
                return OPTIONS_DONE;
        case OPTION_VERSION:
                (void)puts("coracle-resilient " CORACLE_VERSION);
                return OPTIONS_DONE;
        default:
                return error_set(error, "usage", "there is no such option, or it lacks its argument");
        }
}

int options_parse(int argc, char **argv, struct options *out, struct error *error)
{
        struct options options = {
            .scope = {.table = 100, .protocol = 68},
            .plan = {.buckets = 1024, .idle_timer_s = 120, .unbalanced_timer_s = 600},
            .log_level = LOG_LEVEL_INFO,
        };
        int option, r = 0;

        opterr = 0;
        while (r == 0 && (option = getopt_long(argc, argv, "", longs, NULL)) != -1)
                r = parse_one(option, &options, error);
        if (r == 0 && optind < argc)
                r = error_set(error, "usage", "\"%s\" is not an option", argv[optind]);
        if (r == 0 && !options.scope.pools.count)
                r = error_set(error, "usage", "--pool is missing");
        if (r != 0) {
                options_clear(&options);
                return r;
        }
        prefix_list_sort(&options.scope.pools);
        options.plan.pools = options.scope.pools;
        *out = options;
        return 0;
}

void options_clear(struct options *options)
{
        prefix_list_clear(&options->scope.pools);
        options->plan.pools = (struct prefix_list){0};
}
