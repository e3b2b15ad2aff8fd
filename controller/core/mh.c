#include "core/mh.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ip_vs_mh.c: generate_hash_secret() */
#define KEY_OFFSET 2654435761u
#define KEY_SKIP 2654446892u

#define WEIGHT_BITS 6 /* IP_VS_MH_TAB_BITS: shares beyond are scaled down */

static uint64_t rotate(uint64_t value, int bits)
{
        return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[static 4])
{
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
}

/* hsiphash(): SipHash-1-3 (https://131002.net/siphash/) of four bytes, both halves of the key the same, cut
 * to 32 bits. */
static uint32_t hash(uint32_t value, uint64_t key)
{
        const uint64_t last = UINT64_C(4) << 56 | value;
        uint64_t v[4] = {key ^ UINT64_C(0x736f6d6570736575), key ^ UINT64_C(0x646f72616e646f6d),
                         key ^ UINT64_C(0x6c7967656e657261), key ^ UINT64_C(0x7465646279746573)};

        v[3] ^= last;
        sip_round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        for (int i = 0; i < 3; i++)
                sip_round(v);
        return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

/* An IPv6 address is folded to 32 bits. */
static uint32_t hash_endpoint(const struct addr *addr, uint16_t port, uint64_t key, uint32_t offset)
{
        uint32_t words[4], folded;

        memcpy(words, addr->bytes, sizeof(words)); /* the unused ones of IPv4 are zero */
        folded = be32toh(words[0] ^ words[1] ^ words[2] ^ words[3]);
        return hash(offset + port + folded, key);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
        while (b) {
                uint32_t rest = a % b;

                a = b;
                b = rest;
        }
        return a;
}

/* How a server walks through the table, and how many slots it takes each time. */
struct walk {
        uint32_t next, skip, turns;
};

/* Returns whether any server has a share. */
static bool begin_walks(const struct mh_server *servers, size_t count, struct walk *walks)
{
        uint32_t divisor = 0, largest = 0, shift = 0;

        for (size_t i = 0; i < count; i++) {
                divisor = common_divisor(servers[i].share, divisor);
                largest = servers[i].share > largest ? servers[i].share : largest;
        }
        if (!divisor)
                return false;
        while (largest / divisor >> shift >= 1u << WEIGHT_BITS)
                shift++;
        for (size_t i = 0; i < count; i++) {
                const struct mh_server *server = &servers[i];
                uint32_t turns = server->share / divisor >> shift;

                walks[i] = (struct walk){
                    .next = hash_endpoint(&server->addr, server->port, KEY_OFFSET, 0) % MH_SLOTS,
                    .skip = hash_endpoint(&server->addr, server->port, KEY_SKIP, 0) % (MH_SLOTS - 1) + 1,
                    .turns = turns ? turns : server->share != 0};
        }
        return true;
}

int mh_table_build(const struct mh_server *servers, size_t count, struct mh_table *out)
{
        struct walk *walks;
        size_t filled = 0;

        if (count > MH_SLOTS)
                return -EINVAL;
        walks = calloc(count + 1, sizeof(*walks));
        if (!walks)
                return -ENOMEM;
        memset(out, 0xff, sizeof(*out)); /* MH_NONE */
        if (!begin_walks(servers, count, walks))
                filled = MH_SLOTS;
        while (filled < MH_SLOTS) {
                for (size_t i = 0; i < count && filled < MH_SLOTS; i++) {
                        for (uint32_t turn = 0; turn < walks[i].turns && filled < MH_SLOTS; turn++) {
                                while (out->slots[walks[i].next] != MH_NONE)
                                        walks[i].next = (walks[i].next + walks[i].skip) % MH_SLOTS;
                                out->slots[walks[i].next] = (uint16_t)i;
                                filled++;
                        }
                }
        }
        free(walks);
        return 0;
}

uint16_t mh_table_choose(const struct mh_table *table, const struct mh_server *servers,
                         const struct addr *client, uint16_t port)
{
        uint32_t first = hash_endpoint(client, port, KEY_OFFSET, 0) % MH_SLOTS;
        uint16_t server = table->slots[first];

        if (server == MH_NONE || !servers[server].unavailable)
                return server;
        for (uint32_t i = 0; i < MH_SLOTS; i++) {
                uint32_t offset = (i + first) % MH_SLOTS;

                server = table->slots[hash_endpoint(client, port, KEY_OFFSET, offset) % MH_SLOTS];
                if (server == MH_NONE || !servers[server].unavailable)
                        return server;
        }
        return MH_NONE;
}
