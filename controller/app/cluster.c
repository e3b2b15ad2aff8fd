#include "app/cluster.h"

#include "app/assigner.h"
#include "app/events.h"
#include "core/kube_meta.h"
#include "io/elector.h"
#include "io/kube_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_NAME "coracle" /* the shipped Role names it */

struct cluster {
        struct sources *sources; /* NULL members below: files are the source */
        struct elector *elector;
        struct assigner *assigner;
        struct events *events;
        void (*replan)(void *userdata);
        void *userdata;
};

static void on_elected(void *userdata, bool leading)
{
        struct cluster *cluster = userdata;

        assigner_lead(cluster->assigner, cluster->elector, leading);
        if (!leading)
                events_forget(cluster->events);
        cluster->replan(cluster->userdata);
}

static void on_want_list(void *userdata)
{
        struct cluster *cluster = userdata;

        sources_list_services(cluster->sources);
}

static void on_written(void *userdata, const json_t *service)
{
        struct cluster *cluster = userdata;

        sources_take_service(cluster->sources, service);
}

static void on_finished(void *userdata)
{
        struct cluster *cluster = userdata;

        cluster->replan(cluster->userdata);
}

static int start(struct cluster *cluster, struct ev_loop *loop, const struct options *options,
                 struct error *error)
{
        const struct assigner_listener listener = {cluster, on_want_list, on_written, on_finished};
        struct http_client *client = sources_client(cluster->sources);
        const char *server = sources_server(cluster->sources);
        _cleanup_free_ char *own_namespace = NULL;
        const char *namespace = options->namespace, *name = options->pod_name;
        char host[256] = "";

        if (!namespace) {
                int r = kube_config_namespace(NULL, &own_namespace, error);

                if (r < 0)
                        return r;
                namespace = own_namespace;
        }
        if (!name) {
                (void)gethostname(host, sizeof(host) - 1);
                name = host;
        }
        if (!kube_is_name(namespace, KUBE_NAMESPACE_MAX))
                return error_set(error, "--namespace", "is no name of a namespace");
        if (!kube_is_name(name, KUBE_NAME_MAX))
                return error_set(error, "--pod-name", "is no name of a pod: \"%s\"", name);
        cluster->assigner = assigner_new(loop, client, server, &listener);
        cluster->events = events_new(loop, client, server, name);
        if (!cluster->assigner || !cluster->events)
                return error_oom(error);
        return elector_new(loop, client, server, namespace, LEASE_NAME, name, on_elected, cluster,
                           &cluster->elector, error);
}

int cluster_new(struct ev_loop *loop, const struct options *options, struct sources *sources,
                void (*replan)(void *userdata), void *userdata, struct cluster **out, struct error *error)
{
        struct cluster *cluster = calloc(1, sizeof(*cluster));
        int r;

        if (!cluster)
                return error_oom(error);
        *cluster = (struct cluster){.sources = sources, .replan = replan, .userdata = userdata};
        r = sources_client(sources) ? start(cluster, loop, options, error) : 0;
        if (r < 0) {
                cluster_free(cluster);
                return r;
        }
        *out = cluster;
        return 0;
}

enum plan_addresses cluster_addresses(const struct cluster *cluster)
{
        if (!cluster->elector)
                return PLAN_ADDRESSES_ALLOCATE; /* files: nobody else does it */
        return elector_is_leading(cluster->elector) ? PLAN_ADDRESSES_ASSIGN : PLAN_ADDRESSES_STATUS;
}

bool cluster_is_leading(const struct cluster *cluster)
{
        return cluster->elector && elector_is_leading(cluster->elector);
}

void cluster_services_listed(struct cluster *cluster)
{
        if (cluster->assigner)
                assigner_listed(cluster->assigner);
}

void cluster_planned(struct cluster *cluster, struct plan *plan)
{
        if (!cluster->elector)
                return;
        elector_start(cluster->elector);
        if (cluster_is_leading(cluster))
                assigner_write(cluster->assigner, plan);
}

void cluster_applied(struct cluster *cluster, const struct model *model, const struct plan *plan)
{
        if (cluster_is_leading(cluster))
                events_tell(cluster->events, model, plan);
}

void cluster_resign(struct cluster *cluster)
{
        if (cluster->elector)
                elector_resign(cluster->elector);
}

void cluster_free(struct cluster *cluster)
{
        if (!cluster)
                return;
        events_free(cluster->events);
        assigner_free(cluster->assigner);
        elector_free(cluster->elector);
        free(cluster);
}
