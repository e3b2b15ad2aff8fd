/* Whether a TCP server answers: one connection attempt, as keepalived's TCP_CHECK makes it. */
#pragma once

#include "core/addr.h"

#include <ev.h>

struct tcp_probe;

/* Called once, later, from the loop; the probe is gone then. */
typedef void tcp_probe_fn(void *userdata, bool answers);

/* Returns NULL if there is no memory, no socket or no way to that address. */
struct tcp_probe *tcp_probe_start(struct ev_loop *loop, const struct addr *addr, uint16_t port,
                                  double timeout_s, tcp_probe_fn *done, void *userdata);

/* `done` is not called any more. NULL is fine. */
void tcp_probe_cancel(struct tcp_probe *probe);
