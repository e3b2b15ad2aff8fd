/* Follows Services and EndpointSlices of an API, and prints what a listener is told, one line each:
 *
 *   replace KIND COUNT, then COUNT times: object KIND NAMESPACE/NAME VALUE
 *   bad KIND NAMESPACE/NAME (a part of replace)
 *   put KIND NAMESPACE/NAME VALUE
 *   remove KIND NAMESPACE/NAME
 *
 * VALUE is a Service's first port, or the addresses of a slice's endpoints. Ends with standard input; prints
 * the counters then.
 */
#include "base/log.h"
#include "core/watch_state.h"
#include "io/http_client.h"
#include "io/kube_config.h"
#include "io/kube_watch.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

static void print_object(const char *word, enum kube_kind kind, struct object *object)
{
        char text[ADDR_TEXT_SIZE];

        (void)printf("%s %s %s/%s ", word, kube_kind_name(kind), object->namespace, object->name);
        if (kind == KUBE_KIND_SERVICE) {
                const struct service *service = object_service(object);

                (void)printf("%d\n", service->n_ports ? service->ports[0].port : 0);
                return;
        }

        const struct endpoint_slice *slice = object_endpoint_slice(object);

        for (size_t i = 0; i < slice->n_endpoints; i++)
                (void)printf("%s%s", i ? "," : "", addr_format(&slice->endpoints[i].addr, text));
        (void)printf("\n");
}

static void on_replace(void *userdata, enum kube_kind kind, struct object_list *list,
                       const struct object_list *bad)
{
        (void)userdata;
        for (size_t i = 0; i < bad->count; i++)
                (void)printf("bad %s %s/%s\n", kube_kind_name(kind), bad->objects[i]->namespace,
                             bad->objects[i]->name);
        (void)printf("replace %s %zu\n", kube_kind_name(kind), list->count);
        for (size_t i = 0; i < list->count; i++)
                print_object("object", kind, list->objects[i]);
        (void)fflush(stdout);
}

static void on_put(void *userdata, enum kube_kind kind, struct object *object)
{
        (void)userdata;
        print_object("put", kind, object);
        (void)fflush(stdout);
        kube_kind_unref(kind)(object);
}

static void on_remove(void *userdata, enum kube_kind kind, const char *namespace, const char *name)
{
        (void)userdata;
        (void)printf("remove %s %s/%s\n", kube_kind_name(kind), namespace, name);
        (void)fflush(stdout);
}

static void on_input(struct ev_loop *loop, ev_io *io, int revents)
{
        char buffer[64];

        (void)revents;
        if (read(io->fd, buffer, sizeof(buffer)) <= 0)
                ev_break(loop, EVBREAK_ALL);
}

static void print_stats(const struct kube_watch *watch, enum kube_kind kind)
{
        const struct kube_watch_stats *stats = kube_watch_stats(watch);

        (void)printf("stats %s lists=%" PRIu64 " pages=%" PRIu64 " watches=%" PRIu64 " events=%" PRIu64
                     " bad=%" PRIu64,
                     kube_kind_name(kind), stats->lists, stats->pages, stats->watches, stats->events,
                     stats->bad_objects);
        for (enum watch_reason reason = 0; reason < WATCH_REASON_COUNT; reason++)
                (void)printf(" %s=%" PRIu64, watch_reason_name(reason), stats->restarts[reason]);
        (void)printf("\n");
}

static unsigned int number(const char *text)
{
        return (unsigned int)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
        static const struct source_listener listener = {
            .replace = on_replace, .put = on_put, .remove = on_remove};
        _cleanup_kube_config_ struct kube_config config = {0};
        struct kube_watch *watches[KUBE_KIND_COUNT] = {NULL};
        struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
        struct http_client *client = NULL;
        struct error error = {{0}, {0}};
        ev_io input;

        (void)signal(SIGPIPE, SIG_IGN);
        log_setup(LOG_LEVEL_DEBUG, false);
        if (argc != 8 || kube_config_explicit(argv[1], argv[3], argv[2], &config, &error) < 0) {
                (void)fprintf(stderr,
                              "usage: follow SERVER CA TOKEN PAGE_SIZE RELIST_S IDLE_S TIMEOUT_S\n%s\n",
                              error.what);
                return 2;
        }

        const struct http_credentials credentials = {.token_file = config.token_file,
                                                     .ca_file = config.ca_file};
        if (http_client_new(loop, &credentials, &client, &error) < 0)
                return 1;
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                const struct kube_watch_options options = {
                    .kind = kind,
                    .server = config.server,
                    .page_size = number(argv[4]),
                    .relist_s = number(argv[5]),
                    .idle_s = number(argv[6]),
                    .timeout_s = number(argv[7]),
                };

                if (kube_watch_new(loop, client, &options, &listener, &watches[kind], &error) < 0)
                        return 1;
                kube_watch_start(watches[kind]);
        }
        ev_io_init(&input, on_input, STDIN_FILENO, EV_READ);
        ev_io_start(loop, &input);
        (void)ev_run(loop, 0);
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                print_stats(watches[kind], kind);
                kube_watch_free(watches[kind]);
        }
        http_client_free(client);
        ev_loop_destroy(loop);
        return 0;
}
