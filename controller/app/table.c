#include "app/table.h"

#include "base/log.h"
#include "io/ipvs_netlink.h"
#include "io/ipvs_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOOK_S 0.01
#define SLOWEST_LOOK_S 0.5
#define LOOK_SHARE \
        10.0 /* of all time at most a tenth goes into looking: a table of thousands takes its time */
#define IDLE_LOOK_S 10.0 /* for changes that nobody told us of */
#define UNREADABLE_LOOKS 4
#define MOVES_PER_LOOK 64 /* each makes the kernel compute mh's table anew */
#define SETTLE_BASE_S 5.0
#define SETTLE_PER_SERVER_S 0.003 /* keepalived starts 5,000 checkers in 10-13 s */

struct table {
        struct ev_loop *loop;
        struct table_listener listener;
        const struct plan *plan;
        struct ipvs_table content;
        struct ipvs_vip_state *states;
        size_t n_real_servers; /* of the plan */
        size_t differences;
        bool readable;
        bool settling;
        unsigned int unreadable; /* looks in a row */
        unsigned int n_remedies; /* tried since the plan was last fulfilled */
        ev_tstamp deadline;      /* of settling */
        ev_tstamp step;          /* between two looks while settling */
        ev_tstamp not_before;    /* the next look */
        ev_timer timer;
        struct log_rate read_rate, differs_rate, order_rate;
        bool taught; /* mh's table, since keepalived has built it */
};

static void schedule(struct table *table, ev_tstamp after)
{
        if (after < table->not_before - ev_now(table->loop))
                after = table->not_before - ev_now(table->loop);
        ev_timer_stop(table->loop, &table->timer);
        ev_timer_set(&table->timer, after, 0.0);
        ev_timer_start(table->loop, &table->timer);
}

static void begin_settling(struct table *table)
{
        table->settling = true;
        table->step = FIRST_LOOK_S;
        table->deadline =
            ev_now(table->loop) + SETTLE_BASE_S + SETTLE_PER_SERVER_S * (double)table->n_real_servers;
        schedule(table, FIRST_LOOK_S);
}

static int read_table(struct table *table, struct error *error)
{
        struct ipvs_table content = {0};
        int r = ipvs_netlink_load(&content, error);

        if (r < 0)
                return r;
        ipvs_table_clear(&table->content);
        table->content = content;
        return 0;
}

/* It had its time and is not what was planned. Each remedy gets its time too; after the last one the
 * difference stands, because it may come from a template that makes something else than it should: a
 * keepalived that is restarted for ever would harm the services that are fine. Only the VIPs that differ stay
 * withdrawn. */
static void give_remedy(struct table *table, const struct error *difference)
{
        static const enum table_remedy remedies[] = {TABLE_RELOAD, TABLE_RESTART};
        static const char *const messages[] = {"the kernel differs from the plan; reloading keepalived",
                                               "the kernel differs from the plan; restarting keepalived"};
        enum table_remedy remedy;

        table->settling = false; /* no excuse any more: VIPs that differ are withdrawn */
        if (table->n_remedies >= sizeof(remedies) / sizeof(*remedies)) {
                if (log_rate_allow(&table->differs_rate, (int64_t)(ev_now(table->loop) * 1000), 60000))
                        log_error("table", "the kernel differs from the plan, and nothing helps",
                                  LOG_INT("differences", table->differences), LOG_ERROR_FIELDS(difference));
                schedule(table, IDLE_LOOK_S);
                return;
        }
        remedy = remedies[table->n_remedies];
        log_error("table", messages[table->n_remedies++], LOG_INT("differences", table->differences),
                  LOG_ERROR_FIELDS(difference));
        begin_settling(table);
        table->settling = false;
        table->listener.remedy(table->listener.userdata, remedy);
}

static bool has_idle(const struct ipvs_virtual *virtual)
{
        for (size_t i = 0; i < virtual->n_reals; i++)
                if (!virtual->reals[i].weight)
                        return true;
        return false;
}

/* Makes mh's table what it is in every LB pod of the fleet. Returns whether there may be more to do. */
static bool put_in_order(struct table *table)
{
        int moved = 0, r = 0;

        for (size_t i = 0; i < table->content.n_virtuals && moved < MOVES_PER_LOOK && r >= 0; i++) {
                const struct ipvs_virtual *virtual = &table->content.virtuals[i];
                size_t misplaced = ipvs_virtual_misplaced(virtual);

                if (!table->taught && strcmp(virtual->scheduler, "mh") == 0 && has_idle(virtual))
                        r = ipvs_order_teach(virtual);
                if (misplaced && r >= 0) {
                        r = ipvs_order_move(virtual, virtual->n_reals - misplaced,
                                            (size_t)(MOVES_PER_LOOK - moved));
                        moved += r > 0 ? r : 0;
                }
        }
        table->taught |= r >= 0;
        if (r < 0 && log_rate_allow(&table->order_rate, (int64_t)(ev_now(table->loop) * 1000), 60000))
                log_error("table",
                          "cannot put mh's real servers in order; a flow that changes from one LB pod to "
                          "another may break",
                          LOG_TEXT("error", strerror(-r)));
        if (moved)
                log_info("table", "put mh's real servers in order", LOG_INT("moved", moved));
        return moved > 0;
}

static void compare(struct table *table)
{
        struct error difference = {0};
        bool was_settling = table->settling;

        table->differences = ipvs_table_compare(&table->content, table->plan, table->states, &difference);
        if (!table->differences && put_in_order(table)) {
                schedule(table, FIRST_LOOK_S);
        } else if (!table->differences) {
                if (was_settling || table->n_remedies)
                        log_info("table", "the kernel holds what was planned",
                                 LOG_INT("virtual_servers", table->plan->n_virtual_servers),
                                 LOG_INT("real_servers", table->content.n_reals));
                table->settling = false;
                table->n_remedies = 0;
                schedule(table, IDLE_LOOK_S);
        } else if (!was_settling && !table->n_remedies) {
                begin_settling(table); /* somebody else's hand, or a checker in the middle of its work */
        } else if (ev_now(table->loop) > table->deadline) {
                give_remedy(table, &difference);
        } else {
                table->step = table->step * 2 > SLOWEST_LOOK_S ? SLOWEST_LOOK_S : table->step * 2;
                schedule(table, table->step);
        }
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        struct table *table = container_of(watcher, struct table, timer);
        struct error error = {0};
        const ev_tstamp began = ev_time();

        (void)revents;
        if (!table->plan || !table->states)
                return;
        table->readable = read_table(table, &error) == 0;
        table->not_before = ev_now(loop) + LOOK_SHARE * (ev_time() - began);
        if (table->readable) {
                table->unreadable = 0;
                compare(table);
        } else {
                /* Before keepalived has loaded the module there is nothing to read: give it a moment. */
                if (++table->unreadable >= UNREADABLE_LOOKS &&
                    log_rate_allow(&table->read_rate, (int64_t)(ev_now(table->loop) * 1000), 10000))
                        log_error("table", "cannot be read", LOG_ERROR_FIELDS(&error));
                table->settling = ev_now(table->loop) < table->deadline;
                schedule(table, SLOWEST_LOOK_S);
        }
        table->listener.looked(table->listener.userdata);
}

struct table *table_new(struct ev_loop *loop, const struct table_listener *listener)
{
        struct table *table = calloc(1, sizeof(*table));

        if (!table)
                return NULL;
        *table = (struct table){.loop = loop, .listener = *listener};
        ev_timer_init(&table->timer, on_timer, 0.0, 0.0);
        return table;
}

int table_expect(struct table *table, const struct plan *plan)
{
        struct ipvs_vip_state *states = NULL;

        if (plan) {
                states = calloc(plan->n_vips + 1, sizeof(*states));
                if (!states)
                        plan = NULL;
        }
        free(table->states);
        table->states = states;
        table->plan = plan;
        table->n_real_servers = 0;
        ev_timer_stop(table->loop, &table->timer);
        if (!plan)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                table->n_real_servers += plan->virtual_servers[i].n_real_servers;
        /* What is known of the VIPs until the next look: what the table of the last one says of them. */
        if (table->readable)
                table->differences = ipvs_table_compare(&table->content, plan, states, NULL);
        begin_settling(table);
        return 0;
}

void table_settle(struct table *table)
{
        bool excused = !table->n_remedies;

        if (!table->plan)
                return;
        begin_settling(table);
        table->settling = excused;
        table->taught = false;
}

void table_look(struct table *table)
{
        if (table->plan)
                schedule(table, FIRST_LOOK_S);
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
        return table->settling;
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
