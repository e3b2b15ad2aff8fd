/* The kernel's table, watched: how far it is from the plan. For how long it may be, core/settle decides. Puts
 * mh's real servers in order (io/ipvs_order.h). */
#pragma once

#include "core/ipvs_compare.h"

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

/* `counts` is borrowed. Returns the table, or NULL if out of memory. */
struct table *table_new(struct ev_loop *loop, struct ipvs_counts *counts,
                        const struct table_listener *listener);

/* From now on this plan is wanted (borrowed until the next call). `reloaded`: keepalived was told, so that a
 * difference is excused for a while; else it has that already, and what is excused stays so. 0 or -ENOMEM:
 * then nothing is known of any VIP. */
int table_expect(struct table *table, const struct plan *plan, bool reloaded);

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
