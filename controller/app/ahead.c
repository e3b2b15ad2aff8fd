#include "app/ahead.h"

#include "app/marks.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/ipvs_netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SOON_MS 2 /* answers that come together are acted upon together */
#define KNOWN_MS \
        30000 /* so long after it was told keepalived has read it: 5,000 checked servers take it 13 s */

struct ahead {
        struct ev_loop *loop;
        struct ipvs_counts *counts;
        const struct plan *wanted;
        struct marks marks;
        bool starved;  /* somebody is to be asked as soon as another one has been */
        ev_timer work; /* there are answers, or somebody is to be asked again */
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

/* Whether it is to come as soon as it answers. */
static bool is_waiting(const struct ahead *ahead, const struct mark *mark)
{
        const struct virtual_server *vs;

        if (mark->gone || (mark->state != MARK_FRESH && mark->state != MARK_RESTED))
                return false;
        vs = wanted_of(ahead, mark);
        return vs && wanted_real(vs, mark);
}

/* ---- the kernel */

static void note_error(struct ahead *ahead, const char *what, int r)
{
        if (log_rate_allow(&ahead->error_rate, clock_monotonic_ms(), 60000))
                log_warning("ahead", "cannot go ahead; keepalived will do it", LOG_TEXT("what", what),
                            LOG_TEXT("error", strerror(-r)));
}

/* ---- asking */

static void schedule(struct ahead *ahead, int64_t after_ms)
{
        const ev_tstamp after = (double)(after_ms > 0 ? after_ms : 0) / 1000;

        if (ev_is_active(&ahead->work) && ev_timer_remaining(ahead->loop, &ahead->work) <= after)
                return;
        ev_timer_stop(ahead->loop, &ahead->work);
        ev_timer_set(&ahead->work, after, 0.0);
        ev_timer_start(ahead->loop, &ahead->work);
}

static void on_answered(void *userdata, const struct mark *mark)
{
        struct ahead *ahead = userdata;

        schedule(ahead, mark->answered || ahead->starved ? SOON_MS : MARK_ASK_AGAIN_MS);
}

static void ask(struct ahead *ahead, struct mark *mark, uint32_t timeout_ms)
{
        const int64_t now_ms = clock_monotonic_ms();

        if (mark->probe)
                return;
        if (mark->ask_ms > now_ms)
                schedule(ahead, mark->ask_ms - now_ms);
        else if (mark_asker_is_busy(&ahead->marks.asker))
                ahead->starved = true;
        else if (!mark_ask(mark, timeout_ms))
                schedule(ahead, MARK_ASK_AGAIN_MS);
}

/* ---- one virtual server */

/* Those that keepalived has seen to: it has taken out what was at rest, or put in what was to come or to come
 * back.
 */
static void drop_done(struct ahead *ahead, const struct virtual_server *vs, const struct ipvs_dests *dests)
{
        size_t begin, end;
        bool any = false;

        marks_of(&ahead->marks, vs, &begin, &end);
        for (size_t i = begin; i < end; i++) {
                struct mark *mark = ahead->marks.marks[i];
                const struct ipvs_dest *dest = ipvs_dests_find(dests, &mark->addr, mark->port);

                if (dest)
                        mark->gone |=
                            mark->state == MARK_FRESH ||
                            (mark->state == MARK_RESTED && dest->real.weight && wanted_real(vs, mark));
                else
                        mark->gone |=
                            mark->state == MARK_RESTED || !virtual_server_find(vs, &mark->addr, mark->port);
                any |= mark->gone;
        }
        if (any)
                marks_sweep(&ahead->marks);
}

/* Those that have come ahead and are gone again: keepalived may never hear of them. */
static int take_out_gone(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs)
{
        size_t begin, end;
        int r = 0;

        marks_of(&ahead->marks, vs, &begin, &end);
        for (size_t i = begin; i < end && r == 0; i++) {
                const struct mark *mark = ahead->marks.marks[i];

                if (mark->state == MARK_ADDED && !virtual_server_find(vs, &mark->addr, mark->port))
                        r = mark_take_out(mark, ipvs);
        }
        return r;
}

/* The caller frees; NULL if out of memory. */
static struct ahead_step *find_steps(struct ahead *ahead, const struct virtual_server *vs,
                                     const struct ipvs_dests *dests, size_t *count)
{
        const size_t most = dests->count + vs->n_real_servers + 1;
        _cleanup_free_ struct ahead_step *steps = calloc(most, sizeof(*steps));
        _cleanup_free_ struct ipvs_real *reals = calloc(most, sizeof(*reals));
        _cleanup_free_ bool *rested = calloc(most, sizeof(*rested));
        _cleanup_free_ bool *fresh = calloc(most, sizeof(*fresh));
        const struct ahead_input input = {vs, reals, rested, dests->count, fresh};
        const struct mark *mark;

        if (!steps || !reals || !rested || !fresh)
                return NULL;
        for (size_t i = 0; i < dests->count; i++) {
                reals[i] = dests->dests[i].real;
                mark = marks_find(&ahead->marks, vs, &reals[i].addr, reals[i].port);
                rested[i] = mark && mark->state == MARK_RESTED;
        }
        for (size_t i = 0; i < vs->n_real_servers; i++) {
                mark = marks_find(&ahead->marks, vs, &vs->real_servers[i].addr, vs->real_servers[i].port);
                fresh[i] = mark && mark->state == MARK_FRESH;
        }
        *count = ahead_steps(&input, steps);
        return TAKE_PTR(steps);
}

/* Returns whether somebody has come, so that those who waited for that may rest; or a negative errno. */
static int take_steps(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs)
{
        const struct ipvs_virtual key = {.vip = vs->vip, .protocol = vs->protocol, .port = vs->port};
        const uint32_t timeout_ms = ahead->wanted->services[vs->service].health_check.timeout_ms;
        _cleanup_(ipvs_dests_clear) struct ipvs_dests dests = {0};
        _cleanup_free_ struct ahead_step *steps = NULL;
        size_t count = 0, came = 0, rested = 0;
        int r = ipvs_netlink_read_dests(ipvs, &key, &dests);

        if (r < 0)
                return r;
        drop_done(ahead, vs, &dests);
        steps = find_steps(ahead, vs, &dests, &count);
        if (!steps)
                return -ENOMEM;
        for (size_t i = 0; i < count && r == 0; i++) {
                const struct ipvs_dest *dest = ipvs_dests_find(&dests, &steps[i].addr, steps[i].port);
                struct mark *mark = marks_find(&ahead->marks, vs, &steps[i].addr, steps[i].port);

                if (steps[i].act == AHEAD_REST) {
                        if (!mark)
                                mark =
                                    marks_make(&ahead->marks, vs, &steps[i].addr, steps[i].port, MARK_RESTED);
                        r = mark ? mark_rest(mark, ipvs, dest) : -ENOMEM;
                        rested++;
                } else if (mark && (mark->answered || !vs->checked)) {
                        r = mark_come(mark, ipvs, dest, vs->forwarding, steps[i].weight);
                        came++;
                } else if (mark) {
                        ask(ahead, mark, timeout_ms);
                }
        }
        marks_sweep(&ahead->marks);
        return r < 0 ? r : came && !rested;
}

static void try_later(struct ahead *ahead, const struct virtual_server *vs)
{
        size_t begin, end;

        marks_of(&ahead->marks, vs, &begin, &end);
        for (size_t i = begin; i < end; i++)
                mark_ask_later(ahead->marks.marks[i]);
        schedule(ahead, MARK_ASK_AGAIN_MS);
}

static void settle(struct ahead *ahead, struct ipvs_netlink *ipvs, const struct virtual_server *vs)
{
        int r = take_out_gone(ahead, ipvs, vs);

        if (r == 0)
                r = take_steps(ahead, ipvs, vs);
        if (r > 0)
                r = take_steps(ahead, ipvs, vs);
        if (r < 0) {
                note_error(ahead, "change", r);
                try_later(ahead, vs);
        }
}

/* ---- all that wait */

static void forget_old(struct ahead *ahead)
{
        const int64_t now_ms = clock_monotonic_ms();

        for (size_t i = 0; i < ahead->marks.count; i++) {
                struct mark *mark = ahead->marks.marks[i];

                mark->gone |= !wanted_of(ahead, mark) || (mark->forget_ms && mark->forget_ms <= now_ms);
        }
        marks_sweep(&ahead->marks);
}

/* The next virtual server of which somebody has answered or is to be asked, from the mark at *i on. *i
 * becomes the first mark after it, if no mark of another virtual server comes or goes. */
static const struct virtual_server *next_to_settle(const struct ahead *ahead, size_t *i)
{
        const int64_t now_ms = clock_monotonic_ms();

        for (; *i < ahead->marks.count; ++*i) {
                const struct mark *mark = ahead->marks.marks[*i];
                const struct virtual_server *vs;
                size_t begin;

                if (mark->probe || !is_waiting(ahead, mark) ||
                    (!mark->answered && (ahead->starved || mark->ask_ms > now_ms)))
                        continue;
                vs = wanted_of(ahead, mark);
                marks_of(&ahead->marks, vs, &begin, i);
                return vs;
        }
        return NULL;
}

static void wait_for_next(struct ahead *ahead)
{
        int64_t next_ms = INT64_MAX;

        for (size_t i = 0; i < ahead->marks.count; i++) {
                const struct mark *mark = ahead->marks.marks[i];

                if (!mark->probe && is_waiting(ahead, mark) && mark->ask_ms < next_ms)
                        next_ms = mark->ask_ms;
        }
        if (next_ms != INT64_MAX && !ahead->starved)
                schedule(ahead, next_ms - clock_monotonic_ms());
}

static void on_work(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct ahead *ahead = container_of(watcher, struct ahead, work);
        const struct virtual_server *vs;
        struct ipvs_netlink ipvs;
        size_t i = 0;
        int r;

        (void)loop;
        (void)revents;
        ahead->starved = false;
        forget_old(ahead);
        vs = next_to_settle(ahead, &i);
        if (!vs)
                return;
        r = ipvs_netlink_open(&ipvs, ahead->counts);
        if (r < 0) {
                note_error(ahead, "open", r);
                schedule(ahead, MARK_ASK_AGAIN_MS);
                return;
        }
        for (; vs; vs = next_to_settle(ahead, &i)) {
                const size_t before = ahead->marks.count;

                settle(ahead, &ipvs, vs);
                i = i - before + ahead->marks.count;
        }
        ipvs_netlink_close(&ipvs);
        wait_for_next(ahead);
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

static bool is_marked(const struct ahead *ahead, const struct virtual_server *vs)
{
        size_t begin, end;

        marks_of(&ahead->marks, vs, &begin, &end);
        return begin < end;
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

static void note_told(struct ahead *ahead)
{
        const int64_t forget_ms = clock_monotonic_ms() + KNOWN_MS;

        for (size_t i = 0; i < ahead->marks.count; i++)
                if (!ahead->marks.marks[i]->forget_ms)
                        ahead->marks.marks[i]->forget_ms = forget_ms;
}

void ahead_follow(struct ahead *ahead, const struct plan *plan, const struct ipvs_config *config,
                  bool applied)
{
        const struct plan *before = ahead->wanted;
        struct ipvs_netlink ipvs = {0};
        int r = 0;

        ahead->wanted = plan;
        forget_old(ahead);
        if (!before || !plan)
                return;
        for (size_t i = 0; i < plan->n_virtual_servers && r == 0; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];

                if (is_held(config, vs) ? !applied || !is_marked(ahead, vs)
                                        : before == plan || !is_changed(ahead, before, vs))
                        continue;
                if (!ipvs.family)
                        r = ipvs_netlink_open(&ipvs, ahead->counts);
                if (r == 0)
                        settle(ahead, &ipvs, vs);
        }
        ipvs_netlink_close(&ipvs);
        if (r < 0 && r != -ENOENT)
                note_error(ahead, "change", r);
        if (applied)
                note_told(ahead);
}

/* ---- keepalived's word */

void ahead_notified(struct ahead *ahead, const struct notify_line *line)
{
        const struct virtual_server *vs =
            ahead->wanted && line->real_server
                ? plan_find(ahead->wanted, &line->virtual.addr, line->virtual.protocol, line->virtual.port)
                : NULL;
        struct mark *mark = vs ? marks_find(&ahead->marks, vs, &line->real.addr, line->real.port) : NULL;
        const struct real_server *rs;
        int r = 0;

        if (!mark)
                return;
        rs = wanted_real(vs, mark);
        if (mark->state == MARK_RESTED)
                mark->gone = !line->up; /* taken out */
        else if (line->up)
                r = mark_believe_up(mark, vs->forwarding, rs ? rs->weight : 0, ahead->counts);
        else
                r = mark_believe_down(mark, strcmp(vs->scheduler, "mh") == 0, ahead->counts);
        marks_sweep(&ahead->marks);
        if (r < 0)
                note_error(ahead, "follow keepalived", r);
}

void ahead_forget(struct ahead *ahead)
{
        marks_clear(&ahead->marks);
        ev_timer_stop(ahead->loop, &ahead->work);
}

struct ahead *ahead_new(struct ev_loop *loop, struct ipvs_counts *counts)
{
        struct ahead *ahead = calloc(1, sizeof(*ahead));

        if (!ahead)
                return NULL;
        *ahead = (struct ahead){.loop = loop, .counts = counts};
        ahead->marks.asker = (struct mark_asker){.loop = loop, .answered = on_answered, .userdata = ahead};
        ev_timer_init(&ahead->work, on_work, 0.0, 0.0);
        return ahead;
}

void ahead_free(struct ahead *ahead)
{
        if (!ahead)
                return;
        ahead_forget(ahead);
        free(ahead);
}
