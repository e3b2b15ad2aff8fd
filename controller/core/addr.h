/* IP addresses and prefixes of both families, as values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_SIZE 46   /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_SIZE 50 /* address, slash, three digits */

struct addr {
        uint8_t family;    /* AF_INET or AF_INET6; AF_UNSPEC is "none" */
        uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
};

struct prefix {
        struct addr addr; /* bits beyond length are zero */
        uint8_t length;
};

/* Text to address (inet_pton(3): no zones, no shortened IPv4). Returns 0 or -EINVAL; *out untouched then. */
int addr_parse(const char *text, struct addr *out);

/* "ADDRESS:PORT"; an IPv6 address may stand in brackets or not, for the port is what follows the last colon.
 * Returns 0 or -EINVAL; both untouched then. */
int addr_parse_port(const char *text, struct addr *addr, uint16_t *port);

/* Writes the text, canonical as of RFC 5952 (inet_ntop(3)), and returns `text`. */
const char *addr_format(const struct addr *addr, char text[static ADDR_TEXT_SIZE]);

/* Orders by family (IPv4 first), then numerically. */
int addr_compare(const struct addr *a, const struct addr *b);

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
        return addr_compare(a, b) == 0;
}

/* The address after this one. Returns false, and leaves it, if it was the family's last. */
bool addr_next(struct addr *addr);

/* Whether it can be that of one host: not unspecified, loopback, multicast, broadcast or reserved. */
bool addr_is_unicast(const struct addr *addr);

/* 32 or 128. */
uint8_t addr_bits(const struct addr *addr);

/* "ADDRESS/LENGTH" to prefix. Returns 0 or -EINVAL, also when bits beyond the length are set, because that
 * is a typing error more often than not. */
int prefix_parse(const char *text, struct prefix *out);

/* The same, but bits beyond the length are dropped, as kube-proxy and iptables do it. */
int prefix_parse_masked(const char *text, struct prefix *out);

const char *prefix_format(const struct prefix *prefix, char text[static PREFIX_TEXT_SIZE]);

int prefix_compare(const struct prefix *a, const struct prefix *b);

bool prefix_contains(const struct prefix *prefix, const struct addr *addr);

/* The prefix of this length that holds the address; a length beyond the family's is cut to it. */
struct prefix prefix_of(const struct addr *addr, uint8_t length);
