#include "app/sources.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/inventory.h"
#include "io/kube_config.h"
#include "io/kube_watch.h"
#include "io/objects_dir.h"
#include "io/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What one namespace, or all of them, or a directory of files says; the listener's userdata. */
struct feed {
        struct sources *sources;
        const char *namespace; /* NULL: all */
        struct kube_watch *watches[KUBE_KIND_COUNT];
        bool listed[KUBE_KIND_COUNT];
        bool services_listed; /* since somebody asked for a list of them */
};

struct sources {
        struct inventory inventory;
        struct feed *feeds;
        size_t n_feeds;
        struct feed
            fleet; /* EndpointSlices of the fleet's namespace, if that is not followed: for app/fleet */
        char *fleet_namespace;
        bool reported; /* that the first sync is complete */
        struct objects_dir *objects_dir;
        struct kube_config kube; /* its files in memory are the client's */
        struct http_client *client;
        struct sources_listener listener;
};

static void tell(struct sources *sources)
{
        if (!sources->reported && sources_synced(sources)) {
                sources->reported = true;
                log_info("sources", "synced", LOG_INT("services", sources->inventory.model.services.count),
                         LOG_INT("endpoint_slices", sources->inventory.model.endpoint_slices.count));
        }
        sources->listener.changed(sources->listener.userdata);
}

static bool are_services_listed(const struct sources *sources)
{
        for (size_t i = 0; i < sources->n_feeds; i++)
                if (!sources->feeds[i].services_listed)
                        return false;
        return true;
}

static void complain(void)
{
        log_error("sources", "out of memory; what has changed waits for the next list");
}

static void on_replace(void *userdata, enum kube_kind kind, struct object_list *list,
                       const struct object_list *bad)
{
        struct feed *feed = userdata;
        struct sources *sources = feed->sources;
        const struct kube_watch *watch = feed->watches[kind];
        int64_t began_ms = watch ? kube_watch_stats(watch)->list_began_ms : 0;

        if (inventory_replace(&sources->inventory, kind, feed->namespace, began_ms, list, bad) < 0) {
                complain();
                return;
        }
        feed->listed[kind] = true;
        if (kind == KUBE_KIND_SERVICE) {
                feed->services_listed = true;
                if (are_services_listed(sources))
                        sources->listener.services_listed(sources->listener.userdata);
        }
        tell(sources);
}

/* `news` as of inventory_put. */
static void take(struct sources *sources, int news)
{
        if (news < 0)
                complain();
        else if (news)
                tell(sources);
}

static void on_put(void *userdata, enum kube_kind kind, struct object *object)
{
        struct sources *sources = ((struct feed *)userdata)->sources;

        take(sources, inventory_put(&sources->inventory, kind, object));
}

static void on_remove(void *userdata, enum kube_kind kind, const char *namespace, const char *name)
{
        struct sources *sources = ((struct feed *)userdata)->sources;

        take(sources, inventory_remove(&sources->inventory, kind, namespace, name));
}

static int open_files(struct sources *sources, struct ev_loop *loop, const char *directory,
                      struct error *error)
{
        const struct source_listener listener = {sources->feeds, on_replace, on_put, on_remove};
        const struct objects_dir_options options = {.directory = directory, .quiet_ms = 10};
        int r = objects_dir_new(loop, &options, &listener, &sources->objects_dir, error);

        return r < 0 ? r : objects_dir_start(sources->objects_dir, error);
}

static int locate_api(const struct options *options, struct kube_config *kube, struct error *error)
{
        if (options->kubeconfig && (options->server || options->token_file || options->ca_file))
                return error_set(error, "--kubeconfig", "goes without --server, --token-file and --ca-file");
        if (options->kubeconfig) {
                int r = kube_config_from_file(options->kubeconfig, kube, error);

                return r < 0 && r != -ENOMEM ? -EINVAL : r; /* a file that is not there is bad usage */
        }
        if (options->server)
                return kube_config_explicit(options->server, options->token_file, options->ca_file, kube,
                                            error);
        return kube_config_in_cluster(NULL, kube, error);
}

static int open_watch(struct feed *feed, enum kube_kind kind, struct ev_loop *loop, struct error *error)
{
        const struct source_listener listener = {feed, on_replace, on_put, on_remove};
        const struct kube_watch_options watch = {
            .kind = kind, .server = feed->sources->kube.server, .namespace = feed->namespace};
        int r = kube_watch_new(loop, feed->sources->client, &watch, &listener, &feed->watches[kind], error);

        if (r == 0)
                kube_watch_start(feed->watches[kind]);
        return r;
}

static bool is_followed(const struct sources *sources, const char *namespace)
{
        for (size_t i = 0; i < sources->n_feeds; i++)
                if (!sources->feeds[i].namespace || strcmp(sources->feeds[i].namespace, namespace) == 0)
                        return true;
        return false;
}

/* "NAMESPACE/SERVICE". Nobody waits for this one: a fleet that cannot compare its plans serves all the same.
 */
static int open_fleet_feed(struct sources *sources, struct ev_loop *loop, const char *fleet,
                           struct error *error)
{
        sources->fleet_namespace = strndup(fleet, strcspn(fleet, "/"));
        if (!sources->fleet_namespace)
                return error_oom(error);
        if (is_followed(sources, sources->fleet_namespace))
                return 0;
        sources->fleet = (struct feed){.sources = sources, .namespace = sources->fleet_namespace};
        return open_watch(&sources->fleet, KUBE_KIND_ENDPOINT_SLICE, loop, error);
}

static int open_api(struct sources *sources, struct ev_loop *loop, const struct options *options,
                    struct error *error)
{
        const struct kube_config *kube = &sources->kube;
        int r = locate_api(options, &sources->kube, error);

        if (r < 0)
                return r;
        r = http_client_new(loop,
                            &(struct http_credentials){.token_file = kube->token_file,
                                                       .ca_file = kube->ca_file,
                                                       .certificate_file = kube->certificate_file,
                                                       .key_file = kube->key_file},
                            &sources->client, error);
        for (size_t i = 0; r == 0 && i < sources->n_feeds; i++)
                for (enum kube_kind kind = 0; r == 0 && kind < KUBE_KIND_COUNT; kind++)
                        r = open_watch(&sources->feeds[i], kind, loop, error);
        return r == 0 && options->fleet ? open_fleet_feed(sources, loop, options->fleet, error) : r;
}

int sources_new(struct ev_loop *loop, const struct options *options, const struct config *config,
                const struct sources_listener *listener, struct sources **out, struct error *error)
{
        struct sources *sources = calloc(1, sizeof(*sources));
        int r;

        if (!sources)
                return error_oom(error);
        *sources = (struct sources){.listener = *listener,
                                    .inventory.load_balancer_class = config->load_balancer_class};
        /* Files are few, and were put there for us: all of them count. */
        sources->n_feeds = config->n_namespaces && !options->objects ? config->n_namespaces : 1;
        sources->feeds = calloc(sources->n_feeds, sizeof(*sources->feeds));
        if (!sources->feeds) {
                sources->n_feeds = 0;
                sources_free(sources);
                return error_oom(error);
        }
        for (size_t i = 0; i < sources->n_feeds; i++)
                sources->feeds[i] = (struct feed){
                    .sources = sources,
                    .namespace = config->n_namespaces && !options->objects ? config->namespaces[i] : NULL};
        r = options->objects ? open_files(sources, loop, options->objects, error)
                             : open_api(sources, loop, options, error);
        if (r < 0) {
                sources_free(sources);
                return r;
        }
        *out = sources;
        return 0;
}

bool sources_synced(const struct sources *sources)
{
        for (size_t i = 0; sources && i < sources->n_feeds; i++)
                for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                        if (!sources->feeds[i].listed[kind])
                                return false;
        return sources != NULL;
}

const struct model *sources_model(const struct sources *sources)
{
        return &sources->inventory.model;
}

struct http_client *sources_client(const struct sources *sources)
{
        return sources->client;
}

const char *sources_server(const struct sources *sources)
{
        return sources->kube.server;
}

void sources_list_services(struct sources *sources)
{
        for (size_t i = 0; i < sources->n_feeds; i++) {
                sources->feeds[i].services_listed = false;
                kube_watch_relist(sources->feeds[i].watches[KUBE_KIND_SERVICE]);
        }
}

void sources_take_service(struct sources *sources, const json_t *service)
{
        struct object *object = NULL;
        struct error error = {0};

        if (kube_decode_object(KUBE_KIND_SERVICE, service, &object, &error) < 0)
                log_error("sources", "the API's answer is no Service", LOG_ERROR_FIELDS(&error));
        else
                take(sources, inventory_answer(&sources->inventory, object, clock_monotonic_ms()));
}

/* The older one; -1 is the oldest. */
static int64_t older(int64_t age_ms, int64_t at_ms, int64_t now_ms)
{
        int64_t other_ms = at_ms ? now_ms - at_ms : -1;

        return age_ms < 0 || other_ms < 0 ? -1 : other_ms > age_ms ? other_ms : age_ms;
}

static void add_stats(const struct kube_watch_stats *stats, int64_t now_ms, struct metrics_watch *sum)
{
        sum->lists += stats->lists;
        sum->watches += stats->watches;
        sum->events += stats->events;
        sum->bad_objects += stats->bad_objects;
        for (enum watch_reason reason = 0; reason < WATCH_REASON_COUNT; reason++)
                sum->restarts[reason] += stats->restarts[reason];
        sum->contact_age_ms = older(sum->contact_age_ms, stats->last_contact_ms, now_ms);
        sum->list_age_ms = older(sum->list_age_ms, stats->last_list_ms, now_ms);
}

bool sources_metrics(const struct sources *sources, int64_t now_ms,
                     struct metrics_watch out[static KUBE_KIND_COUNT])
{
        if (!sources || !sources->client)
                return false;
        for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++) {
                out[kind] = (struct metrics_watch){0};
                for (size_t i = 0; i < sources->n_feeds; i++)
                        add_stats(kube_watch_stats(sources->feeds[i].watches[kind]), now_ms, &out[kind]);
        }
        return true;
}

void sources_free(struct sources *sources)
{
        if (!sources)
                return;
        objects_dir_free(sources->objects_dir);
        for (size_t i = 0; i < sources->n_feeds; i++)
                for (enum kube_kind kind = 0; kind < KUBE_KIND_COUNT; kind++)
                        kube_watch_free(sources->feeds[i].watches[kind]);
        kube_watch_free(sources->fleet.watches[KUBE_KIND_ENDPOINT_SLICE]);
        free(sources->fleet_namespace);
        free(sources->feeds);
        http_client_free(sources->client);
        kube_config_clear(&sources->kube);
        model_clear(&sources->inventory.model);
        free(sources);
}
