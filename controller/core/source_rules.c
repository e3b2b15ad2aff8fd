#include "core/source_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As iptables' -p and -m spell it. */
static const char *match_name(enum protocol protocol)
{
        return protocol == PROTOCOL_UDP ? "udp" : protocol == PROTOCOL_SCTP ? "sctp" : "tcp";
}

static bool is_open(const struct plan_service *service, uint8_t family)
{
        if (!service->restricted)
                return true;
        for (size_t i = 0; i < service->n_source_ranges; i++)
                if (service->source_ranges[i].addr.family == family && service->source_ranges[i].length == 0)
                        return true; /* 0.0.0.0/0 */
        return false;
}

static int add_rule(struct strbuf *text, const struct virtual_server *vs, const struct prefix *source)
{
        const char *match = match_name(vs->protocol);
        char vip[ADDR_TEXT_SIZE], range[PREFIX_TEXT_SIZE];
        int r = strbuf_printf(text, "-A " SOURCE_RULES_CHAIN " -d %s/%u -p %s -m %s --dport %u",
                              addr_format(&vs->vip, vip), addr_bits(&vs->vip), match, match, vs->port);

        if (r < 0)
                return r;
        return source ? strbuf_printf(text, " -s %s -j RETURN\n", prefix_format(source, range))
                      : strbuf_puts(text, " -j DROP\n");
}

/* Counts a VIP from its first rule on; what was appended since `begin` is its. */
static void count_vip(struct source_rules *rules, const struct addr *vip, size_t begin)
{
        struct source_rules_vip *last = rules->n_vips ? &rules->vips[rules->n_vips - 1] : NULL;

        if (!last || !addr_equal(&last->vip, vip)) {
                last = &rules->vips[rules->n_vips++];
                *last = (struct source_rules_vip){.vip = *vip, .begin = begin};
        }
        last->length = rules->text.length - last->begin;
}

/* Without a service nobody is let in. */
static int add_rules(struct source_rules *rules, const struct virtual_server *vs,
                     const struct plan_service *service)
{
        size_t begin = rules->text.length;
        int r = 0;

        if (service && is_open(service, vs->vip.family))
                return 0;
        for (size_t i = 0; service && i < service->n_source_ranges && r == 0; i++)
                if (service->source_ranges[i].addr.family == vs->vip.family)
                        r = add_rule(&rules->text, vs, &service->source_ranges[i]);
        if (r == 0)
                r = add_rule(&rules->text, vs, NULL);
        if (r == 0)
                count_vip(rules, &vs->vip, begin);
        return r;
}

/* Whether what is served at this key has to be closed until it is gone: `next` is what the plan to come has
 * there, NULL for nothing. */
static bool is_leaving(const struct plan *served, const struct virtual_server *vs, const struct plan *plan,
                       const struct virtual_server *next)
{
        const struct plan_service *service = &served->services[vs->service];

        if (is_open(service, vs->vip.family))
                return false;
        return !next || strcmp(service->name, plan->services[next->service].name) != 0;
}

/* The plans that are merged: the one to come, then those that are or may be served until then. */
#define PLANS 4

struct merge {
        const struct plan *plans[PLANS];
        size_t at[PLANS];
        const struct virtual_server *found[PLANS]; /* with the current key; NULL: none */
};

/* Moves on to the next key. Returns one virtual server that has it, or NULL at the end. */
static const struct virtual_server *merge_next(struct merge *merge)
{
        const struct virtual_server *first = NULL;

        for (size_t i = 0; i < PLANS; i++) {
                const struct plan *plan = merge->plans[i];

                merge->found[i] = plan && merge->at[i] < plan->n_virtual_servers
                                      ? &plan->virtual_servers[merge->at[i]]
                                      : NULL;
                if (merge->found[i] && (!first || virtual_server_compare(merge->found[i], first) < 0))
                        first = merge->found[i];
        }
        for (size_t i = 0; i < PLANS; i++) {
                if (merge->found[i] && virtual_server_compare(merge->found[i], first) == 0)
                        merge->at[i]++;
                else
                        merge->found[i] = NULL;
        }
        return first;
}

int source_rules_render(const struct plan *plan, const struct served_plans *served, uint8_t family,
                        struct source_rules *out)
{
        struct merge merge = {.plans = {plan, served->running, served->candidate, served->waiting}};
        const struct virtual_server *vs;
        size_t room = 1;
        int r = 0;

        for (size_t i = 0; i < PLANS; i++)
                room += merge.plans[i] ? merge.plans[i]->n_virtual_servers : 0;
        out->vips = calloc(room, sizeof(*out->vips));
        if (!out->vips)
                return -ENOMEM;
        while (r == 0 && (vs = merge_next(&merge))) {
                const struct virtual_server *next = merge.found[0];
                bool leaving = false;

                if (vs->vip.family != family)
                        continue;
                for (size_t i = 1; i < PLANS; i++)
                        leaving |= merge.found[i] && is_leaving(merge.plans[i], merge.found[i], plan, next);
                out->closing |= leaving;
                if (leaving)
                        r = add_rules(out, vs, NULL);
                else if (next)
                        r = add_rules(out, vs, &plan->services[next->service]);
        }
        if (r < 0)
                source_rules_clear(out);
        return r;
}

int source_rules_input(const struct source_rules *rules, bool linked, struct strbuf *out)
{
        bool needed = rules->text.length > 0;
        int r = strbuf_puts(out, "# Written by coracle: spec.loadBalancerSourceRanges of its Services.\n"
                                 "*filter\n:" SOURCE_RULES_CHAIN " - [0:0]\n");

        if (r == 0 && linked)
                r = strbuf_puts(out, "-D INPUT -j " SOURCE_RULES_CHAIN "\n");
        if (r == 0)
                r = strbuf_puts(out, needed ? "-I INPUT -j " SOURCE_RULES_CHAIN "\n"
                                            : "-X " SOURCE_RULES_CHAIN "\n");
        if (r == 0 && needed)
                r = strbuf_append(out, rules->text.text, rules->text.length);
        return r < 0 ? r : strbuf_puts(out, "COMMIT\n");
}

static const struct source_rules_vip *find(const struct source_rules *rules, const struct addr *vip)
{
        size_t low = 0, high = rules->n_vips;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = addr_compare(&rules->vips[middle].vip, vip);

                if (order == 0)
                        return &rules->vips[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

bool source_rules_agree(const struct source_rules *a, const struct source_rules *b, const struct addr *vip)
{
        const struct source_rules_vip *x = find(a, vip), *y = find(b, vip);

        if (!x || !y)
                return x == y;
        return x->length == y->length &&
               memcmp(a->text.text + x->begin, b->text.text + y->begin, x->length) == 0;
}

void source_rules_clear(struct source_rules *rules)
{
        strbuf_clear(&rules->text);
        free(rules->vips);
        *rules = (struct source_rules){0};
}
