/* Brings a plan into keepalived: render → validate → replace and reload. One at a time; a plan that comes
 * meanwhile waits, and only the newest of those that wait is ever applied.
 *
 * What keepalived refuses is traced to the virtual servers at fault. Those keep what they had, the rest is
 * applied. When it cannot be traced, or the configuration cannot be written, everything stays as it runs and
 * is tried again later.
 */
#pragma once

#include "app/ahead.h"
#include "core/source_rules.h"
#include "io/keepalived.h"

struct applier;

struct applier_listener {
        void *userdata;
        /* applier_plan is another one now. `reloaded`: keepalived was told; else its configuration is the
         * same. */
        void (*applied)(void *userdata, bool reloaded);
};

/* All are borrowed. Returns NULL if out of memory. */
struct applier *applier_new(struct ev_loop *loop, struct keepalived *keepalived, struct ahead *ahead,
                            const struct applier_listener *listener);

/* The templates to render with from now on. Borrowed. */
void applier_set_templates(struct applier *applier, const struct template_set *templates);

/* Takes the plan over. */
void applier_want(struct applier *applier, struct plan *plan);

/* To be called with the outcome of keepalived's validation. */
void applier_validated(struct applier *applier, bool accepted, const char *report);

/* The plan that keepalived runs with, as far as it could be applied; NULL before the first. Borrowed until
 * the next `applied`. */
const struct plan *applier_plan(const struct applier *applier);

/* The same plan, the one that keepalived is being asked about, and the one that is next. Borrowed until the
 * next call of an applier's function. */
struct served_plans applier_served(const struct applier *applier);

/* The templates are others: what keepalived has refused it may accept now. */
void applier_forget_refusals(struct applier *applier);

/* How often applying has failed, since the start. */
unsigned long applier_failures(const struct applier *applier);

/* NULL is fine. */
void applier_free(struct applier *applier);
