#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void finish(struct process *process)
{
        if (!process->exited || process->output_fd >= 0)
                return;
        process->pid = 0;
        process->on_exit(process, process->status);
}

static void close_output(struct process *process)
{
        ev_io_stop(process->loop, &process->output_ready);
        (void)close(TAKE_FD(process->output_fd));
}

static void on_child(struct ev_loop *loop, ev_child *watcher, int revents)
{
        struct process *process = container_of(watcher, struct process, child);

        (void)revents;
        ev_child_stop(loop, watcher);
        process->status = watcher->rstatus;
        process->exited = true;
        finish(process);
}

static void on_output(struct ev_loop *loop, ev_io *watcher, int revents)
{
        struct process *process = container_of(watcher, struct process, output_ready);
        char chunk[4096];
        ssize_t n = read(process->output_fd, chunk, sizeof(chunk));

        (void)loop;
        (void)revents;
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n > 0 && process->output.length + (size_t)n <= PROCESS_OUTPUT_MAX)
                (void)strbuf_append(&process->output, chunk, (size_t)n);
        if (n > 0)
                return;
        close_output(process);
        finish(process);
}

void process_init(struct process *process, struct ev_loop *loop, process_exit_fn *on_exit)
{
        *process = (struct process){.loop = loop, .on_exit = on_exit, .output_fd = -1};
        ev_init(&process->child, on_child);
        ev_init(&process->output_ready, on_output);
}

/* In the child, after fork: only async-signal-safe calls. */
_Noreturn static void become(const char *const argv[], int output)
{
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (output >= 0 && (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0))
                _exit(127);
        /* Libraries open descriptors too, and not all of them close-on-exec. */
        (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        (void)execvp(argv[0], (char *const *)argv);

        const char *reason = strerror(errno);
        (void)!write(STDERR_FILENO, "cannot run ", 11);
        (void)!write(STDERR_FILENO, argv[0], strlen(argv[0]));
        (void)!write(STDERR_FILENO, ": ", 2);
        (void)!write(STDERR_FILENO, reason, strlen(reason));
        (void)!write(STDERR_FILENO, "\n", 1);
        _exit(127);
}

int process_start(struct process *process, const char *const argv[], bool capture, struct error *error)
{
        _cleanup_close_ int reader = -1, writer = -1;
        int fds[2], r;
        pid_t pid;

        if (process->pid) {
                (void)error_set(error, argv[0], "runs already");
                return -EBUSY;
        }
        if (capture) {
                if (pipe2(fds, O_CLOEXEC) < 0)
                        goto fail;
                reader = fds[0];
                writer = fds[1];
                if (fcntl(reader, F_SETFL, O_NONBLOCK) < 0)
                        goto fail;
        }
        pid = fork();
        if (pid < 0)
                goto fail;
        if (pid == 0)
                become(argv, writer);
        (void)setpgid(pid, pid); /* whoever comes first, it is in its group before we signal it */
        process->pid = pid;
        process->exited = false;
        strbuf_reset(&process->output);
        ev_child_set(&process->child, pid, 0);
        ev_child_start(process->loop, &process->child);
        if (capture) {
                process->output_fd = TAKE_FD(reader);
                ev_io_set(&process->output_ready, process->output_fd, EV_READ);
                ev_io_start(process->loop, &process->output_ready);
        }
        return 0;
fail:
        r = -errno;
        (void)error_set(error, argv[0], "cannot start a process: %s", strerror(-r));
        return r;
}

void process_signal(const struct process *process, int signal)
{
        if (process->pid && !process->exited)
                (void)kill(process->pid, signal);
}

void process_kill_group(pid_t pid)
{
        if (pid > 0)
                (void)kill(-pid, SIGKILL);
}

void process_clear(struct process *process)
{
        if (process->pid)
                process_kill_group(process->pid);
        ev_child_stop(process->loop, &process->child);
        if (process->output_fd >= 0)
                close_output(process);
        process->pid = 0;
        strbuf_clear(&process->output);
}
