#include "app/ahead.h"

#include "app/marks.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "io/ipvs_netlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ASK_AGAIN_S 2.0
#define MAX_PROBES 64 /* at a time; each has a socket */

struct ahead {
        struct ev_loop *loop;
        const struct plan *wanted;
        struct marks marks;
        ev_timer ask_again;
        struct log_rate error_rate;
};

static const struct virtual_server *wanted_of(const struct ahead *ahead, const struct mark *mark)
{
        return ahead->wanted ? plan_find(ahead->wanted, &mark->key.vip, mark->key.protocol, mark->key.port)
                             : NULL;
}

/* NULL if it is to have no new connections. */
static const struct real_server *wanted_real(const struct virtual_server *vs, const struct mark *mark)
{
        const struct real_server *rs = virtual_server_find(vs, &mark->addr, mark->port);

        return rs && rs->weight ? rs : NULL;
}

/* Those of the virtual server that neither the plan nor the kernel knows any more. */
static void drop_marks(struct ahead *ahead, const struct virtual_server *vs, const struct ipvs_dests *dests)
{
        for (size_t i = ahead->marks.count; i-- > 0;) {
                const struct mark *mark = ahead->marks.marks[i];

                if (mark_is_of(mark, vs) && !ipvs_dests_find(dests, &mark->addr, mark->port) &&
                    !virtual_server_find(vs, &mark->addr, mark->port))
                        marks_drop(&ahead->marks, i);
        }
}

/* ---- the kernel */

static void note_error(struct ahead *ahead, const char *what, int r)
{
        if (log_rate_allow(&ahead->error_rate, (int64_t)(ev_now(ahead->loop) * 1000), 60000))
                log_warning("ahead", "cannot go ahead; keepalived will do it", LOG_TEXT("what", what),
                            LOG_TEXT("error", strerror(-r)));
}

static void note_done(const char *what, const struct mark *mark)
{
        char vip[ADDR_TEXT_SIZE], addr[ADDR_TEXT_SIZE];

        log_info("ahead", what, LOG_TEXT("vip", addr_format(&mark->key.vip, vip)),
                 LOG_INT("port", mark->key.port), LOG_TEXT("real_server", addr_format(&mark->addr, addr)),
                 LOG_INT("real_port", mark->port));
}

/* 0, also if it is not there any more: then keepalived has taken it out. */
static int set_weight(struct ipvs_netlink *ipvs, const struct ipvs_virtual *key, const struct ipvs_dest *dest,
                      uint8_t weight)
{
        int r = ipvs_netlink_change(ipvs, key, IPVS_CMD_SET_DEST, dest, weight);

        return r == -ENOENT ? 0 : r;
}

static int take_out(struct ipvs_netlink *ipvs, const struct mark *mark)
{
        return ipvs_netlink_remove(ipvs, &mark->key,
                                   &(struct ipvs_real){.addr = mark->addr, .port = mark->port});
}

static int put_in(struct ipvs_netlink *ipvs, const struct mark *mark, enum forwarding forwarding,
                  uint8_t weight)
{
        return ipvs_netlink_add(
            ipvs, &mark->key,
            &(struct ipvs_real){
                .addr = mark->addr, .port = mark->port, .forwarding = forwarding, .weight = weight});
}

static int rest(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs,
                const struct ipvs_dest *dest)
{
        struct mark *mark = marks_find(&ahead->marks, vs, &dest->real.addr, dest->real.port);
        int r;

        if (!mark)
                mark = marks_make(&ahead->marks, vs, &dest->real.addr, dest->real.port, MARK_RESTED);
        else if (mark->state != MARK_ADDED)
                mark->state = MARK_RESTED;
        if (!mark)
                return -ENOMEM;
        r = set_weight(ipvs, &mark->key, dest, 0);
        if (r == 0)
                note_done("gets no new connections", mark);
        return r;
}

/* The mark is RESTED or FRESH, and may be gone afterwards: what has only rested keepalived knows. */
static int come(struct ahead *ahead, struct ipvs_netlink *ipvs, struct mark *mark,
                const struct virtual_server *vs, uint8_t weight)
{
        _cleanup_(ipvs_dests_clear) struct ipvs_dests dests = {0};
        const struct ipvs_dest *dest;
        int r = ipvs_netlink_read_dests(ipvs, &mark->key, &dests);

        if (r < 0)
                return r;
        dest = ipvs_dests_find(&dests, &mark->addr, mark->port);
        if (dest)
                r = set_weight(ipvs, &mark->key, dest, weight);
        else if (mark->state == MARK_FRESH)
                r = put_in(ipvs, mark, vs->forwarding, weight);
        if (r < 0)
                return r;
        note_done("gets connections", mark);
        if (mark->state == MARK_FRESH)
                mark->state = MARK_ADDED;
        else
                marks_drop_mark(&ahead->marks, mark);
        return 0;
}

/* ---- the steps */

static void settle(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs);

static void ask_again(struct ahead *ahead)
{
        if (!ev_is_active(&ahead->ask_again))
                ev_timer_again(ahead->loop, &ahead->ask_again);
}

static void on_answer(void *userdata, bool answers)
{
        struct mark *mark = userdata;
        struct ahead *ahead = mark->owner;
        const struct virtual_server *vs = wanted_of(ahead, mark);
        const struct real_server *rs = vs ? wanted_real(vs, mark) : NULL;
        struct ipvs_netlink ipvs;
        int r;

        mark->probe = NULL;
        ahead->marks.n_probes--;
        if (!rs || (mark->state != MARK_FRESH && mark->state != MARK_RESTED))
                return;
        if (!answers) {
                ask_again(ahead);
                return;
        }
        r = ipvs_netlink_open(&ipvs);
        if (r == 0) {
                r = come(ahead, &ipvs, mark, vs, rs->weight);
                if (r == 0)
                        settle(ahead, &ipvs, vs); /* others may rest now */
                ipvs_netlink_close(&ipvs);
        }
        if (r < 0)
                note_error(ahead, "add", r);
}

static int begin_come(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs,
                      const struct ahead_step *step)
{
        struct mark *mark = marks_find(&ahead->marks, vs, &step->addr, step->port);
        const struct plan_service *service = &ahead->wanted->services[vs->service];

        if (!mark || mark->probe)
                return 0;
        if (!vs->checked)
                return come(ahead, ipvs, mark, vs, step->weight);
        mark->owner = ahead;
        if (ahead->marks.n_probes < MAX_PROBES)
                mark->probe =
                    tcp_probe_start(ahead->loop, &step->addr, step->port,
                                    (double)service->health_check.timeout_ms / 1000, on_answer, mark);
        ahead->marks.n_probes += mark->probe != NULL;
        if (!mark->probe)
                ask_again(ahead);
        return 0;
}

static int take_steps(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs,
                      const struct ipvs_dests *dests)
{
        const size_t most = dests->count + vs->n_real_servers + 1;
        _cleanup_free_ struct ahead_step *steps = calloc(most, sizeof(*steps));
        _cleanup_free_ struct ipvs_real *reals = calloc(most, sizeof(*reals));
        _cleanup_free_ bool *rested = calloc(most, sizeof(*rested));
        _cleanup_free_ bool *fresh = calloc(most, sizeof(*fresh));
        const struct ahead_input input = {vs, reals, rested, dests->count, fresh};
        const struct mark *mark;
        size_t count;
        int r = 0;

        if (!steps || !reals || !rested || !fresh)
                return -ENOMEM;
        for (size_t i = 0; i < dests->count; i++) {
                reals[i] = dests->dests[i].real;
                mark = marks_find(&ahead->marks, vs, &reals[i].addr, reals[i].port);
                rested[i] = mark && mark->state == MARK_RESTED;
        }
        for (size_t i = 0; i < vs->n_real_servers; i++) {
                mark = marks_find(&ahead->marks, vs, &vs->real_servers[i].addr, vs->real_servers[i].port);
                fresh[i] = mark && mark->state == MARK_FRESH;
        }
        count = ahead_steps(&input, steps);
        for (size_t i = 0; i < count && r == 0; i++) {
                if (steps[i].act == AHEAD_REST)
                        r = rest(ahead, ipvs, vs, ipvs_dests_find(dests, &steps[i].addr, steps[i].port));
                else
                        r = begin_come(ahead, ipvs, vs, &steps[i]);
        }
        return r;
}

/* Those that have come ahead and are gone again: keepalived may never hear of them. */
static int take_out_gone(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs)
{
        int r = 0;

        for (size_t i = ahead->marks.count; i-- > 0 && r == 0;) {
                const struct mark *mark = ahead->marks.marks[i];

                if (mark->state == MARK_ADDED && mark_is_of(mark, vs) &&
                    !virtual_server_find(vs, &mark->addr, mark->port))
                        r = take_out(ipvs, mark);
        }
        return r;
}

static void settle(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs)
{
        _cleanup_(ipvs_dests_clear) struct ipvs_dests dests = {0};
        const struct ipvs_virtual key = {.vip = vs->vip, .protocol = vs->protocol, .port = vs->port};
        int r = take_out_gone(ahead, ipvs, vs);

        if (r == 0)
                r = ipvs_netlink_read_dests(ipvs, &key, &dests);

        if (r == 0) {
                drop_marks(ahead, vs, &dests);
                r = take_steps(ahead, ipvs, vs, &dests);
        }
        if (r < 0)
                note_error(ahead, "change", r);
}

static void on_ask_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct ahead *ahead = container_of(watcher, struct ahead, ask_again);
        struct ipvs_netlink ipvs;

        (void)revents;
        ev_timer_stop(loop, watcher);
        if (ipvs_netlink_open(&ipvs) < 0)
                return;
        for (size_t i = ahead->marks.count; i-- > 0;) {
                const struct mark *mark = i < ahead->marks.count ? ahead->marks.marks[i] : NULL;
                const struct virtual_server *vs = mark ? wanted_of(ahead, mark) : NULL;

                if (vs && !mark->probe && wanted_real(vs, mark) &&
                    (mark->state == MARK_FRESH || mark->state == MARK_RESTED))
                        settle(ahead, &ipvs, vs);
        }
        ipvs_netlink_close(&ipvs);
}

/* ---- what keepalived is going to be told */

static void mark_fresh(struct ahead *ahead, const struct virtual_server *before,
                       const struct virtual_server *vs)
{
        if (!ahead_may_add(ahead->wanted, vs))
                return;
        for (size_t i = 0; i < vs->n_real_servers; i++) {
                const struct real_server *rs = &vs->real_servers[i];

                if (rs->weight && !marks_find(&ahead->marks, vs, &rs->addr, rs->port) &&
                    !virtual_server_find(before, &rs->addr, rs->port))
                        (void)marks_make(&ahead->marks, vs, &rs->addr, rs->port, MARK_FRESH);
        }
}

static bool is_held(const struct ipvs_config *config, const struct virtual_server *vs)
{
        long at = config ? ipvs_config_piece_of(config, vs) : 0;

        return config && (at < 0 || config->pieces[at].held);
}

/* Whether there is something to do for a virtual server that was there before. */
static bool is_changed(struct ahead *ahead, const struct plan *before, const struct virtual_server *vs)
{
        const struct virtual_server *old = plan_find(before, &vs->vip, vs->protocol, vs->port);

        if (!old || !ahead_is_comparable(old, vs) || !ahead_reals_differ(old, vs))
                return false;
        mark_fresh(ahead, old, vs);
        return true;
}

void ahead_follow(struct ahead *ahead, const struct plan *plan, const struct ipvs_config *config,
                  bool applied)
{
        const struct plan *before = ahead->wanted;
        struct ipvs_netlink ipvs = {0};
        int r = 0;

        ahead->wanted = plan;
        for (size_t i = ahead->marks.count; i-- > 0;)
                if (!wanted_of(ahead, ahead->marks.marks[i]))
                        marks_drop(&ahead->marks, i);
        if (!before || !plan)
                return;
        for (size_t i = 0; i < plan->n_virtual_servers && r == 0; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];

                if (is_held(config, vs) ? !applied || !marks_have(&ahead->marks, vs)
                                        : before == plan || !is_changed(ahead, before, vs))
                        continue;
                if (!ipvs.family)
                        r = ipvs_netlink_open(&ipvs);
                if (r == 0)
                        settle(ahead, &ipvs, vs);
        }
        ipvs_netlink_close(&ipvs);
        if (r < 0 && r != -ENOENT)
                note_error(ahead, "change", r);
}

/* ---- keepalived's word */

static bool is_about(const struct notify_line *line, const struct mark *mark)
{
        char addr[ADDR_TEXT_SIZE], real[sizeof(line->real)], virtual[sizeof(line->virtual)];
        const char *protocol = protocol_name(mark->key.protocol);

        (void)snprintf(real, sizeof(real), "[%s]:%s:%u", addr_format(&mark->addr, addr), protocol,
                       mark->port);
        (void)snprintf(virtual, sizeof(virtual), "[%s]:%s:%u", addr_format(&mark->key.vip, addr), protocol,
                       mark->key.port);
        return strcasecmp(line->real, real) == 0 && strcasecmp(line->virtual, virtual) == 0;
}

/* It has found down what was added ahead, and believes that the kernel does not have it; or that it has it
 * with weight 0, with mh. */
static int believe_down(struct ahead *ahead, struct mark *mark, const struct virtual_server *vs)
{
        struct ipvs_netlink ipvs;
        int r = 0;

        marks_cancel_probe(&ahead->marks, mark);
        if (mark->state == MARK_ADDED && strcmp(vs->scheduler, "mh") != 0) {
                r = ipvs_netlink_open(&ipvs);
                if (r == 0) {
                        r = take_out(&ipvs, mark);
                        ipvs_netlink_close(&ipvs);
                }
        }
        mark->state = MARK_REFUSED;
        return r;
}

/* It has added it, but maybe before it was taken out because of an older word. */
static int believe_up(const struct mark *mark, const struct virtual_server *vs)
{
        const struct real_server *rs = wanted_real(vs, mark);
        struct ipvs_netlink ipvs;
        int r;

        if (mark->state != MARK_REFUSED || !rs)
                return 0;
        r = ipvs_netlink_open(&ipvs);
        if (r < 0)
                return r;
        r = put_in(&ipvs, mark, vs->forwarding, rs->weight);
        ipvs_netlink_close(&ipvs);
        return r;
}

void ahead_notified(struct ahead *ahead, const struct notify_line *line)
{
        for (size_t i = ahead->marks.count; line->real_server && i-- > 0;) {
                struct mark *mark = ahead->marks.marks[i];
                const struct virtual_server *vs = wanted_of(ahead, mark);
                int r = 0;

                if (!vs || !is_about(line, mark))
                        continue;
                if (mark->state == MARK_RESTED) {
                        if (!line->up)
                                marks_drop(&ahead->marks, i); /* taken out */
                } else if (line->up) {
                        r = believe_up(mark, vs);
                        marks_drop(&ahead->marks, i);
                } else {
                        r = believe_down(ahead, mark, vs);
                }
                if (r < 0)
                        note_error(ahead, "follow keepalived", r);
        }
}

void ahead_forget(struct ahead *ahead)
{
        marks_clear(&ahead->marks);
}

struct ahead *ahead_new(struct ev_loop *loop)
{
        struct ahead *ahead = calloc(1, sizeof(*ahead));

        if (!ahead)
                return NULL;
        ahead->loop = loop;
        ev_timer_init(&ahead->ask_again, on_ask_again, 0.0, ASK_AGAIN_S);
        return ahead;
}

void ahead_free(struct ahead *ahead)
{
        if (!ahead)
                return;
        ahead_forget(ahead);
        ev_timer_stop(ahead->loop, &ahead->ask_again);
        free(ahead);
}
