/* For how long the kernel's table may differ from the plan, and what is done then.
 *
 * After a change the table is looked at in quick, then slower steps until it is as planned. If it does not
 * get there in time, keepalived is told again, and then restarted: it does not repeat a write that failed.
 * After that the difference stands, because it may come from a template that makes something else than it
 * should: a keepalived that is restarted for ever would harm the services that are fine.
 *
 * Pure: the caller has the clock (monotonic), the table and the dice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTLE_FIRST_LOOK_MS 10
#define SETTLE_IDLE_LOOK_MS 10000 /* for changes that nobody told us of */

/* Zero-initialised: nothing is expected. */
struct settle {
        bool settling;           /* a change is on its way: a difference is no fault yet */
        unsigned int n_remedies; /* tried since the table was last as planned */
        size_t n_real_servers;
        int64_t deadline_ms;
        int64_t step_ms; /* between two looks while settling */
};

enum settle_verdict {
        SETTLE_AS_PLANNED,
        SETTLE_WAIT,
        SETTLE_RELOAD,  /* have keepalived read its configuration again */
        SETTLE_RESTART, /* that did not help */
        SETTLE_STANDS,  /* nor did this */
};

/* keepalived was given a plan of so many real servers: a difference is excused for a time that grows with
 * them.
 */
void settle_begin(struct settle *settle, size_t n_real_servers, int64_t now_ms);

/* Another keepalived builds the table anew. It gets its time once more, but no excuse if it is a remedy. */
void settle_again(struct settle *settle, int64_t now_ms);

/* So many virtual servers differ. *look_ms is how soon to look again; `random` spreads restarts, which all LB
 * pods of a fleet would else come to in the same moment. */
enum settle_verdict settle_judge(struct settle *settle, size_t differences, uint32_t random, int64_t now_ms,
                                 int64_t *look_ms);

/* The table could not be read, as before keepalived has loaded the module. */
void settle_unreadable(struct settle *settle, int64_t now_ms, int64_t *look_ms);
