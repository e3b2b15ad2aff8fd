#include "app/assigner.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "core/backoff.h"
#include "core/service_status.h"
#include "io/kube_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "assigner"
#define AT_ONCE 8 /* writes under way */

enum assigner_state {
        ASSIGNER_FOLLOWS,
        ASSIGNER_WAITS_FOR_LIST,
        ASSIGNER_READY,
        ASSIGNER_WRITES,
};

struct write {
        struct assigner *assigner;
        struct assignment assignment;
        struct kube_call *call; /* under way */
        bool failed;            /* not again until `again`, or until the Service is another version */
};

struct assigner {
        struct ev_loop *loop;
        struct http_client *client;
        const char *server;
        struct assigner_listener listener;
        const struct elector *elector;
        enum assigner_state state;
        struct write *writes; /* of this round, or of the last one; sorted as a plan's assignments are */
        size_t n_writes;
        size_t next; /* the first that has not been sent */
        size_t under_way;
        bool tried, failed,
            unknown; /* of this round: any; any of them in vain; any with an unknown outcome */
        struct backoff backoff;
        int64_t retry_after_ms;
        ev_timer again;
        struct log_rate complaints;
        bool warned_of_mode;
};

static void forget_writes(struct assigner *a)
{
        for (size_t i = 0; i < a->n_writes; i++) {
                kube_call_cancel(a->writes[i].call);
                assignment_clear(&a->writes[i].assignment);
        }
        free(TAKE_PTR(a->writes));
        a->n_writes = a->next = a->under_way = 0;
}

static void try_again_later(struct assigner *a)
{
        if (ev_is_active(&a->again))
                return;
        ev_timer_set(&a->again, (double)backoff_next(&a->backoff, arc4random(), a->retry_after_ms) / 1e3,
                     0.0);
        ev_timer_start(a->loop, &a->again);
        a->retry_after_ms = 0;
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
        struct assigner *a = container_of(timer, struct assigner, again);

        (void)loop;
        (void)revents;
        for (size_t i = 0; i < a->n_writes; i++)
                a->writes[i].failed = false;
        a->listener.finished(a->listener.userdata);
}

/* A cluster that does not know ipMode drops it without a word, and its kube-proxies take the VIP for their
 * own. */
static void look_at_mode(struct assigner *a, const json_t *service)
{
        const json_t *status = json_object_get(service, "status");
        const json_t *ingress = json_object_get(json_object_get(status, "loadBalancer"), "ingress");

        if (a->warned_of_mode || !json_array_size(ingress) ||
            json_object_get(json_array_get(ingress, 0), "ipMode"))
                return;
        a->warned_of_mode = true;
        log_warning(MODULE,
                    "this cluster does not keep ipMode (Kubernetes before 1.30): kube-proxy will answer for "
                    "the service addresses on the nodes themselves");
}

static void log_written(const struct assignment *assignment)
{
        char text[ADDR_TEXT_SIZE] = "";

        for (size_t i = 0; i < assignment->n_addrs; i++)
                log_info(MODULE, "address written to status", LOG_TEXT("namespace", assignment->namespace),
                         LOG_TEXT("service", assignment->name),
                         LOG_TEXT("address", addr_format(&assignment->addrs[i], text)));
        if (!assignment->n_addrs)
                log_info(MODULE, "status emptied", LOG_TEXT("namespace", assignment->namespace),
                         LOG_TEXT("service", assignment->name));
}

static void complain(struct assigner *a, const struct write *write, const struct kube_answer *answer)
{
        /* 404 and 409: the Service went or changed under our hands, which the watch will tell. */
        if (answer->status == 404 || answer->status == 409 ||
            !log_rate_allow(&a->complaints, clock_monotonic_ms(), 1000))
                return;
        log_warning(MODULE, "cannot write a status; trying again", LOG_TEXT("verb", "patch"),
                    LOG_TEXT("resource", "services/status"),
                    LOG_TEXT("namespace", write->assignment.namespace),
                    LOG_TEXT("service", write->assignment.name), LOG_TEXT("error", answer->error.what));
}

static void send_more(struct assigner *a);

static void on_answer(void *userdata, const struct kube_answer *answer)
{
        struct write *write = userdata;
        struct assigner *a = write->assigner;

        write->call = NULL;
        a->under_way--;
        if (answer->status >= 200 && answer->status < 300 && answer->json) {
                log_written(&write->assignment);
                look_at_mode(a, answer->json);
                a->listener.written(a->listener.userdata, answer->json);
        } else {
                write->failed = a->failed = true;
                /* A refusal says that nothing was written; all else, that nobody knows. */
                a->unknown |= answer->status < 400 || answer->status >= 500;
                if (answer->retry_after_ms > a->retry_after_ms)
                        a->retry_after_ms = answer->retry_after_ms;
                complain(a, write, answer);
        }
        send_more(a);
}

static int send_one(struct assigner *a, struct write *write)
{
        const struct assignment *assignment = &write->assignment;
        _cleanup_json_ json_t *body = service_status_patch(assignment);
        _cleanup_strbuf_ struct strbuf url = {0};
        struct error error = {0};

        if (!body || strbuf_printf(&url, "%s/api/v1/namespaces/%s/services/%s/status", a->server,
                                   assignment->namespace, assignment->name) < 0)
                return -ENOMEM;
        return kube_call_start(a->client, HTTP_PATCH, url.text, body, KUBE_CALL_MERGE_PATCH, on_answer, write,
                               &write->call, &error);
}

static void end_round(struct assigner *a)
{
        a->state = a->unknown ? ASSIGNER_WAITS_FOR_LIST : ASSIGNER_READY;
        if (!a->tried)
                return; /* what failed waits; nothing is news */
        if (a->failed)
                try_again_later(a);
        else if (!ev_is_active(&a->again))
                backoff_reset(&a->backoff);
        if (a->unknown)
                a->listener.want_list(a->listener.userdata);
        a->listener.finished(a->listener.userdata);
}

static void send_more(struct assigner *a)
{
        for (; a->next < a->n_writes && a->under_way < AT_ONCE; a->next++) {
                struct write *write = &a->writes[a->next];

                if (write->failed)
                        continue;
                a->tried = true;
                if (elector_is_leading(a->elector) && send_one(a, write) == 0)
                        a->under_way++;
                else
                        write->failed = a->failed = true;
        }
        if (!a->under_way)
                end_round(a);
}

struct assigner *assigner_new(struct ev_loop *loop, struct http_client *client, const char *server,
                              const struct assigner_listener *listener)
{
        struct assigner *a = calloc(1, sizeof(*a));

        if (!a)
                return NULL;
        *a = (struct assigner){.loop = loop, .client = client, .server = server, .listener = *listener};
        ev_timer_init(&a->again, on_again, 0.0, 0.0);
        return a;
}

void assigner_lead(struct assigner *a, const struct elector *elector, bool leading)
{
        a->elector = elector;
        forget_writes(a);
        ev_timer_stop(a->loop, &a->again);
        a->state = leading ? ASSIGNER_WAITS_FOR_LIST : ASSIGNER_FOLLOWS;
        if (leading)
                a->listener.want_list(a->listener.userdata);
}

void assigner_listed(struct assigner *a)
{
        if (a->state == ASSIGNER_WAITS_FOR_LIST)
                a->state = ASSIGNER_READY;
}

/* Whether that has been tried in vain. Both are sorted: *at goes on from one assignment to the next. */
static bool has_failed(const struct assigner *a, const struct assignment *assignment, size_t *at)
{
        for (; *at < a->n_writes; ++*at) {
                const struct assignment *tried = &a->writes[*at].assignment;
                int order = strcmp(tried->namespace, assignment->namespace);

                if (!order)
                        order = strcmp(tried->name, assignment->name);
                if (order >= 0)
                        return !order && a->writes[*at].failed &&
                               strcmp(tried->resource_version, assignment->resource_version) == 0;
        }
        return false;
}

void assigner_write(struct assigner *a, struct plan *plan)
{
        struct write *writes;
        size_t at = 0;

        if (a->state != ASSIGNER_READY)
                return;
        writes = calloc(plan->n_assignments + 1, sizeof(*writes));
        if (!writes) {
                try_again_later(a);
                return;
        }
        for (size_t i = 0; i < plan->n_assignments; i++)
                writes[i] = (struct write){.assigner = a,
                                           .assignment = plan->assignments[i],
                                           .failed = has_failed(a, &plan->assignments[i], &at)};
        forget_writes(a);
        a->writes = writes;
        a->n_writes = plan->n_assignments;
        plan->n_assignments = 0; /* they are ours now */
        a->tried = a->failed = a->unknown = false;
        a->state = ASSIGNER_WRITES;
        send_more(a);
}

void assigner_free(struct assigner *a)
{
        if (!a)
                return;
        ev_timer_stop(a->loop, &a->again);
        forget_writes(a);
        free(a);
}
