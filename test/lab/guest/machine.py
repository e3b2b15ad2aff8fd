"""Machines and pods: a network namespace each, and a directory that its processes see as /run.

Everything that has to be known about a machine lies in files (its namespace, its /run, the pids of its
processes), so that the agent, a scenario and an interactive shell all see the same.
"""
import os
import shutil
import signal
import subprocess
import time

import linux

LAB = "/mnt"            # a tmpfs of the guest; see agent.py for what is mounted below it
LOGS = f"{LAB}/out/logs"  # a directory of the host, so that logs outlive the guest


class Machine:
    def __init__(self, name):
        self.name = name
        self.netns = f"/run/netns/{name}"
        self.home = f"{LAB}/machines/{name}"
        self.run_dir = f"{self.home}/run"

    def create(self):
        """Makes the namespace and the directories; the machine has only a loopback interface then."""
        os.makedirs(self.run_dir)
        os.makedirs(f"{self.home}/pids")
        open(self.netns, "x", encoding="ascii").close()
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        linux.unshare(linux.CLONE_NEWNET)
        linux.mount("/proc/self/ns/net", self.netns, flags=linux.MS_BIND)
        linux.setns(here, linux.CLONE_NEWNET)
        os.close(here)

    def exists(self):
        return os.path.exists(self.netns)

    def destroy(self):
        linux.umount(self.netns)
        os.unlink(self.netns)
        shutil.rmtree(self.home)

    def sysctl(self, settings):
        with linux.netns(self.name):
            for key, value in settings.items():
                with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as file:
                    file.write(str(value))

    def ip(self, batch):
        """Runs lines of `ip -batch` on this machine: one process for any number of them."""
        with linux.netns(self.name):
            ip_batch(batch)

    def write(self, name, text):
        """Writes a configuration file for a daemon of this machine and returns its path."""
        path = f"{self.home}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self, daemon, argv, user=None, container=False, env=None):
        """Starts a daemon. As a container it is PID 1 of its own process namespace: when it dies, or is killed,
        the kernel kills all it had started, as on a real node."""
        log = os.open(f"{LOGS}/{self.name}-{daemon}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        pid = os.fork()
        if pid == 0:
            try:
                self._become(daemon, argv, user, container, env, log)
            except BaseException as error:
                os.write(log, f"lab: cannot start {argv[0]}: {error}\n".encode())
            finally:
                os._exit(127)
        os.close(log)
        if container:
            _, status = os.waitpid(pid, 0)  # only the go-between; the container's PID 1 wrote its own pid
            if status != 0:
                raise RuntimeError(f"{self.name}: cannot start {daemon}, see {self.name}-{daemon}.log")
            return self.pid(daemon)
        self._remember(daemon, pid)
        return pid

    def _become(self, daemon, argv, user, container, env, log):
        self.enter()
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if container:
            linux.unshare(linux.CLONE_NEWPID)
            child = os.fork()
            if child != 0:
                self._remember(daemon, child)
                os._exit(0)
            linux.mount("proc", "/proc", "proc")
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if user:
            import pwd
            entry = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        os.chdir("/")
        os.execvpe(argv[0], argv, {"PATH": PATH, "HOME": "/run", **(env or {})})

    def enter(self):
        """Makes the calling process one of this machine."""
        there = os.open(self.netns, os.O_RDONLY)
        linux.setns(there, linux.CLONE_NEWNET)
        os.close(there)
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount(None, "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        linux.umount("/run")  # and with it the names of all namespaces, which would live on in every copy
        linux.mount(self.run_dir, "/run", flags=linux.MS_BIND | linux.MS_REC)
        # /sys shows the network namespace of the process that mounted it
        linux.mount("sysfs", "/sys", "sysfs")

    def pid(self, daemon):
        """The pid of a daemon, or None when it does not run."""
        try:
            with open(f"{self.home}/pids/{daemon}", encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                return None if file.read().rpartition(")")[2].split()[0] == "Z" else pid
        except (FileNotFoundError, ProcessLookupError):
            return None

    def _remember(self, daemon, pid):
        with open(f"{self.home}/pids/{daemon}", "w", encoding="ascii") as file:
            file.write(str(pid))

    def daemons(self):
        return sorted(name for name in os.listdir(f"{self.home}/pids") if self.pid(name))

    def processes(self, name):
        """The pids of this machine's processes of that name, whoever started them."""
        network = os.stat(self.netns).st_ino
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _is(pid, name, network)]

    def kill(self, *daemons, number=signal.SIGKILL, timeout=5.0):
        """Signals daemons, all of them at once, and waits until they are gone."""
        pids = [pid for pid in map(self.pid, daemons) if pid]
        for pid in pids:
            os.kill(pid, number)
        deadline = time.monotonic() + timeout
        while any(map(self.pid, daemons)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {daemons} did not end within {timeout} s of signal {number}")
            time.sleep(0.02)
            for pid in pids:
                _reap(pid)

    def output(self, *argv, timeout=20.0):
        """Runs a command on this machine to its end and returns what it printed."""
        return subprocess.run(argv, preexec_fn=self.enter, env={"PATH": PATH}, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout).stdout


PATH = f"{LAB}/build/controller:{LAB}/out/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ip_batch(batch):
    subprocess.run(["/usr/sbin/ip", "-batch", "-"], input="\n".join(batch) + "\n", text=True, check=True,
                   env={"PATH": PATH})


def _is(pid, name, network):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read() == f"{name}\n" and os.stat(f"/proc/{pid}/ns/net").st_ino == network
    except (FileNotFoundError, ProcessLookupError):
        return False


def _reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # somebody else's child; the agent, as PID 1, collects those
