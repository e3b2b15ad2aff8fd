/* Child processes on the loop: the exit is a callback, the output (if asked for) is collected. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <ev.h>
#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_OUTPUT_MAX (256u * 1024) /* bytes kept of a captured output; the rest is read and dropped */

struct process;

/* The child is gone and its output is complete. `status` as of wait(2). The process may be started again. */
typedef void process_exit_fn(struct process *process, int status);

/* Embedded in its owner, which finds itself with container_of. */
struct process {
        struct ev_loop *loop;
        process_exit_fn *on_exit;
        pid_t pid; /* 0: not running */
        ev_child child;
        ev_io output_ready;
        struct strbuf output; /* stdout and stderr, of a captured one */
        int output_fd;
        int status;
        bool exited;
};

/* `loop` must be the default loop: it is the one that sees SIGCHLD. */
void process_init(struct process *process, struct ev_loop *loop, process_exit_fn *on_exit);

/* Runs argv[0] (searched in PATH) in a process group of its own; it gets SIGKILL if we die. With `capture`
 * its stdout and stderr are collected, else they are ours. A program that cannot be run exits with 127 and
 * says why on its stderr. Returns 0, -EBUSY if it runs already, or another negative errno, with *error set.
 */
int process_start(struct process *process, const char *const argv[], bool capture, struct error *error);

/* kill(2) to the child alone. Nothing if it does not run. */
void process_signal(const struct process *process, int signal);

/* SIGKILL to the child's whole group, also to what it left behind when it is gone itself. */
void process_kill_group(pid_t pid);

/* Stops watching and kills the group if it runs; frees the output. */
void process_clear(struct process *process);
