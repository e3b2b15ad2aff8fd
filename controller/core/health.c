#include "core/health.h"

bool health_is_checking(const struct plan *plan, const struct ipvs_vip_state *states,
                        const struct routes *routes, bool settling, int64_t keepalived_age_ms)
{
        if (keepalived_age_ms >= HEALTH_FIRST_CHECKS_MS)
                return false;
        if (settling)
                return true;
        for (size_t i = 0; states && plan && i < plan->n_vips; i++)
                if (states[i].down && !states[i].up)
                        return true;
        for (size_t i = 0; i < routes->count; i++)
                if (routes->routes[i].state == ROUTE_HELD_DOWN)
                        return true;
        return false;
}

/* `why` NULL: fine. Returns whether it is, or -ENOMEM. */
static int put(struct strbuf *out, const char *name, const char *why)
{
        int r = why ? strbuf_printf(out, "[-]%s: %s\n", name, why) : strbuf_printf(out, "[+]%s ok\n", name);

        return r < 0 ? r : !why;
}

static const char *table_fault(const struct health *health)
{
        if (health->settling || (!health->planned && !health->table_readable))
                return NULL;
        if (!health->table_readable)
                return "the kernel's IPVS table cannot be read";
        return health->differences ? "the kernel differs from the plan" : NULL;
}

static const char *announcement_fault(const struct health *health)
{
        if (health->checking)
                return "the first health checks are under way";
        if (!health->wanted)
                return NULL;
        if (!health->announcer_connected)
                return "coracle-announcer is not connected";
        if (!health->sessions_up)
                return "no BGP session is up";
        return health->announced ? NULL : "exabgp has not taken the routes";
}

int health_ready(const struct health *health, struct strbuf *out)
{
        const struct {
                const char *name, *why;
        } conditions[] = {
            {"synced", health->synced ? NULL : "not everything has been listed yet"},
            {"keepalived", health->keepalived_up ? NULL : "does not run"},
            {"table", table_fault(health)},
            {"staying", health->leaving ? "the pod is leaving" : NULL},
            {"announced", announcement_fault(health)}, /* the last one */
        };
        size_t n = sizeof(conditions) / sizeof(*conditions) - (health->local ? 1 : 0);
        int ready = 1, r;

        for (size_t i = 0; i < n; i++) {
                r = put(out, conditions[i].name, conditions[i].why);
                if (r < 0)
                        return r;
                ready = ready && r;
        }
        r = strbuf_puts(out, ready ? "ready\n" : "not ready\n");
        return r < 0 ? r : ready;
}
