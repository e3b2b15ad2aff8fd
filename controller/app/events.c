#include "app/events.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sorted.h"
#include "base/strbuf.h"
#include "core/backoff.h"
#include "core/event.h"
#include "io/kube_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "events"
#define TOLD_MAX 1000     /* remembered; who has more problems than this has one that no Event helps */
#define SERIES_MS 600000  /* between two tellings of a problem that lasts */
#define FORGET_MS 3600000 /* after it is gone; the API forgets an Event after an hour too */

/* A problem that is, or was, known. Sorted by name. */
struct told {
        char name[EVENT_NAME_SIZE];
        char *namespace;
        json_t *body;       /* to be created; NULL once it is */
        unsigned int count; /* how often it was seen to begin, or to last for another SERIES_MS */
        unsigned long seen; /* the newest telling that had it */
        bool to_tell;
        int64_t last_ms; /* told */
};

struct events {
        struct ev_loop *loop;
        struct http_client *client;
        const char *server;
        char *instance;
        unsigned long tellings;
        struct told *told; /* room for TOLD_MAX, of which the kernel gives what is used */
        size_t n_told;
        struct kube_call *call;
        char under_way[EVENT_NAME_SIZE];
        struct backoff backoff;
        ev_timer again;
};

static int compare_to_told(const void *name, const void *told)
{
        return strcmp(name, ((const struct told *)told)->name);
}

/* *at receives where it is, or would be. */
static bool find(const struct events *e, const char *name, size_t *at)
{
        return sorted_find(name, e->told, e->n_told, sizeof(*e->told), compare_to_told, at);
}

static void clear(struct told *told)
{
        free(told->namespace);
        json_decref(told->body);
}

static void forget_old(struct events *e)
{
        size_t kept = 0;

        for (size_t i = 0; i < e->n_told; i++) {
                struct told *told = &e->told[i];

                if (told->seen == e->tellings || clock_monotonic_ms() - told->last_ms < FORGET_MS)
                        e->told[kept++] = *told;
                else
                        clear(told);
        }
        e->n_told = kept;
}

static void send_next(struct events *e);

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)loop;
        (void)revents;
        send_next(container_of(timer, struct events, again));
}

static void complain(const struct told *told, const struct kube_answer *answer)
{
        log_warning(MODULE, "cannot tell a problem by an Event",
                    LOG_TEXT("verb", told->body ? "create" : "patch"),
                    LOG_TEXT("resource", "events.events.k8s.io"), LOG_TEXT("namespace", told->namespace),
                    LOG_TEXT("error", answer->error.what));
}

/* It has been told; or it exists, because an earlier leader has told it: then this is its series. */
static void note_told(struct events *e, struct told *told, bool exists)
{
        told->to_tell = exists && told->body;
        told->count += told->to_tell;
        json_decref(TAKE_PTR(told->body));
        told->last_ms = clock_monotonic_ms();
        backoff_reset(&e->backoff);
}

static void take_answer(struct events *e, size_t at, const struct kube_answer *answer)
{
        struct told *told = &e->told[at];
        int status = answer->status;

        if ((status >= 200 && status < 300) || status == 409) {
                note_told(e, told, status == 409);
        } else if (status == 404 && !told->body) { /* it was an hour old: to be told anew */
                clear(told);
                memmove(told, told + 1, (--e->n_told - at) * sizeof(*told));
        } else if (status >= 400 && status < 500 && status != 401 && status != 429) {
                complain(told, answer); /* the namespace goes, or we may not: it will not be better soon */
                told->to_tell = false;
                told->last_ms = clock_monotonic_ms();
        } else {
                complain(told, answer);
                ev_timer_set(&e->again,
                             (double)backoff_next(&e->backoff, arc4random(), answer->retry_after_ms) / 1e3,
                             0.0);
                ev_timer_start(e->loop, &e->again);
        }
}

static void on_answer(void *userdata, const struct kube_answer *answer)
{
        struct events *e = userdata;
        size_t at;

        e->call = NULL;
        if (find(e, e->under_way, &at))
                take_answer(e, at, answer);
        send_next(e);
}

static int send_one(struct events *e, struct told *told)
{
        _cleanup_strbuf_ struct strbuf url = {0};
        _cleanup_json_ json_t *series = NULL;
        struct error error = {0};
        char now[CLOCK_MICRO_TIME_SIZE];

        clock_micro_time(now);
        if (!told->body)
                series = event_series(told->count, now);
        if (strbuf_printf(&url, "%s/apis/events.k8s.io/v1/namespaces/%s/events", e->server, told->namespace) <
                0 ||
            (!told->body && strbuf_printf(&url, "/%s", told->name) < 0))
                return -ENOMEM;
        memcpy(e->under_way, told->name, sizeof(e->under_way));
        return kube_call_start(e->client, told->body ? HTTP_POST : HTTP_PATCH, url.text,
                               told->body ? told->body : series, told->body ? NULL : KUBE_CALL_MERGE_PATCH,
                               on_answer, e, &e->call, &error);
}

/* One at a time, for nobody waits for them; in turn, so that one that fails is not in the way. */
static void send_next(struct events *e)
{
        size_t next;

        if (find(e, e->under_way, &next))
                next++;
        for (size_t i = 0; i < e->n_told && !e->call && !ev_is_active(&e->again); i++) {
                struct told *told = &e->told[(next + i) % e->n_told];

                if (!told->to_tell || send_one(e, told) == 0)
                        continue;
                ev_timer_set(&e->again, 1.0, 0.0);
                ev_timer_start(e->loop, &e->again);
        }
}

static void add(struct events *e, const struct problem *problem, const struct service *service,
                const char *name, size_t at)
{
        struct told told = {
            .count = 1, .seen = e->tellings, .to_tell = true, .last_ms = clock_monotonic_ms()};
        char now[CLOCK_MICRO_TIME_SIZE];

        if (e->n_told >= TOLD_MAX)
                return;
        clock_micro_time(now);
        (void)memcpy(told.name, name, sizeof(told.name));
        told.namespace = strdup(service->object.namespace);
        told.body = event_create(problem, service, e->instance, now);
        if (!told.namespace || !told.body) {
                free(told.namespace);
                json_decref(told.body);
                return;
        }
        memmove(e->told + at + 1, e->told + at, (e->n_told - at) * sizeof(*e->told));
        e->told[at] = told;
        e->n_told++;
}

static void tell_one(struct events *e, const struct problem *problem, const struct service *service)
{
        char name[EVENT_NAME_SIZE] = "";
        struct told *told;
        size_t at;

        event_name(problem, service, name);
        if (!find(e, name, &at)) {
                add(e, problem, service, name, at);
                return;
        }
        told = &e->told[at];
        /* It has come back, or lasts. One that waits to be told is told soon enough. */
        if (!told->to_tell &&
            (told->seen + 1 < e->tellings || clock_monotonic_ms() - told->last_ms > SERIES_MS)) {
                told->count++;
                told->to_tell = true;
        }
        told->seen = e->tellings;
}

static const struct service *service_of(const struct model *model, const struct problem *problem)
{
        _cleanup_free_ char *namespace = strdup(problem->service);
        char *slash = namespace ? strchr(namespace, '/') : NULL;

        if (!slash)
                return NULL;
        *slash = '\0';
        return object_service(object_list_find(&model->services, namespace, slash + 1));
}

void events_tell(struct events *e, const struct model *model, const struct plan *plan)
{
        e->tellings++;
        for (size_t i = 0; i < plan->n_problems; i++) {
                const struct service *service = service_of(model, &plan->problems[i]);

                if (service)
                        tell_one(e, &plan->problems[i], service);
        }
        forget_old(e);
        send_next(e);
}

void events_forget(struct events *e)
{
        ev_timer_stop(e->loop, &e->again);
        kube_call_cancel(TAKE_PTR(e->call));
        for (size_t i = 0; i < e->n_told; i++)
                clear(&e->told[i]);
        e->n_told = 0;
}

struct events *events_new(struct ev_loop *loop, struct http_client *client, const char *server,
                          const char *instance)
{
        struct events *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        *e = (struct events){.loop = loop, .client = client, .server = server, .instance = strdup(instance)};
        e->told = calloc(TOLD_MAX, sizeof(*e->told));
        if (!e->instance || !e->told) {
                free(e->told);
                free(e->instance);
                free(e);
                return NULL;
        }
        ev_timer_init(&e->again, on_again, 0.0, 0.0);
        return e;
}

void events_free(struct events *e)
{
        if (!e)
                return;
        events_forget(e);
        free(e->told);
        free(e->instance);
        free(e);
}
