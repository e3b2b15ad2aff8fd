#include "core/tunnel_probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_BY_NAME 3 /* per service; where ICMP is dropped, it is all of them */

static int compare_targets(const void *a, const void *b)
{
        const struct tunnel_target *x = a, *y = b;
        int order = addr_compare(&x->vip, &y->vip);

        return order ? order : addr_compare(&x->real_server, &y->real_server);
}

static struct tunnel_target *find(const struct tunnel_probes *probes, const struct addr *vip,
                                  const struct addr *real_server)
{
        const struct tunnel_target key = {.vip = *vip, .real_server = *real_server};

        return probes->count ? bsearch(&key, probes->targets, probes->count, sizeof(key), compare_targets)
                             : NULL;
}

static bool is_unanswered(const struct tunnel_target *target)
{
        return target->missed == TUNNEL_MISSED_MAX;
}

static void count_unanswered(struct tunnel_probes *probes)
{
        probes->unanswered = 0;
        for (size_t i = 0; i < probes->count; i++)
                probes->unanswered += is_unanswered(&probes->targets[i]);
}

/* ---- who is to be asked ---- */

static size_t collect(const struct plan *plan, const struct ipvs_table *table, struct tunnel_target *out,
                      int64_t now_ms)
{
        size_t count = 0;

        for (size_t i = 0; i < plan->n_virtual_servers; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];
                const struct ipvs_virtual *virtual = vs->forwarding == FORWARDING_TUNNEL
                                                         ? ipvs_table_find(table, vs)
                                                         : NULL;

                for (size_t j = 0; virtual && j < virtual->n_reals; j++)
                        if (virtual->reals[j].weight)
                                out[count++] = (struct tunnel_target){
                                    .vip = vs->vip, .real_server = virtual->reals[j].addr, .due_ms = now_ms};
        }
        return count;
}

int tunnel_probes_follow(struct tunnel_probes *probes, const struct plan *plan,
                         const struct ipvs_table *table, int64_t now_ms)
{
        struct tunnel_target *targets;
        size_t count, kept = 0;

        if (!plan || !table)
                return 0;
        targets = calloc(table->n_reals + 1, sizeof(*targets));
        if (!targets)
                return -ENOMEM;
        count = collect(plan, table, targets, now_ms);
        qsort(targets, count, sizeof(*targets), compare_targets);
        for (size_t i = 0; i < count; i++) {
                const struct tunnel_target *known;

                if (kept && compare_targets(&targets[kept - 1], &targets[i]) == 0)
                        continue;
                known = find(probes, &targets[i].vip, &targets[i].real_server);
                targets[kept++] = known ? *known : targets[i];
        }
        free(probes->targets);
        probes->targets = targets;
        probes->count = kept;
        count_unanswered(probes);
        return 0;
}

/* ---- asking ---- */

/* Between half of the interval and one and a half: targets that came at one time drift apart. */
static int64_t next_round(int64_t now_ms, uint32_t random)
{
        return now_ms + TUNNEL_INTERVAL_MS / 2 + random % TUNNEL_INTERVAL_MS;
}

static void ask(struct tunnel_target *target, int64_t now_ms, uint32_t random)
{
        if (target->asked && !is_unanswered(target))
                target->missed++;
        target->asked = true;
        target->due_ms = is_unanswered(target) ? next_round(now_ms, random) : now_ms + TUNNEL_RETRY_MS;
}

size_t tunnel_probes_tick(struct tunnel_probes *probes, int64_t now_ms, uint32_t random,
                          struct tunnel_target out[static TUNNEL_BURST], int64_t *next_ms)
{
        size_t count = 0, first = probes->count ? probes->next % probes->count : 0;

        *next_ms = -1;
        for (size_t i = 0; i < probes->count; i++) {
                size_t at = (first + i) % probes->count;
                struct tunnel_target *target = &probes->targets[at];

                if (target->due_ms <= now_ms && count < TUNNEL_BURST) {
                        /* Knuth's multiplier: another number for each. */
                        ask(target, now_ms, random + (uint32_t)at * 2654435761u);
                        out[count++] = *target;
                        probes->next = at + 1;
                }
                if (*next_ms < 0 || target->due_ms < *next_ms)
                        *next_ms = target->due_ms;
        }
        if (*next_ms >= 0 && *next_ms < now_ms + TUNNEL_TICK_MS)
                *next_ms = now_ms + TUNNEL_TICK_MS;
        count_unanswered(probes);
        return count;
}

void tunnel_probes_answered(struct tunnel_probes *probes, const struct addr *vip,
                            const struct addr *real_server, int64_t now_ms, uint32_t random)
{
        struct tunnel_target *target = find(probes, vip, real_server);

        if (!target || !target->asked)
                return;
        probes->unanswered -= is_unanswered(target);
        target->missed = 0;
        target->asked = false;
        target->due_ms = next_round(now_ms, random);
}

/* ---- telling ---- */

/* The ports of a service have the same real servers: a VIP's are told once. */
static bool is_told(const struct plan *plan, size_t vs_index, const struct real_server *rs)
{
        const struct virtual_server *vs = &plan->virtual_servers[vs_index];

        for (size_t i = vs_index; i-- > 0 && addr_equal(&plan->virtual_servers[i].vip, &vs->vip);) {
                const struct virtual_server *other = &plan->virtual_servers[i];

                if (other->service != vs->service || other->forwarding != FORWARDING_TUNNEL)
                        continue;
                for (size_t j = 0; j < other->n_real_servers; j++)
                        if (addr_equal(&other->real_servers[j].addr, &rs->addr))
                                return true;
        }
        return false;
}

static int tell(struct plan *plan, const struct virtual_server *vs, const struct real_server *rs)
{
        struct plan_service *service = &plan->services[vs->service];
        char vip[ADDR_TEXT_SIZE], real_server[ADDR_TEXT_SIZE];

        service->tunnel_unanswered++;
        if (service->tunnel_unanswered > TOLD_BY_NAME + 1)
                return 0;
        if (service->tunnel_unanswered > TOLD_BY_NAME)
                return plan_add_problem(plan, service->name, "TunnelUnanswered",
                                        "more of its real servers do not answer a ping through the tunnel");
        return plan_add_problem(plan, service->name, "TunnelUnanswered",
                                "%s does not answer a ping to %s through the tunnel: its pod needs the init "
                                "container of components/tunnel-server, or something drops ICMP",
                                addr_format(&rs->addr, real_server), addr_format(&vs->vip, vip));
}

int tunnel_probes_tell(const struct tunnel_probes *probes, struct plan *plan)
{
        plan->tunnels_probed = true;
        for (size_t i = 0; i < plan->n_virtual_servers && probes->unanswered; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];

                for (size_t j = 0; vs->forwarding == FORWARDING_TUNNEL && j < vs->n_real_servers; j++) {
                        const struct real_server *rs = &vs->real_servers[j];
                        const struct tunnel_target *target = find(probes, &vs->vip, &rs->addr);

                        if (target && is_unanswered(target) && !is_told(plan, i, rs) &&
                            tell(plan, vs, rs) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

void tunnel_probes_clear(struct tunnel_probes *probes)
{
        free(probes->targets);
        *probes = (struct tunnel_probes){0};
}
