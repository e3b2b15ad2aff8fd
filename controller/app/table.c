#include "app/table.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/settle.h"
#include "io/ipvs_netlink.h"
#include "io/ipvs_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_SHARE                                                                               \
        10 /* of all time at most a tenth goes into looking: a table of thousands takes its time \
            */
#define UNREADABLE_LOOKS 4
#define MOVES_PER_LOOK 64 /* each makes the kernel compute mh's table anew */

struct table {
        struct ev_loop *loop;
        struct table_listener listener;
        struct ipvs_counts *counts;
        const struct plan *plan;
        struct ipvs_table content;
        struct ipvs_vip_state *states;
        struct settle settle;
        size_t differences;
        bool readable;
        bool taught;             /* mh's table, what is in it */
        unsigned int unreadable; /* looks in a row */
        int64_t not_before_ms;   /* the next look */
        ev_timer timer;
        struct log_rate read_rate, differs_rate, order_rate;
};

static void schedule(struct table *table, int64_t after_ms)
{
        const int64_t earliest_ms = table->not_before_ms - clock_monotonic_ms();

        if (after_ms < earliest_ms)
                after_ms = earliest_ms;
        ev_timer_stop(table->loop, &table->timer);
        ev_timer_set(&table->timer, (double)after_ms / 1000, 0.0);
        ev_timer_start(table->loop, &table->timer);
}

/* ---- mh's order ---- */

static bool has_idle(const struct ipvs_virtual *virtual)
{
        for (size_t i = 0; i < virtual->n_reals; i++)
                if (!virtual->reals[i].weight)
                        return true;
        return false;
}

/* One that keepalived is still working on is left alone. */
static bool may_be_put_in_order(const struct table *table, const struct ipvs_virtual *virtual)
{
        const struct virtual_server *vs;

        if (strcmp(virtual->scheduler, "mh") != 0)
                return false;
        vs = plan_find(table->plan, &virtual->vip, virtual->protocol, virtual->port);
        return vs && ipvs_virtual_state(virtual, vs).matches;
}

/* Makes mh's table what it is in every LB pod of the fleet. Returns whether there may be more to do. */
static bool put_in_order(struct table *table)
{
        size_t moved = 0;
        bool all = true;
        int r = 0;

        for (size_t i = 0; i < table->content.n_virtuals && r >= 0; i++) {
                const struct ipvs_virtual *virtual = &table->content.virtuals[i];
                size_t misplaced;

                if (!may_be_put_in_order(table, virtual))
                        continue;
                if (!table->taught && has_idle(virtual))
                        r = ipvs_order_teach(virtual, table->counts);
                misplaced = ipvs_virtual_misplaced(virtual);
                if (r < 0 || !misplaced)
                        continue;
                if (moved == MOVES_PER_LOOK) {
                        all = false;
                        break;
                }
                r = ipvs_order_move(virtual, virtual->n_reals - misplaced, MOVES_PER_LOOK - moved,
                                    table->counts);
                moved += r > 0 ? (size_t)r : 0;
        }
        table->taught |= all && r >= 0;
        if (r < 0 && log_rate_allow(&table->order_rate, clock_monotonic_ms(), 60000))
                log_error("table",
                          "cannot put mh's real servers in order; a flow that changes from one LB pod to "
                          "another may break",
                          LOG_TEXT("error", strerror(-r)));
        if (moved)
                log_info("table", "put mh's real servers in order", LOG_INT("moved", moved));
        return moved > 0;
}

/* ---- looking ---- */

static int read_table(struct table *table, struct error *error)
{
        struct ipvs_table content = {0};
        int r = ipvs_netlink_load(table->counts, &content, error);

        if (r == 0 && ipvs_table_lacks(&content, &table->content, table->plan)) {
                ipvs_table_clear(&content);
                r = ipvs_netlink_load(table->counts, &content, error);
        }
        if (r < 0)
                return r;
        if (ipvs_table_has_new_idle(&content, &table->content))
                table->taught = false;
        ipvs_table_clear(&table->content);
        table->content = content;
        return 0;
}

static void follow_verdict(struct table *table, enum settle_verdict verdict, bool was_awaited,
                           const struct error *difference)
{
        switch (verdict) {
        case SETTLE_AS_PLANNED:
                if (was_awaited)
                        log_info("table", "the kernel holds what was planned",
                                 LOG_INT("virtual_servers", table->plan->n_virtual_servers),
                                 LOG_INT("real_servers", table->content.n_reals));
                break;
        case SETTLE_WAIT:
                break;
        case SETTLE_RELOAD:
                log_error("table", "the kernel differs from the plan; reloading keepalived",
                          LOG_INT("differences", table->differences), LOG_ERROR_FIELDS(difference));
                table->listener.remedy(table->listener.userdata, TABLE_RELOAD);
                break;
        case SETTLE_RESTART:
                log_error("table", "the kernel differs from the plan; restarting keepalived",
                          LOG_INT("differences", table->differences), LOG_ERROR_FIELDS(difference));
                table->listener.remedy(table->listener.userdata, TABLE_RESTART);
                break;
        case SETTLE_STANDS:
                if (log_rate_allow(&table->differs_rate, clock_monotonic_ms(), 60000))
                        log_error("table", "the kernel differs from the plan, and nothing helps",
                                  LOG_INT("differences", table->differences), LOG_ERROR_FIELDS(difference));
                break;
        }
}

static void compare(struct table *table)
{
        struct error difference = {0};
        const bool was_awaited = table->settle.settling || table->settle.n_remedies;
        enum settle_verdict verdict;
        int64_t look_ms;

        table->differences = ipvs_table_compare(&table->content, table->plan, table->states, &difference);
        verdict =
            settle_judge(&table->settle, table->differences, arc4random(), clock_monotonic_ms(), &look_ms);
        if (put_in_order(table) && look_ms > SETTLE_FIRST_LOOK_MS)
                look_ms = SETTLE_FIRST_LOOK_MS;
        schedule(table, look_ms);
        follow_verdict(table, verdict, was_awaited, &difference);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct table *table = container_of(watcher, struct table, timer);
        struct error error = {0};
        const int64_t began_ms = clock_monotonic_ms();
        int64_t ended_ms, look_ms;

        (void)loop;
        (void)revents;
        if (!table->plan || !table->states)
                return;
        table->readable = read_table(table, &error) == 0;
        ended_ms = clock_monotonic_ms();
        table->not_before_ms = ended_ms + LOOK_SHARE * (ended_ms - began_ms);
        if (table->readable) {
                table->unreadable = 0;
                compare(table);
        } else {
                if (++table->unreadable >= UNREADABLE_LOOKS &&
                    log_rate_allow(&table->read_rate, ended_ms, 10000))
                        log_error("table", "cannot be read", LOG_ERROR_FIELDS(&error));
                settle_unreadable(&table->settle, ended_ms, &look_ms);
                schedule(table, look_ms);
        }
        table->listener.looked(table->listener.userdata);
}

/* ---- the outside ---- */

struct table *table_new(struct ev_loop *loop, struct ipvs_counts *counts,
                        const struct table_listener *listener)
{
        struct table *table = calloc(1, sizeof(*table));

        if (!table)
                return NULL;
        *table = (struct table){.loop = loop, .counts = counts, .listener = *listener};
        ev_timer_init(&table->timer, on_timer, 0.0, 0.0);
        return table;
}

static size_t count_real_servers(const struct plan *plan)
{
        size_t count = 0;

        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                count += plan->virtual_servers[i].n_real_servers;
        return count;
}

int table_expect(struct table *table, const struct plan *plan, bool reloaded)
{
        struct ipvs_vip_state *states = calloc(plan->n_vips + 1, sizeof(*states));

        free(table->states);
        table->states = states;
        table->plan = states ? plan : NULL;
        if (!states) {
                ev_timer_stop(table->loop, &table->timer);
                return -ENOMEM;
        }
        /* What is known of the VIPs until the next look: what the table of the last one says of them. */
        if (table->readable)
                table->differences = ipvs_table_compare(&table->content, plan, states, NULL);
        if (reloaded || !ev_is_active(&table->timer)) {
                settle_begin(&table->settle, count_real_servers(plan), clock_monotonic_ms());
                schedule(table, SETTLE_FIRST_LOOK_MS);
        }
        return 0;
}

void table_settle(struct table *table)
{
        if (!table->plan)
                return;
        settle_again(&table->settle, clock_monotonic_ms());
        table->taught = false;
        schedule(table, SETTLE_FIRST_LOOK_MS);
}

void table_look(struct table *table)
{
        if (table->plan)
                schedule(table, SETTLE_FIRST_LOOK_MS);
}

const struct ipvs_vip_state *table_states(const struct table *table)
{
        return table->readable ? table->states : NULL;
}

const struct ipvs_table *table_content(const struct table *table)
{
        return table->readable ? &table->content : NULL;
}

uint64_t table_flows(const struct table *table)
{
        uint64_t flows = 0;

        for (size_t i = 0; table->readable && i < table->content.n_reals; i++)
                flows += table->content.reals[i].active;
        return flows;
}

bool table_is_settling(const struct table *table)
{
        return table->settle.settling;
}

size_t table_differences(const struct table *table)
{
        return table->differences;
}

void table_free(struct table *table)
{
        if (!table)
                return;
        ev_timer_stop(table->loop, &table->timer);
        ipvs_table_clear(&table->content);
        free(table->states);
        free(table);
}
