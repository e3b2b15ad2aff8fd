#include "core/tunnel_echo.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

enum {
        ADDRESS_SIZE = 16,
        MESSAGE_SIZE = 8 + 8 + ADDRESS_SIZE, /* ICMP's header, the cookie, the real server */
        HOPS = 64,
};

/* RFC 1071, unfolded. */
static uint32_t add_up(uint32_t sum, const uint8_t *bytes, size_t length)
{
        for (size_t i = 0; i + 1 < length; i += 2)
                sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
        if (length % 2)
                sum += (uint32_t)bytes[length - 1] << 8;
        return sum;
}

static uint16_t fold(uint32_t sum)
{
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

static void put16(uint8_t *at, uint16_t value)
{
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static size_t address_size(uint8_t family)
{
        return family == AF_INET ? 4 : ADDRESS_SIZE;
}

/* Of a whole message, whose own checksum is part of it: 0 if that is right. ICMPv6 adds the addresses (RFC
 * 8200, 8.1). */
static uint16_t checksum(const struct addr *source, const struct addr *destination, const uint8_t *message)
{
        uint32_t sum = 0;

        if (source->family == AF_INET6) {
                sum = add_up(sum, source->bytes, ADDRESS_SIZE);
                sum = add_up(sum, destination->bytes, ADDRESS_SIZE);
                sum += MESSAGE_SIZE + IPPROTO_ICMPV6;
        }
        return fold(add_up(sum, message, MESSAGE_SIZE));
}

static size_t put_header4(const struct tunnel_echo *echo, uint8_t *out)
{
        struct iphdr header = {
            .version = 4,
            .ihl = sizeof(header) / 4,
            .tot_len = htons(sizeof(header) + MESSAGE_SIZE),
            .frag_off = htons(IP_DF),
            .ttl = HOPS,
            .protocol = IPPROTO_ICMP,
        };

        memcpy(&header.saddr, echo->pod.bytes, sizeof(header.saddr));
        memcpy(&header.daddr, echo->vip.bytes, sizeof(header.daddr));
        memcpy(out, &header, sizeof(header));
        put16(out + offsetof(struct iphdr, check), fold(add_up(0, out, sizeof(header))));
        return sizeof(header);
}

static size_t put_header6(const struct tunnel_echo *echo, uint8_t *out)
{
        struct ip6_hdr header = {
            .ip6_flow = htonl(6u << 28),
            .ip6_plen = htons(MESSAGE_SIZE),
            .ip6_nxt = IPPROTO_ICMPV6,
            .ip6_hlim = HOPS,
        };

        memcpy(&header.ip6_src, echo->pod.bytes, sizeof(header.ip6_src));
        memcpy(&header.ip6_dst, echo->vip.bytes, sizeof(header.ip6_dst));
        memcpy(out, &header, sizeof(header));
        return sizeof(header);
}

size_t tunnel_echo_request(const struct tunnel_echo *echo, uint8_t out[static TUNNEL_ECHO_SIZE])
{
        size_t header = echo->vip.family == AF_INET ? put_header4(echo, out) : put_header6(echo, out);
        uint8_t *message = out + header;

        memset(message, 0, MESSAGE_SIZE);
        message[0] = echo->vip.family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
        put16(message + 4, (uint16_t)echo->cookie);
        memcpy(message + 8, &echo->cookie, sizeof(echo->cookie));
        memcpy(message + 16, echo->real_server.bytes, address_size(echo->vip.family));
        put16(message + 2, checksum(&echo->pod, &echo->vip, message));
        return header + MESSAGE_SIZE;
}

/* Finds the addresses and the message; NULL if the packet is not one that we know how to read. */
static const uint8_t *parse_header4(const uint8_t *packet, size_t length, struct tunnel_echo *echo)
{
        struct iphdr header;
        size_t size;

        if (length < sizeof(header))
                return NULL;
        memcpy(&header, packet, sizeof(header));
        size = (size_t)header.ihl * 4;
        if (size < sizeof(header) || header.protocol != IPPROTO_ICMP ||
            (ntohs(header.frag_off) & (IP_MF | IP_OFFMASK)) || ntohs(header.tot_len) != size + MESSAGE_SIZE ||
            length < size + MESSAGE_SIZE)
                return NULL;
        memcpy(echo->vip.bytes, &header.saddr, sizeof(header.saddr));
        memcpy(echo->pod.bytes, &header.daddr, sizeof(header.daddr));
        return packet + size;
}

static const uint8_t *parse_header6(const uint8_t *packet, size_t length, struct tunnel_echo *echo)
{
        struct ip6_hdr header;

        if (length < sizeof(header) + MESSAGE_SIZE)
                return NULL;
        memcpy(&header, packet, sizeof(header));
        if (header.ip6_nxt != IPPROTO_ICMPV6 || ntohs(header.ip6_plen) != MESSAGE_SIZE)
                return NULL;
        memcpy(echo->vip.bytes, &header.ip6_src, sizeof(header.ip6_src));
        memcpy(echo->pod.bytes, &header.ip6_dst, sizeof(header.ip6_dst));
        return packet + sizeof(header);
}

int tunnel_echo_parse_reply(const uint8_t *packet, size_t length, struct tunnel_echo *out)
{
        uint8_t version = length ? packet[0] >> 4 : 0, family = version == 4 ? AF_INET : AF_INET6;
        struct tunnel_echo echo = {.pod.family = family, .vip.family = family, .real_server.family = family};
        const uint8_t *message = version == 4   ? parse_header4(packet, length, &echo)
                                 : version == 6 ? parse_header6(packet, length, &echo)
                                                : NULL;

        if (!message || message[0] != (version == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || message[1] ||
            checksum(&echo.vip, &echo.pod, message) != 0)
                return -EINVAL;
        memcpy(&echo.cookie, message + 8, sizeof(echo.cookie));
        memcpy(echo.real_server.bytes, message + 16, address_size(family));
        *out = echo;
        return 0;
}
