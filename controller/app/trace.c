/* coracle trace: which real server the kernel gives a client, computed from the kernel's own table. */
#include "app/commands.h"
#include "base/cleanup.h"
#include "base/fileio.h"
#include "core/ipvs_table.h"
#include "core/mh.h"
#include "io/ipvs_netlink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TABLE_SIZE_MAX (64u * 1024 * 1024)
#define SAMPLES 65536u /* clients for which a change is tried: 0.2 % of error */

/* What is asked for. */
struct question {
        struct addr client; /* AF_UNSPEC: those that stdin names */
        uint16_t client_port;
        struct virtual_server key;
};

/* A list of real servers in the kernel's order, and its table. */
struct destinations {
        struct mh_server *servers;
        size_t count;
        struct mh_table table;
};

static int parse_client(const char *text, const struct addr *vip, struct addr *client, uint16_t *port,
                        struct error *error)
{
        if (addr_parse_port(text, client, port) < 0)
                return error_set(error, text, "must be IP:PORT");
        if (client->family != vip->family)
                return error_set(error, text, "is not of the VIP's family");
        return 0;
}

static int parse_question(const struct options *options, struct question *out, struct error *error)
{
        if (options->n_arguments != 2)
                return error_set(error, NULL, "trace needs CLIENT:PORT and VIP:PORT; see --help");
        if (addr_parse_port(options->arguments[1], &out->key.vip, &out->key.port) < 0)
                return error_set(error, options->arguments[1], "must be IP:PORT");
        if (strcmp(options->arguments[0], "-") != 0 &&
            parse_client(options->arguments[0], &out->key.vip, &out->client, &out->client_port, error) < 0)
                return -EINVAL;
        for (enum protocol p = PROTOCOL_TCP; p <= PROTOCOL_SCTP; p++) {
                if (strcasecmp(options->protocol, protocol_name(p)) == 0) {
                        out->key.protocol = p;
                        return 0;
                }
        }
        return error_set(error, "--protocol", "must be TCP, UDP or SCTP");
}

/* The kernel shows no last weight: coracle's servers have 1, also while they drain. */
static int load(const struct ipvs_virtual *virtual, struct destinations *out)
{
        out->servers = calloc(virtual->n_reals + 1, sizeof(*out->servers));
        if (!out->servers)
                return -ENOMEM;
        out->count = virtual->n_reals;
        for (size_t i = 0; i < virtual->n_reals; i++) {
                const struct ipvs_real *real = &virtual->reals[i];

                out->servers[real->position] = (struct mh_server){.addr = real->addr,
                                                                  .port = real->port,
                                                                  .share = real->weight ? real->weight : 1,
                                                                  .unavailable = !real->weight};
        }
        return 0;
}

static size_t find(const struct destinations *list, const struct mh_server *server)
{
        size_t i = 0;

        while (i < list->count &&
               !(addr_equal(&list->servers[i].addr, &server->addr) && list->servers[i].port == server->port))
                i++;
        return i;
}

static int add(struct destinations *list, const struct mh_server *server, const char *text,
               struct error *error)
{
        struct mh_server *grown;

        if (find(list, server) < list->count)
                return error_set(error, text, "is a real server already");
        grown = reallocarray(list->servers, list->count + 1, sizeof(*grown));
        if (!grown)
                return error_oom(error);
        /* The kernel puts a new one first. */
        memmove(grown + 1, grown, list->count * sizeof(*grown));
        grown[0] = *server;
        list->servers = grown;
        list->count++;
        return 0;
}

static int take(struct destinations *list, const struct mh_server *server, const char *text,
                struct error *error)
{
        size_t at = find(list, server);

        if (at == list->count)
                return error_set(error, text, "is no real server of this VIP and port");
        list->count--;
        memmove(list->servers + at, list->servers + at + 1, (list->count - at) * sizeof(*list->servers));
        return 0;
}

typedef int change_fn(struct destinations *list, const struct mh_server *server, const char *text,
                      struct error *error);

static int change(struct destinations *list, const char *texts, change_fn *one, struct error *error)
{
        _cleanup_free_ char *copy = strdup(texts ? texts : "");
        char *rest = copy, *word;

        if (!copy)
                return error_oom(error);
        while (texts && (word = strsep(&rest, ","))) {
                struct mh_server server = {.share = 1};
                int r;

                if (addr_parse_port(word, &server.addr, &server.port) < 0)
                        return error_set(error, word, "must be IP:PORT");
                r = one(list, &server, word, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int build(struct destinations *list, struct error *error)
{
        int r = mh_table_build(list->servers, list->count, &list->table);

        if (r == -EINVAL)
                return error_set(error, NULL, "mh takes %d real servers at most", MH_SLOTS);
        return r < 0 ? error_oom(error) : 0;
}

static const struct mh_server *choose(const struct destinations *list, const struct addr *client,
                                      uint16_t port)
{
        uint16_t index = mh_table_choose(&list->table, list->servers, client, port);

        return index == MH_NONE ? NULL : &list->servers[index];
}

static bool is_same(const struct mh_server *a, const struct mh_server *b)
{
        return a == b || (a && b && addr_equal(&a->addr, &b->addr) && a->port == b->port);
}

static void print_server(const struct mh_server *server)
{
        char text[ADDR_TEXT_SIZE];

        if (!server)
                puts("nobody: no real server is available");
        else
                printf(server->addr.family == AF_INET6 ? "[%s]:%u\n" : "%s:%u\n",
                       addr_format(&server->addr, text), server->port);
}

/* The hash adds address and port, so that the ports of one client stand for clients anywhere. */
static void print_moves(const struct addr *client, const struct destinations *now,
                        const struct destinations *then)
{
        unsigned int moved = 0, lost = 0;

        for (uint32_t port = 0; port < SAMPLES; port++) {
                const struct mh_server *before = choose(now, client, (uint16_t)port);
                const struct mh_server *after = choose(then, client, (uint16_t)port);

                if (is_same(before, after))
                        continue;
                moved++;
                lost += before && find(then, before) == then->count;
        }
        printf("moved by the change: %.1f %% of all flows, among them %.1f %% whose real server goes\n",
               100.0 * moved / SAMPLES, 100.0 * lost / SAMPLES);
}

/* One answer for each line of stdin. */
static int print_many(const struct question *question, const struct destinations *list, bool ignore_port,
                      struct error *error)
{
        char line[ADDR_TEXT_SIZE + 16];

        while (fgets(line, sizeof(line), stdin)) {
                struct addr client;
                uint16_t port;

                line[strcspn(line, "\n")] = '\0';
                if (parse_client(line, &question->key.vip, &client, &port, error) < 0)
                        return -EINVAL;
                print_server(choose(list, &client, ignore_port ? 0 : port));
        }
        return 0;
}

static int answer(const struct question *question, const struct ipvs_virtual *virtual,
                  const struct options *options, struct destinations *now, struct destinations *then,
                  struct error *error)
{
        uint16_t port = virtual->persistent ? 0 : question->client_port;
        bool changes = options->with || options->without;
        int r;

        if (strcmp(virtual->scheduler, "mh") != 0) {
                (void)error_set(
                    error, options->arguments[1],
                    "its scheduler is %s: who is next depends on what came before; only mh can be "
                    "foretold",
                    virtual->scheduler);
                return -ENOTSUP;
        }
        if (load(virtual, now) < 0 || load(virtual, then) < 0)
                return error_oom(error);
        if ((r = build(now, error)) < 0 || (r = change(then, options->without, take, error)) < 0 ||
            (r = change(then, options->with, add, error)) < 0 || (r = build(then, error)) < 0)
                return r;
        if (question->client.family == AF_UNSPEC)
                return print_many(question, changes ? then : now, virtual->persistent, error);
        print_server(choose(now, &question->client, port));
        if (changes) {
                (void)fputs("after the change: ", stdout);
                print_server(choose(then, &question->client, port));
                print_moves(&question->client, now, then);
        }
        return 0;
}

static int read_table(const char *path, struct ipvs_table *table, struct error *error)
{
        _cleanup_strbuf_ struct strbuf text = {0};
        int r;

        if (!path)
                return ipvs_netlink_load(NULL, table, error);
        r = file_read(path, TABLE_SIZE_MAX, &text, error);
        return r < 0 ? r : ipvs_table_parse(text.text, table, error);
}

static int trace(const struct options *options, struct destinations *now, struct destinations *then,
                 struct error *error)
{
        _cleanup_ipvs_table_ struct ipvs_table table = {0};
        const struct ipvs_virtual *virtual;
        struct question question = {0};
        int r;

        if ((r = parse_question(options, &question, error)) < 0 ||
            (r = read_table(options->table, &table, error)) < 0)
                return r;
        virtual = ipvs_table_find(&table, &question.key);
        if (virtual)
                return answer(&question, virtual, options, now, then, error);
        (void)error_set(error, options->arguments[1], "the kernel's table has no such %s service",
                        protocol_name(question.key.protocol));
        return -ENOENT;
}

int command_trace(const struct options *options)
{
        struct destinations now = {0}, then = {0};
        struct error error = {0};
        int r = trace(options, &now, &then, &error);

        free(now.servers);
        free(then.servers);
        if (r < 0)
                command_complain(&error);
        return r == 0 ? EXIT_FINE : r == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME;
}
