#include "core/fingerprint.h"

#include <string.h>

#define FNV_BASIS 2166136261u /* http://www.isthe.com/chongo/tech/comp/fnv/ */
#define FNV_PRIME 16777619u

static void add_byte(uint32_t *hash, unsigned int byte)
{
        *hash = (*hash ^ (byte & 0xff)) * FNV_PRIME;
}

/* Byte by byte, so that machines of either order agree. */
static void add_number(uint32_t *hash, uint32_t number)
{
        for (int shift = 24; shift >= 0; shift -= 8)
                add_byte(hash, number >> shift);
}

static void add_addr(uint32_t *hash, const struct addr *addr)
{
        add_byte(hash, addr->family);
        for (size_t i = 0; i < sizeof(addr->bytes); i++)
                add_byte(hash, addr->bytes[i]);
}

static void add_virtual(uint32_t *hash, const struct addr *vip, enum protocol protocol, uint16_t port,
                        const char *scheduler)
{
        add_addr(hash, vip);
        add_byte(hash, protocol);
        add_number(hash, port);
        for (const char *c = scheduler; *c; c++)
                add_byte(hash, (unsigned char)*c);
}

/* Begins with a byte that no family is, so that a real server is never taken for a virtual one. */
static void add_real(uint32_t *hash, const struct addr *addr, uint16_t port, unsigned int forwarding,
                     uint32_t weight)
{
        add_byte(hash, 0xff);
        add_addr(hash, addr);
        add_number(hash, port);
        add_byte(hash, forwarding);
        add_number(hash, weight);
}

static uint32_t fingerprint(const struct plan *plan, bool draining)
{
        uint32_t hash = FNV_BASIS;

        for (size_t i = 0; plan && i < plan->n_virtual_servers; i++) {
                const struct virtual_server *vs = &plan->virtual_servers[i];

                add_virtual(&hash, &vs->vip, vs->protocol, vs->port, vs->scheduler);
                for (size_t j = 0; j < vs->n_real_servers; j++)
                        if (draining || vs->real_servers[j].weight)
                                add_real(&hash, &vs->real_servers[j].addr, vs->real_servers[j].port,
                                         vs->forwarding, vs->real_servers[j].weight);
        }
        return hash;
}

uint32_t plan_fingerprint(const struct plan *plan)
{
        return fingerprint(plan, true);
}

uint32_t plan_serving_fingerprint(const struct plan *plan)
{
        return fingerprint(plan, false);
}

uint32_t ipvs_table_fingerprint(const struct ipvs_table *table)
{
        uint32_t hash = FNV_BASIS;

        for (size_t i = 0; table && i < table->n_virtuals; i++) {
                const struct ipvs_virtual *virtual = &table->virtuals[i];

                add_virtual(&hash, &virtual->vip, virtual->protocol, virtual->port, virtual->scheduler);
                for (size_t j = 0; j < virtual->n_reals; j++) {
                        const struct ipvs_real *real = &virtual->reals[j];

                        add_real(&hash, &real->addr, real->port,
                                 real->forwarding_known ? real->forwarding : 0xff, real->weight);
                }
                if (ipvs_virtual_misplaced(virtual))
                        add_number(&hash, (uint32_t)ipvs_virtual_misplaced(virtual));
        }
        return hash;
}
