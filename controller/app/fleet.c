#include "app/fleet.h"

#include "base/log.h"
#include "core/fingerprint.h"
#include "core/fleet.h"
#include "io/kube_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "fleet"
#define PEERS_MAX 64

struct peer {
        struct kube_call *call; /* under way */
        uint32_t fingerprint;
        bool answered;
};

struct fleet {
        struct ev_loop *loop;
        const struct sources *sources;
        const struct applier *applier;
        void (*changed)(void *userdata);
        void *userdata;
        struct http_client *client;
        char *namespace, *service;
        struct addr own;
        uint16_t port;
        struct peer peers[PEERS_MAX];
        size_t n_peers;  /* asked in this round */
        size_t answered; /* in the last one */
        struct fleet_watch watch;
        ev_timer timer;
};

int fleet_answer(const struct plan *plan, struct strbuf *out)
{
        return strbuf_printf(out, "{\"plan\": %u}\n", plan_serving_fingerprint(plan));
}

static void on_answer(void *userdata, const struct kube_answer *answer)
{
        struct peer *peer = userdata;
        const json_t *plan = json_object_get(answer->json, "plan");

        peer->call = NULL;
        peer->answered = json_is_integer(plan);
        peer->fingerprint = (uint32_t)json_integer_value(plan);
}

/* One that cannot be asked does not count, whatever the reason. */
static void ask(struct fleet *fleet, const struct addr *addr)
{
        struct peer *peer = &fleet->peers[fleet->n_peers++];
        char text[ADDR_TEXT_SIZE], url[ADDR_TEXT_SIZE + 40];
        struct error error = {0};

        (void)snprintf(url, sizeof(url),
                       addr->family == AF_INET6 ? "http://[%s]:%u/fingerprint" : "http://%s:%u/fingerprint",
                       addr_format(addr, text), fleet->port);
        *peer = (struct peer){0};
        (void)kube_call_start(fleet->client, HTTP_GET, url, NULL, NULL, on_answer, peer, &peer->call, &error);
}

static void ask_slice(struct fleet *fleet, const struct endpoint_slice *slice)
{
        if (slice->family != fleet->own.family || !slice->service ||
            strcmp(slice->service, fleet->service) != 0 ||
            strcmp(slice->object.namespace, fleet->namespace) != 0)
                return;
        for (size_t i = 0; i < slice->n_endpoints && fleet->n_peers < PEERS_MAX; i++)
                if (slice->endpoints[i].state == ENDPOINT_READY &&
                    !addr_equal(&slice->endpoints[i].addr, &fleet->own))
                        ask(fleet, &slice->endpoints[i].addr);
}

static void judge(struct fleet *fleet, const struct plan *plan)
{
        uint32_t others[PEERS_MAX];
        bool before = fleet->watch.strays;
        size_t comparable;

        fleet->answered = 0;
        for (size_t i = 0; i < fleet->n_peers; i++)
                if (fleet->peers[i].answered)
                        others[fleet->answered++] = fleet->peers[i].fingerprint;
        /* Who withholds a VIP serves another table for a reason that is known, and that concerns that VIP
         * only. */
        comparable = plan_is_whole(plan) ? fleet->answered : 0;
        if (fleet_judge(&fleet->watch, plan_serving_fingerprint(plan), others, comparable) == before)
                return;
        if (!before)
                log_error(MODULE, "the fleet agrees on another plan than this pod's: it withdraws its routes",
                          LOG_INT("peers", fleet->answered));
        else
                log_info(MODULE, "this pod plans what its fleet does again",
                         LOG_INT("peers", fleet->answered));
        fleet->changed(fleet->userdata);
}

/* The last round ends, and the next one begins. */
static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct fleet *fleet = container_of(watcher, struct fleet, timer);
        const struct model *model = sources_model(fleet->sources);
        const struct plan *plan = applier_plan(fleet->applier);

        (void)loop;
        (void)revents;
        for (size_t i = 0; i < fleet->n_peers; i++)
                kube_call_cancel(fleet->peers[i].call);
        if (plan)
                judge(fleet, plan);
        fleet->n_peers = 0;
        for (size_t i = 0; plan && i < model->endpoint_slices.count; i++)
                ask_slice(fleet, object_endpoint_slice(model->endpoint_slices.objects[i]));
}

/* "NAMESPACE/NAME", and where this pod itself answers. */
static int read_options(struct fleet *fleet, const struct options *options, struct error *error)
{
        const char *slash = strchr(options->fleet, '/');
        struct addr any = {0};

        if (!slash || slash == options->fleet || !slash[1])
                return error_set(error, "--fleet", "\"%s\" is no NAMESPACE/SERVICE", options->fleet);
        fleet->namespace = strndup(options->fleet, (size_t)(slash - options->fleet));
        fleet->service = strdup(slash + 1);
        if (!fleet->namespace || !fleet->service)
                return error_oom(error);
        if (addr_parse_port(options->http_address, &fleet->own, &fleet->port) == 0)
                any.family = fleet->own.family;
        if (addr_equal(&fleet->own, &any))
                return error_set(error, "--http-address",
                                 "\"%s\" is no address that tells this pod from others",
                                 options->http_address);
        return 0;
}

int fleet_new(struct ev_loop *loop, const struct options *options, const struct sources *sources,
              const struct applier *applier, void (*changed)(void *userdata), void *userdata,
              struct fleet **out, struct error *error)
{
        _cleanup_(fleet_free_p) struct fleet *fleet = NULL;
        int r;

        *out = NULL;
        if (!options->fleet || !options->http_address)
                return 0;
        fleet = calloc(1, sizeof(*fleet));
        if (!fleet)
                return error_oom(error);
        *fleet = (struct fleet){
            .loop = loop, .sources = sources, .applier = applier, .changed = changed, .userdata = userdata};
        ev_timer_init(&fleet->timer, on_timer, FLEET_PERIOD_S, FLEET_PERIOD_S);
        r = read_options(fleet, options, error);
        if (r == 0)
                r = http_client_new(loop, &(struct http_credentials){0}, &fleet->client, error);
        if (r < 0)
                return r;
        ev_timer_start(loop, &fleet->timer);
        *out = TAKE_PTR(fleet);
        return 0;
}

bool fleet_strays(const struct fleet *fleet)
{
        return fleet && fleet->watch.strays;
}

size_t fleet_peers(const struct fleet *fleet)
{
        return fleet ? fleet->answered : 0;
}

void fleet_free(struct fleet *fleet)
{
        if (!fleet)
                return;
        ev_timer_stop(fleet->loop, &fleet->timer);
        for (size_t i = 0; i < fleet->n_peers; i++)
                kube_call_cancel(fleet->peers[i].call);
        http_client_free(fleet->client);
        free(fleet->namespace);
        free(fleet->service);
        free(fleet);
}
