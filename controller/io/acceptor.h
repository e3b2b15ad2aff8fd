/* Accepts the connections of a listening socket, for as long as there are descriptors and memory for them.
 * Where there are not, the socket stays acceptable: nobody is accepted for a while then, or the loop would do
 * nothing else.
 */
#pragma once

#include "base/cleanup.h"
#include "base/log.h"

#include <ev.h>

struct acceptor;

/* A connection, non-blocking and closed on exec. The callback takes the descriptor. */
typedef void acceptor_fn(struct acceptor *acceptor, int fd);

/* Embedded in its owner, which container_of finds. */
struct acceptor {
        struct ev_loop *loop;
        acceptor_fn *accepted;
        int fd; /* the listening socket */
        ev_io acceptable;
        ev_timer pause;
        struct log_rate log_rate;
};

/* Takes `fd`, which listens and does not block, and begins. */
void acceptor_start(struct acceptor *acceptor, struct ev_loop *loop, int fd, acceptor_fn *accepted);

/* Leaves whoever comes in the backlog, until acceptor_resume. */
void acceptor_hold(struct acceptor *acceptor);
void acceptor_resume(struct acceptor *acceptor);

/* Closes the listening socket. */
void acceptor_end(struct acceptor *acceptor);
