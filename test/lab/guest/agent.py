"""PID 1 of the lab's guest: mounts, starts the machines of Fig. 6, then serves requests from the host.

Requests and answers are JSON lines over a serial line; every line carries the id of its session:
  in   {"id", "run": [SCENARIO…], "long": BOOL, "seed": TEXT or null}   {"id", "demo": BOLD}   {"id", "stop": true}
       {"id", "exec": ARGV, "machine": NAME, "tty": [ROWS, COLUMNS] or absent}, then for a terminal
       {"id", "in": TEXT}   {"id", "size": [ROWS, COLUMNS]}   {"id", "hangup": true}
       {"id", "stolen": SECONDS} (see lost.py)
  out  {"id", "out": TEXT} and at the end {"id", "exit": STATUS}
"""
import fcntl
import importlib
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import traceback
import tty

import linux
import lost
from machine import LAB, LOGS, PATH, Machine

MODULES = """veth bridge ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_sh ip_vs_mh ipip ip6_tunnel sit
 ip_tables iptable_nat iptable_mangle iptable_filter ip6_tables ip6table_nat ip6table_mangle ip6table_filter
 xt_ipvs xt_MASQUERADE xt_nat xt_conntrack xt_mark xt_tcpudp xt_TCPMSS xt_comment nf_conntrack sch_netem
 sch_tbf nf_conntrack_netlink overlay""".split()


def mount_all():
    """The root is the host's, read-only, with /dev already mounted by the kernel. All that the guest writes is a tmpfs, but for /mnt/out.
    Returns the name of the module that starts the rest."""
    linux.mount("proc", "/proc", "proc")
    linux.mount("sysfs", "/sys", "sysfs")
    os.makedirs("/dev/pts", exist_ok=True)
    os.makedirs("/dev/shm", exist_ok=True)
    linux.mount("devpts", "/dev/pts", "devpts", options="ptmxmode=666")
    if not os.path.exists("/dev/fd"):
        os.symlink("/proc/self/fd", "/dev/fd")
    for path in ("/dev/shm", "/run", "/tmp", "/var/log", "/var/tmp", LAB):
        linux.mount("tmpfs", path, "tmpfs")
    linux.mount(None, "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    os.makedirs("/run/netns")
    words = linux.kernel_words()
    for name in ("tree", "out", "trixie", "build"):
        os.makedirs(f"{LAB}/{name}")
        linux.mount("none", f"{LAB}/{name}", "hostfs", 0 if name == "out" else linux.MS_RDONLY, words[f"lab_{name}"])
    return words["lab_boot"]


def in_child(work):
    """Runs work() in a child whose output is a pipe; returns (pid, pipe)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            os.setsid()
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            sys.stdout.reconfigure(line_buffering=True)
            status = work() or 0
        except SystemExit as end:
            print(end)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(writer)
    return pid, reader


def on_machine(name, argv):
    if name != "guest":
        if not Machine(name).exists():
            sys.exit(f"there is no machine {name}; there are {' '.join(sorted(os.listdir('/run/netns')))}")
        Machine(name).enter()
    env = {"PATH": PATH, "HOME": "/run", "TERM": "linux", "PS1": f"{name}# "}
    os.chdir("/")
    os.execvpe(argv[0], argv, env)


class Session:
    """A scenario or a command that runs for somebody on the host."""

    def __init__(self, number, pid, fd):
        self.number, self.pid, self.fd = number, pid, fd
        self.status = None
        self.open = True


class Agent:
    def __init__(self, what):
        self.what = what
        self.line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.line)
        self.pending = b""
        self.sessions = {}
        self.ready = None   # whether the boot went well, once that is known
        self.waiting = []
        self.wake, wake_writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def send(self, **message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.line, data):]

    def begin(self, number, pid, fd):
        self.sessions[number] = Session(number, pid, fd)

    def boot(self):
        def work():
            folder, _, name = self.what.rpartition("/")
            sys.path.append(f"{LAB}/tree/test/{folder}")
            importlib.import_module(name).start()
        self.begin("boot", *in_child(work))

    def run(self, number, message):
        if not self.ready:
            self.send(id=number, out="the lab has not come up\n")
            self.send(id=number, exit=1)
            return

        def work():
            if "demo" in message:
                import story
                return story.tell(bold=message["demo"])
            import scenario
            return scenario.run(message["run"], message["long"], message["seed"])
        self.begin(number, *in_child(work))

    def exec(self, number, machine, argv, size):
        if not size:
            self.begin(number, *in_child(lambda: on_machine(machine, argv)))
            return
        pid, fd = pty.fork()
        if pid == 0:
            try:
                on_machine(machine, argv)
            except BaseException as error:
                os.write(2, f"{error}\n".encode())
            os._exit(127)
        self.begin(number, pid, fd)
        self.resize(fd, size)

    @staticmethod
    def resize(fd, size):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def request(self, message):
        number = message["id"]
        session = self.sessions.get(number)
        if "run" in message or "demo" in message:
            if self.ready is None:
                self.waiting.append((number, message))
            else:
                self.run(number, message)
        elif "exec" in message:
            self.exec(number, message["machine"], message["exec"], message.get("tty"))
        elif "stop" in message:
            power_off()
        elif "stolen" in message:
            lost.tell_stolen(message["stolen"])
        elif session is None:
            return
        elif "in" in message:
            os.write(session.fd, message["in"].encode("utf-8", "surrogateescape"))
        elif "size" in message:
            self.resize(session.fd, message["size"])
        elif "hangup" in message:
            os.killpg(session.pid, signal.SIGHUP)

    def read_requests(self):
        data = os.read(self.line, 4096)
        if not data:  # the host's side has gone
            power_off()
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            try:
                self.request(json.loads(line))
            except Exception:  # a bad request must not end PID 1
                traceback.print_exc()

    def read_output(self, session):
        try:
            data = os.read(session.fd, 2048)
        except OSError:  # a terminal whose last user has gone
            data = b""
        if data:
            self.send(id=session.number, out=data.decode("utf-8", "surrogateescape"))
        else:
            os.close(session.fd)
            session.open = False
            self.finish(session)

    def collect(self):
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for session in list(self.sessions.values()):
                    if session.pid == pid:
                        session.status = os.waitstatus_to_exitcode(status)
                        self.finish(session)
        except ChildProcessError:
            pass

    def finish(self, session):
        if session.open or session.status is None:
            return
        del self.sessions[session.number]
        self.send(id=session.number, exit=session.status)
        if session.number == "boot":
            self.ready = session.status == 0
            for number, message in self.waiting:
                self.run(number, message)

    def serve(self):
        self.send(id="boot", out="guest is up\n")
        self.boot()
        while True:
            sessions = [session for session in self.sessions.values() if session.open]
            readable, _, _ = select.select([self.line, self.wake, *(session.fd for session in sessions)], [], [])
            if self.line in readable:
                self.read_requests()
            for session in sessions:
                if session.fd in readable:
                    self.read_output(session)
            if self.wake in readable:
                self.collect()


def power_off():
    os.sync()
    import ctypes
    ctypes.CDLL(None).reboot(0x4321FEDC)


def main():
    try:
        what = mount_all()
        # where the tree was may be below a directory that is a tmpfs now
        sys.path[0] = f"{LAB}/tree/test/lab/guest"
        os.environ["PATH"] = PATH
        os.makedirs(LOGS, exist_ok=True)
        linux.load_modules(f"/usr/lib/uml/modules/{os.uname().release}", MODULES)
        lost.watch()
        Agent(what).serve()
    except BaseException:
        traceback.print_exc()
        power_off()


main()
