/* Sends core/tunnel_echo.h's requests to real servers, encapsulated as IPVS does it, and hears the answers.
 *
 * An answer comes from the VIP, which is an address of this pod: the kernel drops such a packet (a "martian")
 * before any socket of ICMP sees it. So it is taken by a packet socket, from which a filter in the kernel
 * hides all other packets. Needs CAP_NET_RAW.
 */
#pragma once

#include "base/error.h"
#include "core/tunnel_echo.h"

#include <ev.h>

struct tunnel_socket;

typedef void tunnel_socket_fn(void *userdata, const struct addr *vip, const struct addr *real_server);

/* `answered` is called for each answer to a request of this socket. Returns 0 and *out, to be freed with
 * tunnel_socket_free; or a negative errno with *error set. */
int tunnel_socket_new(struct ev_loop *loop, tunnel_socket_fn *answered, void *userdata,
                      struct tunnel_socket **out, struct error *error);

/* Asks the real server for the VIP. What cannot be sent stays without an answer. */
void tunnel_socket_ask(struct tunnel_socket *socket, const struct addr *vip, const struct addr *real_server);

/* NULL is fine. */
void tunnel_socket_free(struct tunnel_socket *socket);
