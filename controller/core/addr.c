#include "core/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, uint16_t *out)
{
        unsigned long port;

        if (!*text || text[strspn(text, "0123456789")])
                return -EINVAL;
        port = strtoul(text, NULL, 10);
        if (port > UINT16_MAX)
                return -EINVAL;
        *out = (uint16_t)port;
        return 0;
}

int addr_parse_port(const char *text, struct addr *addr, uint16_t *port)
{
        const char *colon = strrchr(text, ':');
        char host[ADDR_TEXT_SIZE] = "";
        struct addr parsed;
        uint16_t number;

        if (!colon || parse_port(colon + 1, &number) < 0)
                return -EINVAL;
        if (*text == '[' && colon - text > 2 && colon[-1] == ']') {
                text++;
                colon--;
        }
        if ((size_t)(colon - text) >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, (size_t)(colon - text));
        if (addr_parse(host, &parsed) < 0)
                return -EINVAL;
        *addr = parsed;
        *port = number;
        return 0;
}

int addr_parse(const char *text, struct addr *out)
{
        struct addr addr = {0};

        if (inet_pton(AF_INET, text, addr.bytes) == 1)
                addr.family = AF_INET;
        else if (inet_pton(AF_INET6, text, addr.bytes) == 1)
                addr.family = AF_INET6;
        else
                return -EINVAL;
        *out = addr;
        return 0;
}

const char *addr_format(const struct addr *addr, char text[static ADDR_TEXT_SIZE])
{
        if (!inet_ntop(addr->family, addr->bytes, text, ADDR_TEXT_SIZE))
                (void)snprintf(text, ADDR_TEXT_SIZE, "none");
        return text;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
        if (a->family != b->family)
                return a->family < b->family ? -1 : 1; /* AF_INET is 2, AF_INET6 is 10 */
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_next(struct addr *addr)
{
        struct addr next = *addr;

        for (int i = addr_bits(addr) / 8 - 1; i >= 0; i--) {
                if (++next.bytes[i] != 0) {
                        *addr = next;
                        return true;
                }
        }
        return false;
}

bool addr_is_unicast(const struct addr *addr)
{
        static const struct addr unspecified = {.family = AF_INET6},
                                 loopback = {.family = AF_INET6, .bytes = {[15] = 1}};

        if (addr->family == AF_INET)
                return addr->bytes[0] != 0 && addr->bytes[0] != 127 && addr->bytes[0] < 224;
        return addr->family == AF_INET6 && addr->bytes[0] != 0xff && !addr_equal(addr, &unspecified) &&
               !addr_equal(addr, &loopback);
}

uint8_t addr_bits(const struct addr *addr)
{
        return addr->family == AF_INET6 ? 128 : 32;
}

static void clear_host_bits(struct addr *addr, uint8_t length)
{
        for (unsigned int bit = length; bit < addr_bits(addr); bit++)
                addr->bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
}

/* Bits beyond the length stay as written. */
static int parse_any_prefix(const char *text, struct prefix *out)
{
        char address[ADDR_TEXT_SIZE];
        const char *slash = strchr(text, '/');
        struct prefix prefix = {0};
        unsigned int length = 0;

        if (!slash || (size_t)(slash - text) >= sizeof(address))
                return -EINVAL;
        memcpy(address, text, (size_t)(slash - text));
        address[slash - text] = '\0';
        if (addr_parse(address, &prefix.addr) < 0)
                return -EINVAL;
        if (!slash[1] || strlen(slash + 1) > 3)
                return -EINVAL;
        for (const char *c = slash + 1; *c; c++) {
                if (*c < '0' || *c > '9')
                        return -EINVAL;
                length = length * 10 + (unsigned int)(*c - '0');
        }
        if (length > addr_bits(&prefix.addr))
                return -EINVAL;
        prefix.length = (uint8_t)length;
        *out = prefix;
        return 0;
}

int prefix_parse_masked(const char *text, struct prefix *out)
{
        struct prefix prefix;
        int r = parse_any_prefix(text, &prefix);

        if (r == 0)
                *out = prefix_of(&prefix.addr, prefix.length);
        return r;
}

int prefix_parse(const char *text, struct prefix *out)
{
        struct prefix prefix, masked;
        int r = parse_any_prefix(text, &prefix);

        if (r < 0)
                return r;
        masked = prefix_of(&prefix.addr, prefix.length);
        if (!addr_equal(&masked.addr, &prefix.addr))
                return -EINVAL;
        *out = prefix;
        return 0;
}

const char *prefix_format(const struct prefix *prefix, char text[static PREFIX_TEXT_SIZE])
{
        char address[ADDR_TEXT_SIZE];

        (void)snprintf(text, PREFIX_TEXT_SIZE, "%s/%u", addr_format(&prefix->addr, address), prefix->length);
        return text;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
        int order = addr_compare(&a->addr, &b->addr);

        return order ? order : (int)a->length - (int)b->length;
}

bool prefix_contains(const struct prefix *prefix, const struct addr *addr)
{
        struct prefix other = prefix_of(addr, prefix->length);

        return addr_equal(&prefix->addr, &other.addr);
}

struct prefix prefix_of(const struct addr *addr, uint8_t length)
{
        struct prefix prefix = {.addr = *addr, .length = length};

        if (prefix.length > addr_bits(addr))
                prefix.length = addr_bits(addr);
        clear_host_bits(&prefix.addr, prefix.length);
        return prefix;
}
