#include "core/health.h"

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

int health_ready(const struct health *health, struct strbuf *out)
{
        const struct {
                const char *name, *why;
        } conditions[] = {
            {"synced", health->synced ? NULL : "not everything has been listed yet"},
            {"keepalived", health->keepalived_up ? NULL : "does not run"},
            {"table", table_fault(health)},
            {"staying", health->leaving ? "the pod is leaving" : NULL},
        };
        int ready = 1, r;

        for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
                r = put(out, conditions[i].name, conditions[i].why);
                if (r < 0)
                        return r;
                ready = ready && r;
        }
        r = strbuf_puts(out, ready ? "ready\n" : "not ready\n");
        return r < 0 ? r : ready;
}
