#include "announcer/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define DEFAULT_SOCKET "/run/coracle/announce.sock"
#define DEFAULT_POOLS "/run/coracle/pools"

static const char usage[] =
    "Usage: coracle-announcer --next-hop ADDRESS [OPTION]...\n"
    "\n"
    "exabgp's API process: announces over exabgp what coracle wants announced, and withdraws it when "
    "coracle\n"
    "falls silent. To be started by exabgp, with its commands on stdout and its answers on stdin.\n"
    "\n"
    "  --next-hop ADDRESS     the routes' next-hop: this node's address; once per family  CORACLE_NEXT_HOP\n"
    "  --neighbor ADDRESS     a BGP neighbor of exabgp's, for the report; repeatable      CORACLE_NEIGHBOR\n"
    "  --socket PATH          coracle's socket [" DEFAULT_SOCKET "]               CORACLE_SOCKET\n"
    "  --node-netns PATH      keep a route to this pod in this network namespace          "
    "CORACLE_NODE_NETNS\n"
    "  --pools FILE           the prefixes that may have one [" DEFAULT_POOLS "]         CORACLE_POOLS\n"
    "  --pod-address ADDRESS  that route's gateway; once per family                       "
    "CORACLE_POD_ADDRESS\n"
    "  --linger SECONDS       do nothing but wait until coracle has ended, no longer than that: a preStop\n"
    "  --log-level LEVEL      error, warning, info or debug [info]                        CORACLE_LOG_LEVEL\n"
    "  --log-format FORMAT    logfmt or json [logfmt]                                     "
    "CORACLE_LOG_FORMAT\n"
    "  --help, --version\n"
    "\n"
    "In the environment, several addresses are separated by commas or spaces.\n"
    "Exit status: 0 exabgp has gone or SIGTERM, 1 failure, 2 bad usage.\n";

static int add_addrs(struct addr_list *list, const char *name, const char *text, struct error *error)
{
        char one[ADDR_TEXT_SIZE];

        for (;;) {
                size_t length;

                text += strspn(text, ", ");
                length = strcspn(text, ", ");
                if (!length)
                        return 0;
                if (length >= sizeof(one))
                        return error_set(error, name, "\"%s\" is not an address", text);
                memcpy(one, text, length);
                one[length] = '\0';
                if (list->count == OPTIONS_ADDRS_MAX)
                        return error_set(error, name, "more than %d addresses", OPTIONS_ADDRS_MAX);
                if (addr_parse(one, &list->addrs[list->count]) < 0)
                        return error_set(error, name, "\"%s\" is not an address", one);
                list->count++;
                text += length;
        }
}

static int set_log_level(struct options *options, const char *name, const char *text, struct error *error)
{
        if (log_level_parse(text, &options->log_level) < 0)
                return error_set(error, name, "\"%s\" is not error, warning, info or debug", text);
        return 0;
}

static int set_log_format(struct options *options, const char *name, const char *text, struct error *error)
{
        options->log_json = strcmp(text, "json") == 0;
        if (!options->log_json && strcmp(text, "logfmt") != 0)
                return error_set(error, name, "\"%s\" is not logfmt or json", text);
        return 0;
}

/* Only for what the command line left out; a variable that is empty counts as absent. */
static int read_environment(struct options *options, struct error *error)
{
        const struct {
                const char *name;
                struct addr_list *list;
        } lists[] = {
            {"CORACLE_NEXT_HOP", &options->next_hops},
            {"CORACLE_POD_ADDRESS", &options->pod_addresses},
            {"CORACLE_NEIGHBOR", &options->neighbors},
        };
        const char *text;

        for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
                text = getenv(lists[i].name);
                if (text && !lists[i].list->count && add_addrs(lists[i].list, lists[i].name, text, error) < 0)
                        return -1;
        }
        text = getenv("CORACLE_SOCKET");
        if (!options->socket)
                options->socket = text && *text ? text : DEFAULT_SOCKET;
        text = getenv("CORACLE_POOLS");
        if (!options->pools)
                options->pools = text && *text ? text : DEFAULT_POOLS;
        text = getenv("CORACLE_NODE_NETNS");
        if (!options->node_netns && text && *text)
                options->node_netns = text;
        return 0;
}

static int read_log_environment(struct options *options, struct error *error)
{
        const char *level = getenv("CORACLE_LOG_LEVEL"), *format = getenv("CORACLE_LOG_FORMAT");

        if (level && *level && set_log_level(options, "CORACLE_LOG_LEVEL", level, error) < 0)
                return -1;
        if (format && *format && set_log_format(options, "CORACLE_LOG_FORMAT", format, error) < 0)
                return -1;
        return 0;
}

static int set_linger(struct options *options, const char *text, struct error *error)
{
        char *end;
        unsigned long seconds = strtoul(text, &end, 10);

        if (end == text || *end || *text == '-' || seconds < 1 || seconds > 86400)
                return error_set(error, "--linger", "\"%s\" is not a number of seconds", text);
        options->linger_s = (unsigned int)seconds;
        return 0;
}

static bool has_two_of_a_family(const struct addr_list *list)
{
        for (size_t i = 1; i < list->count; i++)
                for (size_t j = 0; j < i; j++)
                        if (list->addrs[i].family == list->addrs[j].family)
                                return true;
        return false;
}

static int check(const struct options *options, struct error *error)
{
        if (options->linger_s)
                return OPTIONS_RUN;
        if (!options->next_hops.count)
                return error_set(error, "--next-hop", "is missing");
        if (has_two_of_a_family(&options->next_hops))
                return error_set(error, "--next-hop", "more than one address of a family");
        if (has_two_of_a_family(&options->pod_addresses))
                return error_set(error, "--pod-address", "more than one address of a family");
        if (options->node_netns && !options->pod_addresses.count)
                return error_set(error, "--node-netns", "needs --pod-address");
        /* Rights that whoever starts us does not have must not be his to widen. */
        if (getauxval(AT_SECURE) && strcmp(options->pools, DEFAULT_POOLS) != 0)
                return error_set(error, "--pools",
                                 "is not to be chosen where this program's file has capabilities");
        return OPTIONS_RUN;
}

int options_parse(int argc, char **argv, struct options *out, struct error *error)
{
        static const struct option longs[] = {
            {"next-hop", required_argument, NULL, 'n'},
            {"neighbor", required_argument, NULL, 'p'},
            {"socket", required_argument, NULL, 's'},
            {"node-netns", required_argument, NULL, 'N'},
            {"pod-address", required_argument, NULL, 'a'},
            {"pools", required_argument, NULL, 'o'},
            {"log-level", required_argument, NULL, 'l'},
            {"log-format", required_argument, NULL, 'f'},
            {"help", no_argument, NULL, 'h'},
            {"version", no_argument, NULL, 'v'},
            {"linger", required_argument, NULL, 'w'},
            {NULL, 0, NULL, 0},
        };
        struct options options = {.log_level = LOG_LEVEL_INFO};
        int c, r = 0;

        opterr = 0;
        if (read_log_environment(&options, error) < 0)
                return -1;
        while (r == 0 && (c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
                if (c == 'n')
                        r = add_addrs(&options.next_hops, "--next-hop", optarg, error);
                else if (c == 'p')
                        r = add_addrs(&options.neighbors, "--neighbor", optarg, error);
                else if (c == 's')
                        options.socket = optarg;
                else if (c == 'N')
                        options.node_netns = optarg;
                else if (c == 'o')
                        options.pools = optarg;
                else if (c == 'a')
                        r = add_addrs(&options.pod_addresses, "--pod-address", optarg, error);
                else if (c == 'w')
                        r = set_linger(&options, optarg, error);
                else if (c == 'l')
                        r = set_log_level(&options, "--log-level", optarg, error);
                else if (c == 'f')
                        r = set_log_format(&options, "--log-format", optarg, error);
                else if (c == 'h')
                        return fputs(usage, stdout) < 0 ? -1 : OPTIONS_DONE;
                else if (c == 'v')
                        return puts("coracle-announcer " CORACLE_VERSION) < 0 ? -1 : OPTIONS_DONE;
                else
                        r = error_set(error, argv[optind - 1], "unknown option or missing value");
        }
        if (r == 0 && optind < argc)
                r = error_set(error, argv[optind], "unexpected argument");
        if (r < 0 || read_environment(&options, error) < 0)
                return -1;
        *out = options;
        return check(&options, error);
}

struct addr addr_list_first(const struct addr_list *list, int family)
{
        for (size_t i = 0; i < list->count; i++)
                if (list->addrs[i].family == family)
                        return list->addrs[i];
        return (struct addr){.family = AF_UNSPEC};
}
