#include "app/assigner.h"

#include "base/cleanup.h"
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

struct slot {
        struct assigner *assigner;
        struct kube_call *call;
        size_t index; /* of the assignment */
};

struct assigner {
        struct ev_loop *loop;
        struct http_client *client;
        const char *server;
        struct assigner_listener listener;
        const struct elector *elector;
        enum assigner_state state;
        struct assignment *queue;
        size_t n_queue;
        size_t next; /* the first that has not been sent */
        struct slot slots[AT_ONCE];
        bool failed; /* a write of this round */
        struct backoff backoff;
        ev_timer list_again;
        bool warned_of_mode;
};

static void forget_queue(struct assigner *a)
{
        for (size_t i = 0; i < a->n_queue; i++)
                assignment_clear(&a->queue[i]);
        free(TAKE_PTR(a->queue));
        a->n_queue = a->next = 0;
}

static void want_list_later(struct assigner *a)
{
        double delay_s = (double)backoff_next(&a->backoff, arc4random(), 0) / 1e3;

        a->state = ASSIGNER_WAITS_FOR_LIST;
        ev_timer_stop(a->loop, &a->list_again);
        ev_timer_set(&a->list_again, delay_s, 0.0);
        ev_timer_start(a->loop, &a->list_again);
}

static void on_list_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
        struct assigner *a = container_of(timer, struct assigner, list_again);

        (void)loop;
        (void)revents;
        a->listener.want_list(a->listener.userdata);
}

static bool busy(const struct assigner *a)
{
        for (size_t i = 0; i < AT_ONCE; i++)
                if (a->slots[i].call)
                        return true;
        return false;
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

static void send_more(struct assigner *a);

static void on_answer(void *userdata, const struct kube_answer *answer)
{
        struct slot *slot = userdata;
        struct assigner *a = slot->assigner;
        const struct assignment *assignment = &a->queue[slot->index];

        slot->call = NULL;
        if (answer->status >= 200 && answer->status < 300 && answer->json) {
                log_written(assignment);
                look_at_mode(a, answer->json);
                a->listener.written(a->listener.userdata, answer->json);
        } else {
                a->failed = true;
                /* 404 and 409: the Service went or changed under our hands, which a new list will tell. */
                if (answer->status != 404 && answer->status != 409)
                        log_warning(MODULE, "cannot write a status; listing the Services again",
                                    LOG_TEXT("verb", "patch"), LOG_TEXT("resource", "services/status"),
                                    LOG_TEXT("namespace", assignment->namespace),
                                    LOG_TEXT("service", assignment->name),
                                    LOG_TEXT("error", answer->error.what));
        }
        send_more(a);
}

static int send_one(struct assigner *a, struct slot *slot)
{
        const struct assignment *assignment = &a->queue[a->next];
        _cleanup_json_ json_t *body = service_status_patch(assignment);
        _cleanup_strbuf_ struct strbuf url = {0};
        struct error error = {0};

        slot->assigner = a;
        slot->index = a->next;
        if (!body || strbuf_printf(&url, "%s/api/v1/namespaces/%s/services/%s/status", a->server,
                                   assignment->namespace, assignment->name) < 0)
                return -ENOMEM;
        return kube_call_start(a->client, HTTP_PATCH, url.text, body, KUBE_CALL_MERGE_PATCH, on_answer, slot,
                               &slot->call, &error);
}

static void send_more(struct assigner *a)
{
        for (size_t i = 0; i < AT_ONCE && a->next < a->n_queue; i++) {
                if (a->slots[i].call)
                        continue;
                if (!elector_is_leading(a->elector) || send_one(a, &a->slots[i]) < 0) {
                        a->failed = true;
                        a->next = a->n_queue; /* no more of this round */
                        break;
                }
                a->next++;
        }
        if (busy(a) || a->state != ASSIGNER_WRITES)
                return;
        forget_queue(a);
        if (a->failed) {
                want_list_later(a);
        } else {
                a->state = ASSIGNER_READY;
                backoff_reset(&a->backoff);
        }
        a->listener.finished(a->listener.userdata);
}

struct assigner *assigner_new(struct ev_loop *loop, struct http_client *client, const char *server,
                              const struct assigner_listener *listener)
{
        struct assigner *a = calloc(1, sizeof(*a));

        if (!a)
                return NULL;
        *a = (struct assigner){.loop = loop, .client = client, .server = server, .listener = *listener};
        ev_timer_init(&a->list_again, on_list_again, 0.0, 0.0);
        return a;
}

void assigner_lead(struct assigner *a, const struct elector *elector, bool leading)
{
        a->elector = elector;
        for (size_t i = 0; i < AT_ONCE; i++)
                kube_call_cancel(TAKE_PTR(a->slots[i].call));
        forget_queue(a);
        ev_timer_stop(a->loop, &a->list_again);
        a->state = leading ? ASSIGNER_WAITS_FOR_LIST : ASSIGNER_FOLLOWS;
        if (leading)
                a->listener.want_list(a->listener.userdata);
}

void assigner_listed(struct assigner *a)
{
        if (a->state == ASSIGNER_WAITS_FOR_LIST && !ev_is_active(&a->list_again))
                a->state = ASSIGNER_READY;
}

void assigner_write(struct assigner *a, struct plan *plan)
{
        if (a->state != ASSIGNER_READY || !plan->n_assignments)
                return;
        a->queue = TAKE_PTR(plan->assignments);
        a->n_queue = plan->n_assignments;
        plan->n_assignments = 0;
        a->next = 0;
        a->failed = false;
        a->state = ASSIGNER_WRITES;
        send_more(a);
}

void assigner_free(struct assigner *a)
{
        if (!a)
                return;
        for (size_t i = 0; i < AT_ONCE; i++)
                kube_call_cancel(a->slots[i].call);
        ev_timer_stop(a->loop, &a->list_again);
        forget_queue(a);
        free(a);
}
