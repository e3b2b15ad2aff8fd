#include "io/kube_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/kube_list.h"
#include "core/kube_meta.h"
#include "core/kube_stream.h"
#include "core/kube_url.h"

#include <errno.h>
#include <string.h>

#define MODULE "kube_watch"
#define PAGE_SIZE_DEFAULT 500
#define PAGE_LENGTH_MAX ((size_t)512 * 1024 * 1024) /* bytes */
#define PAGE_TOTAL_S 300
#define RELIST_DEFAULT_S 300
#define IDLE_DEFAULT_S 150
#define TIMEOUT_DEFAULT_S 300
#define TIMEOUT_GRACE_S 30 /* the server ends a watch by itself; later than this it does not */
#define COMPLAIN_PERIOD_MS 60000

struct kube_watch {
        struct ev_loop *loop;
        struct http_client *client;
        struct source_listener listener;
        struct kube_watch_options options;
        char *server;
        char *namespace;
        struct watch_state state;
        struct watch_end end; /* of the request under way, as far as it is known */
        struct error error;   /* what was wrong with its content */
        struct http_transfer *transfer;
        int64_t started_ms;
        ev_timer retry;
        ev_timer relist;
        struct kube_list list;
        struct kube_stream stream;
        char resource_version[KUBE_RESOURCE_VERSION_SIZE];
        struct kube_watch_stats stats;
        struct log_rate complaints, bad_complaints;
        enum watch_reason complaint; /* PROGRESS: nothing to complain about */
};

static void request(struct kube_watch *watch);

static const char *verb(enum watch_request request)
{
        return request == WATCH_REQUEST_WATCH ? "watch" : "list";
}

/* ---- what people hear of it ---- */

static void note_bad(void *userdata, enum kube_kind kind, const char *namespace, const char *name,
                     const struct error *error)
{
        struct kube_watch *watch = userdata;

        (void)kind;
        (void)namespace;
        (void)name;
        watch->stats.bad_objects++;
        if (log_rate_allow(&watch->bad_complaints, clock_monotonic_ms(), 1000))
                log_warning(MODULE, "bad object; its last good version stays", LOG_ERROR_FIELDS(error));
}

static void complain(struct kube_watch *watch, enum watch_request failed, const struct watch_next *next,
                     const char *what)
{
        enum log_level level = LOG_LEVEL_WARNING;
        bool is_new = next->reason != watch->complaint;

        if (next->reason == WATCH_REASON_PROGRESS)
                return;
        watch->stats.restarts[next->reason]++;
        if (next->reason == WATCH_REASON_ENDED)
                level = LOG_LEVEL_DEBUG;
        else if (next->reason == WATCH_REASON_EXPIRED)
                level = LOG_LEVEL_INFO;
        else if (next->reason == WATCH_REASON_FORBIDDEN)
                level = LOG_LEVEL_ERROR;
        if (level <= LOG_LEVEL_WARNING) {
                if (!log_rate_allow(&watch->complaints, clock_monotonic_ms(), COMPLAIN_PERIOD_MS) && !is_new)
                        return;
                watch->complaint = next->reason;
        }
        log_at_(level, MODULE,
                level == LOG_LEVEL_DEBUG ? "watch ended"
                                         : "the API did not answer as asked; the last state stays",
                LOG_TEXT("verb", verb(failed)), LOG_TEXT("resource", kube_kind_resource(watch->options.kind)),
                LOG_TEXT("namespace", watch->namespace), LOG_TEXT("reason", watch_reason_name(next->reason)),
                LOG_INT("status", watch->end.status), LOG_TEXT("error", what),
                LOG_INT("retry_ms", next->delay_ms));
}

static void stop_complaining(struct kube_watch *watch)
{
        if (watch->complaint != WATCH_REASON_PROGRESS)
                log_info(MODULE, "the API answers again",
                         LOG_TEXT("resource", kube_kind_resource(watch->options.kind)),
                         LOG_TEXT("after", watch_reason_name(watch->complaint)));
        watch->complaint = WATCH_REASON_PROGRESS;
}

/* ---- from one request to the next ---- */

static void publish(struct kube_watch *watch)
{
        struct object_list *objects = model_list(&watch->list.objects, watch->options.kind);
        struct object_list *bad = model_list(&watch->list.bad, watch->options.kind);
        double relist_s = watch->options.relist_s * (0.9 + 0.2 * arc4random() / UINT32_MAX);
        bool is_first = watch->stats.lists++ == 0;

        stop_complaining(watch);
        log_at_(is_first ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, MODULE, "list complete",
                LOG_TEXT("resource", kube_kind_resource(watch->options.kind)),
                LOG_INT("objects", objects->count), LOG_INT("bad", bad->count),
                LOG_TEXT("resource_version", watch->list.resource_version));
        memcpy(watch->resource_version, watch->list.resource_version, sizeof(watch->resource_version));
        watch->stats.last_list_ms = clock_monotonic_ms();
        watch->listener.replace(watch->listener.userdata, watch->options.kind, objects, bad);
        kube_list_clear(&watch->list);
        ev_timer_stop(watch->loop, &watch->relist);
        ev_timer_set(&watch->relist, relist_s, 0);
        ev_timer_start(watch->loop, &watch->relist);
}

static void schedule(struct kube_watch *watch, int64_t delay_ms)
{
        ev_now_update(watch->loop);
        ev_timer_stop(watch->loop, &watch->retry);
        ev_timer_set(&watch->retry, (double)delay_ms / 1000, 0);
        ev_timer_start(watch->loop, &watch->retry);
}

static void request_ended(struct kube_watch *watch, const char *what)
{
        enum watch_request ended = watch->state.request;
        struct watch_next next;

        watch->end.lived_ms = clock_monotonic_ms() - watch->started_ms;
        next = watch_state_ended(&watch->state, &watch->end, arc4random());
        complain(watch, ended, &next, what);
        if (next.forget_token)
                http_client_forget_token(watch->client);
        if (next.publish)
                publish(watch);
        schedule(watch, next.delay_ms);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
        (void)loop;
        (void)revents;
        request(container_of(timer, struct kube_watch, retry));
}

static void on_relist(struct ev_loop *loop, ev_timer *timer, int revents)
{
        struct kube_watch *watch = container_of(timer, struct kube_watch, relist);

        (void)loop;
        (void)revents;
        if (watch->state.request ==
            WATCH_REQUEST_WATCH) /* else a list is on its way, which will set the timer */
                kube_watch_relist(watch);
}

void kube_watch_relist(struct kube_watch *watch)
{
        (void)watch_state_relist(&watch->state);
        watch->stats.restarts[WATCH_REASON_PERIODIC]++;
        if (!watch->transfer)
                return; /* backing off; a list comes after that */
        http_transfer_cancel(watch->transfer);
        watch->transfer = NULL;
        request(watch);
}

static void on_done(void *userdata, const struct http_result *result)
{
        struct kube_watch *watch = userdata;
        char message[256];

        watch->transfer = NULL;
        watch->stats.watching = false;
        watch->end.status = result->status;
        watch->end.complete = result->complete;
        watch->end.timed_out = result->timed_out;
        watch->end.retry_after_ms = result->retry_after_ms;
        if (result->status) {
                watch->stats.last_status = result->status;
                watch->stats.last_contact_ms = clock_monotonic_ms();
        }
        if (result->status >= 200 && result->status <= 299 && result->complete) {
                if (watch->state.request != WATCH_REQUEST_WATCH) {
                        watch->stats.pages++;
                        watch->end.malformed =
                            kube_list_end_page(&watch->list, watch->options.kind, &watch->error) < 0;
                        watch->end.more = watch->list.continue_token;
                } else if (kube_stream_pending(&watch->stream)) {
                        watch->end.complete = false;
                        (void)error_set(&watch->error, NULL, "the stream ended in the middle of a line");
                }
        } else if (result->complete) {
                (void)error_set(&watch->error, NULL, "%s",
                                kube_status_message(result->body, message, sizeof(message)));
        }
        kube_list_drop_page(&watch->list);
        request_ended(watch, watch->error.what[0] ? watch->error.what : result->error.what);
}

/* ---- lists ---- */

static int on_page_data(void *userdata, const char *data, size_t length)
{
        struct kube_watch *watch = userdata;

        int r;

        watch->stats.last_contact_ms = clock_monotonic_ms();
        r = kube_list_feed(&watch->list, watch->options.kind, data, length, note_bad, watch, &watch->error);
        watch->end.malformed = r < 0;
        return r;
}

/* ---- watches ---- */

static int note_version(struct kube_watch *watch, const char *resource_version, struct error *error)
{
        if (!*resource_version || strlen(resource_version) >= sizeof(watch->resource_version))
                return error_set(error, NULL, "watch: an object without a usable resourceVersion");
        memcpy(watch->resource_version, resource_version, strlen(resource_version) + 1);
        watch->end.saw_event = true;
        return 0;
}

static void put_object(struct kube_watch *watch, const json_t *json)
{
        struct object *object = NULL;
        struct error error = {{0}, {0}};

        if (kube_decode_object(watch->options.kind, json, &object, &error) < 0)
                note_bad(watch, watch->options.kind, NULL, NULL, &error);
        else
                watch->listener.put(watch->listener.userdata, watch->options.kind, object);
}

static void remove_object(struct kube_watch *watch, const json_t *json)
{
        const char *namespace = NULL, *name = NULL;

        /* A name that is not valid is none that we ever told the listener. */
        if (kube_decode_name(json, &namespace, &name) == 0)
                watch->listener.remove(watch->listener.userdata, watch->options.kind,
                                       namespace ? namespace : "default", name);
}

/* A watch tells of changes in their order. One that does not may have told of an object's end before its last
 * change, or not at all: only a list can say what is true. */
static int check_order(const struct kube_watch *watch, const struct kube_event *event, struct error *error)
{
        if (!kube_version_is_older(event->resource_version, watch->resource_version))
                return 0;
        return error_set(error, NULL, "watch: an event out of order: version %s after %s",
                         event->resource_version, watch->resource_version);
}

static int on_event(void *userdata, const struct kube_event *event, struct error *error)
{
        struct kube_watch *watch = userdata;

        if (event->type != KUBE_EVENT_ERROR && check_order(watch, event, error) < 0)
                return -EINVAL;

        switch (event->type) {
        case KUBE_EVENT_ERROR:
                watch->end.stream_error = event->error_code ? event->error_code : 500;
                (void)error_set(error, NULL, "%s", event->error_message);
                return -ECONNRESET;
        case KUBE_EVENT_ADDED:
        case KUBE_EVENT_MODIFIED:
                put_object(watch, event->object);
                break;
        case KUBE_EVENT_DELETED:
                remove_object(watch, event->object);
                break;
        case KUBE_EVENT_BOOKMARK:
                return note_version(watch, event->resource_version, error);
        }
        watch->stats.events++;
        return note_version(watch, event->resource_version, error);
}

static int on_watch_data(void *userdata, const char *data, size_t length)
{
        struct kube_watch *watch = userdata;
        int r;

        watch->stats.last_contact_ms = clock_monotonic_ms();
        watch->stats.watching = true;
        stop_complaining(watch);
        r = kube_stream_feed(&watch->stream, data, length, on_event, watch, &watch->error);
        if (r < 0 && !watch->end.stream_error)
                watch->end.malformed = true;
        return r;
}

/* ---- requests ---- */

static int build_request(struct kube_watch *watch, struct http_request *http, struct strbuf *url)
{
        const struct kube_watch_options *options = &watch->options;
        unsigned int timeout_s;

        http->done = on_done;
        http->userdata = watch;
        if (watch->state.request != WATCH_REQUEST_WATCH) {
                http->data = on_page_data;
                http->max_length = PAGE_LENGTH_MAX;
                http->total_s = PAGE_TOTAL_S;
                return kube_url_list(url, watch->server, watch->namespace, options->kind, options->page_size,
                                     watch->list.continue_token);
        }
        /* Random, so that a fleet's watches do not end at one moment. */
        timeout_s = options->timeout_s + arc4random_uniform(options->timeout_s + 1);
        http->data = on_watch_data;
        http->idle_s = options->idle_s;
        http->total_s = timeout_s + TIMEOUT_GRACE_S;
        watch->stats.watches++;
        return kube_url_watch(url, watch->server, watch->namespace, options->kind, watch->resource_version,
                              timeout_s);
}

static void request(struct kube_watch *watch)
{
        _cleanup_strbuf_ struct strbuf url = {0};
        struct http_request http = {.method = HTTP_GET};

        ev_timer_stop(watch->loop, &watch->retry);
        watch->started_ms = clock_monotonic_ms();
        watch->end = (struct watch_end){.retry_after_ms = -1};
        watch->error = (struct error){{0}, {0}};
        kube_stream_clear(&watch->stream);
        if (watch->state.request == WATCH_REQUEST_LIST) {
                kube_list_clear(&watch->list);
                watch->stats.list_began_ms = watch->started_ms;
        }
        if (build_request(watch, &http, &url) < 0) {
                request_ended(watch, "out of memory");
                return;
        }
        http.url = url.text;
        if (http_client_start(watch->client, &http, &watch->transfer, &watch->error) < 0)
                request_ended(watch, watch->error.what);
}

int kube_watch_new(struct ev_loop *loop, struct http_client *client, const struct kube_watch_options *options,
                   const struct source_listener *listener, struct kube_watch **out, struct error *error)
{
        struct kube_watch *watch = calloc(1, sizeof(*watch));

        if (!watch)
                return error_oom(error);
        watch->server = strdup(options->server);
        watch->namespace = options->namespace ? strdup(options->namespace) : NULL;
        if (!watch->server || (options->namespace && !watch->namespace)) {
                free(watch->server);
                free(watch->namespace);
                free(watch);
                return error_oom(error);
        }
        watch->loop = loop;
        watch->client = client;
        watch->listener = *listener;
        watch->options = *options;
        watch->options.server = watch->server;
        watch->options.namespace = watch->namespace;
        if (!options->page_size)
                watch->options.page_size = PAGE_SIZE_DEFAULT;
        if (!options->relist_s)
                watch->options.relist_s = RELIST_DEFAULT_S;
        if (!options->idle_s)
                watch->options.idle_s = IDLE_DEFAULT_S;
        if (!options->timeout_s)
                watch->options.timeout_s = TIMEOUT_DEFAULT_S;
        ev_init(&watch->retry, on_retry);
        ev_init(&watch->relist, on_relist);
        *out = watch;
        return 0;
}

void kube_watch_start(struct kube_watch *watch)
{
        schedule(watch, 0);
}

const struct kube_watch_stats *kube_watch_stats(const struct kube_watch *watch)
{
        return &watch->stats;
}

void kube_watch_free(struct kube_watch *watch)
{
        if (!watch)
                return;
        http_transfer_cancel(watch->transfer);
        ev_timer_stop(watch->loop, &watch->retry);
        ev_timer_stop(watch->loop, &watch->relist);
        kube_list_clear(&watch->list);
        kube_stream_clear(&watch->stream);
        free(watch->server);
        free(watch->namespace);
        free(watch);
}
