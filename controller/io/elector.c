#include "io/elector.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/clock.h"
#include "core/leader.h"
#include "io/kube_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MODULE "elector"

struct elector {
        struct ev_loop *loop;
        struct http_client *client;
        struct strbuf collection; /* URL of the namespace's leases */
        struct strbuf url;        /* of the Lease */
        char *namespace, *name, *identity;
        elector_fn *changed;
        void *userdata;
        struct leader leader;
        struct lease lease; /* as last read */
        bool exists;
        bool leading; /* as last told */
        bool started, resigned;
        struct kube_call *call;
        bool writing; /* by that call */
        int64_t sent_ms;
        ev_timer next;
        ev_timer deadline; /* when leading ends unless it is renewed */
        struct log_rate rate;
};

static void tell(struct elector *e)
{
        bool leading = elector_is_leading(e);

        if (leading == e->leading)
                return;
        e->leading = leading;
        log_info(MODULE, leading ? "this pod leads: it assigns addresses" : "this pod leads no longer",
                 LOG_TEXT("identity", e->identity), LOG_TEXT("holder", e->lease.holder));
        e->changed(e->userdata, leading);
}

static void try_again(struct elector *e)
{
        /* A little jitter, so that pods which started together do not go on asking together. */
        double delay_s = LEADER_RETRY_MS / 1e3 * (0.9 + 0.2 * arc4random() / UINT32_MAX);

        if (e->resigned)
                return;
        ev_timer_stop(e->loop, &e->next);
        ev_timer_set(&e->next, delay_s, 0.0);
        ev_timer_start(e->loop, &e->next);
}

static void complain(struct elector *e, const char *verb, const struct error *error)
{
        if (log_rate_allow(&e->rate, clock_monotonic_ms(), 30000))
                log_warning(MODULE, "cannot use the Lease", LOG_TEXT("verb", verb),
                            LOG_TEXT("lease", e->name), LOG_TEXT("namespace", e->namespace),
                            LOG_TEXT("error", error->what));
}

/* What the Lease has become by our write: its new version is what giving it back has to name. */
static void keep_written(struct elector *e, const json_t *json)
{
        struct lease lease = {0};
        struct error error = {{0}, {0}};

        if (!json || lease_decode(json, &lease, &error) < 0)
                return;
        lease_clear(&e->lease);
        e->lease = lease;
        e->exists = true;
}

static void give_back(struct elector *e);

static void on_written(void *userdata, const struct kube_answer *answer)
{
        struct elector *e = userdata;
        bool written = answer->status >= 200 && answer->status < 300;

        e->call = NULL;
        if (written)
                keep_written(e, answer->json);
        if (e->resigned) {
                give_back(e);
                return;
        }
        if (written) {
                leader_wrote(&e->leader, e->sent_ms);
                ev_timer_stop(e->loop, &e->deadline);
                ev_timer_set(&e->deadline,
                             (double)(e->sent_ms + LEADER_RENEW_DEADLINE_MS - clock_monotonic_ms()) / 1e3 +
                                 0.001,
                             0.0);
                ev_timer_start(e->loop, &e->deadline);
        } else if (answer->status == 409) {
                leader_lost(&e->leader); /* somebody was quicker */
        } else {
                complain(e, e->exists ? "update" : "create", &answer->error);
        }
        tell(e);
        try_again(e);
}

static void write_lease(struct elector *e, const char *identity, kube_call_fn *done)
{
        _cleanup_json_ json_t *body = NULL;
        struct error error = {0};
        char now[CLOCK_MICRO_TIME_SIZE];

        clock_micro_time(now);
        body = lease_encode(e->name, e->namespace, identity, e->exists ? &e->lease : NULL, now);
        e->sent_ms = clock_monotonic_ms();
        e->writing = true;
        if (!body || kube_call_start(e->client, e->exists ? HTTP_PUT : HTTP_POST,
                                     e->exists ? e->url.text : e->collection.text, body, NULL, done, e,
                                     &e->call, &error) < 0)
                try_again(e);
}

/* Reads what the answer says into e->lease. */
static int take_lease(struct elector *e, const struct kube_answer *answer)
{
        struct lease lease = {0};
        struct error error = answer->error;

        if (answer->status == 404) {
                e->exists = false;
                return 0;
        }
        if (answer->status != 200 || lease_decode(answer->json, &lease, &error) < 0) {
                complain(e, "get", &error);
                return -EINVAL;
        }
        lease_clear(&e->lease);
        e->lease = lease;
        e->exists = true;
        return 0;
}

static void on_read(void *userdata, const struct kube_answer *answer)
{
        struct elector *e = userdata;

        e->call = NULL;
        if (take_lease(e, answer) == 0 &&
            leader_saw(&e->leader, e->exists ? &e->lease : NULL, clock_monotonic_ms()) == LEADER_WRITE) {
                write_lease(e, e->identity, on_written);
                return;
        }
        tell(e);
        try_again(e);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
        struct elector *e = container_of(timer, struct elector, next);
        struct error error = {0};

        (void)loop;
        (void)revents;
        e->writing = false;
        if (kube_call_start(e->client, HTTP_GET, e->url.text, NULL, NULL, on_read, e, &e->call, &error) < 0) {
                complain(e, "get", &error);
                try_again(e);
        }
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)loop;
        (void)revents;
        tell(container_of(timer, struct elector, deadline));
}

static int copy_texts(struct elector *e, const char *server, const char *namespace, const char *name,
                      const char *identity)
{
        e->namespace = strdup(namespace);
        e->name = strdup(name);
        e->identity = strdup(identity);
        if (!e->namespace || !e->name || !e->identity)
                return -ENOMEM;
        e->leader.identity = e->identity;
        if (strbuf_printf(&e->collection, "%s/apis/coordination.k8s.io/v1/namespaces/%s/leases", server,
                          namespace) < 0)
                return -ENOMEM;
        return strbuf_printf(&e->url, "%s/%s", e->collection.text, name);
}

int elector_new(struct ev_loop *loop, struct http_client *client, const char *server, const char *namespace,
                const char *name, const char *identity, elector_fn *changed, void *userdata,
                struct elector **out, struct error *error)
{
        struct elector *e = calloc(1, sizeof(*e));

        if (!e)
                return error_oom(error);
        *e = (struct elector){.loop = loop, .client = client, .changed = changed, .userdata = userdata};
        ev_timer_init(&e->next, on_next, 0.0, 0.0);
        ev_timer_init(&e->deadline, on_deadline, 0.0, 0.0);
        if (copy_texts(e, server, namespace, name, identity) < 0) {
                elector_free(e);
                return error_oom(error);
        }
        *out = e;
        return 0;
}

void elector_start(struct elector *e)
{
        if (!e->started)
                ev_timer_start(e->loop, &e->next);
        e->started = true;
}

bool elector_is_leading(const struct elector *e)
{
        return !e->resigned && leader_is_leading(&e->leader, clock_monotonic_ms());
}

/* The answer is of no interest: the Lease ends by itself. */
static void on_given_back(void *userdata, const struct kube_answer *answer)
{
        struct elector *e = userdata;

        (void)answer;
        e->call = NULL;
}

static void give_back(struct elector *e)
{
        if (e->exists && strcmp(e->lease.holder, e->identity) == 0)
                write_lease(e, NULL, on_given_back);
}

/* A renewal under way may have been carried out: then only its answer tells which version to give back. */
void elector_resign(struct elector *e)
{
        ev_timer_stop(e->loop, &e->next);
        ev_timer_stop(e->loop, &e->deadline);
        e->started = e->resigned = true;
        tell(e);
        if (e->call && e->writing)
                return;
        kube_call_cancel(TAKE_PTR(e->call));
        give_back(e);
}

void elector_free(struct elector *e)
{
        if (!e)
                return;
        ev_timer_stop(e->loop, &e->next);
        ev_timer_stop(e->loop, &e->deadline);
        kube_call_cancel(e->call);
        lease_clear(&e->lease);
        leader_clear(&e->leader);
        strbuf_clear(&e->collection);
        strbuf_clear(&e->url);
        free(e->namespace);
        free(e->name);
        free(e->identity);
        free(e);
}
