/* The kernel's table, watched: how far it is from the plan, and for how long it has been allowed to be.
 *
 * After a change the table is looked at in quick, then slower steps until it is as planned. If it does not
 * get there in time, keepalived is told again, and then restarted: it does not repeat a write that failed.
 * After that the difference stands until the plan changes.
 */
#pragma once

#include "core/ipvs_table.h"

#include <ev.h>

struct table;

enum table_remedy {
        TABLE_RELOAD,  /* have keepalived read its configuration again */
        TABLE_RESTART, /* that did not help */
};

struct table_listener {
        void *userdata;
        void (*looked)(void *userdata); /* the states are fresh */
        void (*remedy)(void *userdata, enum table_remedy remedy);
};

/* Returns the table, or NULL if out of memory. */
struct table *table_new(struct ev_loop *loop, const struct table_listener *listener);

/* From now on this plan is wanted (borrowed until the next call; NULL: none), and a difference is settling.
 * 0 or -ENOMEM: then nothing is known of any VIP. */
int table_expect(struct table *table, const struct plan *plan);

/* keepalived builds the table anew: give it its time once more. */
void table_settle(struct table *table);

/* Something may have changed: look soon. */
void table_look(struct table *table);

/* Per VIP of the plan; NULL if the table could not be read. */
const struct ipvs_vip_state *table_states(const struct table *table);

/* The parsed table of the last look, or NULL. */
const struct ipvs_table *table_content(const struct table *table);

/* Connections that are under way, as of the last look. */
uint64_t table_flows(const struct table *table);

/* A change is on its way; a difference is no fault yet. */
bool table_is_settling(const struct table *table);

/* Virtual servers that differ, as of the last look. */
size_t table_differences(const struct table *table);

/* NULL is fine. */
void table_free(struct table *table);
