/* The question whether a real server takes what comes through a tunnel, and its answer, as whole IP packets:
 * an ICMP echo (RFC 792, RFC 4443) from the pod to the VIP, which goes to the real server as IPVS would send
 * it. Whoever decapsulates it and has the VIP answers the pod directly, from the VIP. So the answer does not
 * show who sent it: the request carries that along.
 */
#pragma once

#include "core/addr.h"

#include <stddef.h>

#define TUNNEL_ECHO_SIZE 72 /* bytes; the larger of the two families' packets */

/* All three addresses are of one family. */
struct tunnel_echo {
        struct addr pod, vip, real_server;
        uint64_t cookie; /* random: nobody answers without having been asked. Its lowest 16 bits are ICMP's
                            identifier */
};

/* Writes the packet, without what is around it in the tunnel. Returns its length. */
size_t tunnel_echo_request(const struct tunnel_echo *echo, uint8_t out[static TUNNEL_ECHO_SIZE]);

/* Parses an IP packet. Returns 0 and *out; or -EINVAL if it is no answer to such a request; *out untouched
 * then. */
int tunnel_echo_parse_reply(const uint8_t *packet, size_t length, struct tunnel_echo *out);
