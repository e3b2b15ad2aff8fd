#include "app/applier.h"

#include "app/problems.h"
#include "base/log.h"
#include "core/keepalived_report.h"
#include "core/refusals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_S 5.0

struct candidate {
        struct plan *plan; /* NULL: none is on its way */
        struct ipvs_config config;
        bool *blamed;      /* per virtual server, by keepalived */
        size_t n_problems; /* the plan's own, before rendering added to them */
};

struct applier {
        struct ev_loop *loop;
        struct keepalived *keepalived;
        struct ahead *ahead;
        struct applier_listener listener;
        const struct template_set *templates;
        struct plan *plan;          /* applied */
        struct ipvs_config running; /* what keepalived has */
        struct candidate candidate;
        struct refusals refusals;
        struct plan *waiting;
        ev_timer retry;
        unsigned long failures;
};

static void candidate_clear(struct candidate *candidate)
{
        plan_free(candidate->plan);
        ipvs_config_clear(&candidate->config);
        free(candidate->blamed);
        *candidate = (struct candidate){0};
}

/* Nothing has changed for keepalived. Its plan waits for a later try, unless a newer one does already. */
static void fail(struct applier *applier, const struct error *error)
{
        applier->failures++;
        log_error("apply", "cannot apply; keeping what runs", LOG_ERROR_FIELDS(error));
        ahead_follow(applier->ahead, applier->plan, NULL, true);
        if (!applier->waiting) {
                plan_forget_problems(applier->candidate.plan, applier->candidate.n_problems);
                applier->waiting = TAKE_PTR(applier->candidate.plan);
        }
        candidate_clear(&applier->candidate);
        ev_timer_stop(applier->loop, &applier->retry);
        ev_timer_set(&applier->retry, RETRY_S, 0.0);
        ev_timer_start(applier->loop, &applier->retry);
}

static void begin_next(struct applier *applier);

/* The candidate is what runs now. */
static void adopt(struct applier *applier, bool reloaded)
{
        struct candidate *candidate = &applier->candidate;
        struct plan *before = applier->plan;

        if (ipvs_config_adopt(&candidate->config, candidate->plan, before) < 0)
                log_error("apply", "out of memory; the kernel's table may seem to differ");
        applier->plan = TAKE_PTR(candidate->plan);
        ipvs_config_clear(&applier->running);
        applier->running = candidate->config;
        candidate->config = (struct ipvs_config){0};
        candidate_clear(candidate);
        refusals_end(&applier->refusals);
        ahead_follow(applier->ahead, applier->plan, &applier->running, true);
        problems_log_new(before, applier->plan);
        applier->listener.applied(applier->listener.userdata, reloaded);
        plan_free(before);
        begin_next(applier);
}

static bool is_running(const struct applier *applier, const struct strbuf *text)
{
        const struct strbuf *running = &applier->running.text;

        return running->length == text->length && memcmp(running->text, text->text, text->length) == 0;
}

/* Renders the candidate and has it validated, or adopts it at once if keepalived has just that. */
static void try_candidate(struct applier *applier)
{
        struct candidate *candidate = &applier->candidate;
        const struct ipvs_config_request request = {
            .templates = applier->templates,
            .notify_fifo = keepalived_fifo_path(applier->keepalived),
            .accepted = applier->plan ? &applier->running : NULL,
            .applied = applier->plan,
            .refusals = &applier->refusals,
        };
        struct error error = {0};

        plan_forget_problems(candidate->plan, candidate->n_problems);
        if (ipvs_config_render(&request, candidate->plan, &candidate->config, &error) < 0) {
                fail(applier, &error);
                return;
        }
        if (applier->plan && is_running(applier, &candidate->config.text)) {
                adopt(applier, false);
                return;
        }
        ahead_follow(applier->ahead, candidate->plan, &candidate->config, false);
        if (keepalived_validate(applier->keepalived, candidate->config.text.text,
                                candidate->config.text.length, &error) < 0)
                fail(applier, &error);
}

static void begin_next(struct applier *applier)
{
        struct candidate *candidate = &applier->candidate;

        if (candidate->plan || !applier->waiting)
                return;
        ev_timer_stop(applier->loop, &applier->retry);
        refusals_begin(&applier->refusals);
        candidate->blamed = calloc(applier->waiting->n_virtual_servers + 1, sizeof(*candidate->blamed));
        candidate->plan = TAKE_PTR(applier->waiting);
        candidate->n_problems = candidate->plan->n_problems;
        if (!candidate->blamed) {
                struct error error = {0};

                (void)error_oom(&error);
                fail(applier, &error);
                return;
        }
        try_candidate(applier);
}

void applier_validated(struct applier *applier, bool accepted, const char *report)
{
        struct candidate *candidate = &applier->candidate;
        struct error error = {0};

        if (accepted) {
                if (keepalived_apply(applier->keepalived, &error) < 0)
                        fail(applier, &error);
                else
                        adopt(applier, true);
                return;
        }
        /* Each round blames at least one more, so that this ends. */
        if (!keepalived_report_read(report, &candidate->config, candidate->plan, candidate->blamed, &error)) {
                fail(applier, &error);
                return;
        }
        log_warning("apply", "keepalived refuses a part; trying without", LOG_ERROR_FIELDS(&error));
        applier->failures++;
        if (refusals_add(&applier->refusals, &candidate->config, candidate->plan, candidate->blamed) < 0)
                fail(applier, &error);
        else
                try_candidate(applier);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int revents)
{
        (void)loop;
        (void)revents;
        begin_next(container_of(watcher, struct applier, retry));
}

struct applier *applier_new(struct ev_loop *loop, struct keepalived *keepalived, struct ahead *ahead,
                            const struct applier_listener *listener)
{
        struct applier *applier = calloc(1, sizeof(*applier));

        if (!applier)
                return NULL;
        *applier =
            (struct applier){.loop = loop, .keepalived = keepalived, .ahead = ahead, .listener = *listener};
        ev_timer_init(&applier->retry, on_retry, RETRY_S, 0.0);
        return applier;
}

void applier_set_templates(struct applier *applier, const struct template_set *templates)
{
        applier->templates = templates;
}

void applier_want(struct applier *applier, struct plan *plan)
{
        plan_free(applier->waiting);
        applier->waiting = plan;
        begin_next(applier);
}

const struct plan *applier_plan(const struct applier *applier)
{
        return applier->plan;
}

struct served_plans applier_served(const struct applier *applier)
{
        return (struct served_plans){applier->plan, applier->candidate.plan, applier->waiting};
}

void applier_forget_refusals(struct applier *applier)
{
        refusals_clear(&applier->refusals);
}

unsigned long applier_failures(const struct applier *applier)
{
        return applier->failures;
}

void applier_free(struct applier *applier)
{
        if (!applier)
                return;
        ev_timer_stop(applier->loop, &applier->retry);
        candidate_clear(&applier->candidate);
        plan_free(applier->waiting);
        plan_free(applier->plan);
        ipvs_config_clear(&applier->running);
        refusals_clear(&applier->refusals);
        free(applier);
}
