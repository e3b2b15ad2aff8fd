"""The host's side of the lab: starts the guest, and connects any number of clients to its one serial line.

A client connects to DIR/socket and talks the JSON lines that guest/agent.py describes, without ids: this process
puts them in. It ends with the guest, and ends the guest when the lab's time is over.
"""
import argparse
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
STOLEN_S = 0.5  # so often the guest is told how much was stolen from it


def kernel_command(options, line_fd):
    words = {"lab_tree": TREE, "lab_out": options.dir, "lab_trixie": options.trixie, "lab_build": options.build,
             "lab_router": options.router, "lab_boot": options.boot}
    for path in words.values():
        if not path.isascii() or any(c in path for c in " \"'"):
            sys.exit(f"lab: the kernel's command line cannot carry this path: {path}")
    return ["linux.uml", f"mem={options.memory}", *options.kernel, "rootfstype=hostfs", "root=/dev/root", "hostfs=/", "ro", "quiet",
            f"uml_dir={options.dir}/uml", "umid=lab", "con=null", "con0=null,fd:1", "ssl=null", f"ssl0=fd:{line_fd}",
            *(f"{key}={value}" for key, value in words.items()),
            "init=/usr/bin/python3", "--", "-E", "-s", "-S", "-X", f"pycache_prefix={options.dir}/pycache",
            f"{HERE}/guest/agent.py"]


def cpu_times():
    """{cpu: (idle, stolen, all)} in ticks, of those that we may use."""
    times = {}
    with open("/proc/stat", encoding="ascii") as file:
        for name, *ticks in map(str.split, file):
            if name[3:].isdigit() and int(name[3:]) in os.sched_getaffinity(0):
                times[int(name[3:])] = (int(ticks[3]) + int(ticks[4]), int(ticks[7]), sum(map(int, ticks)))
    return times


def idlest_cpu():
    before = cpu_times()
    time.sleep(0.3)
    after = cpu_times()
    return max(after, key=lambda cpu: (after[cpu][0] - before[cpu][0]) / max(after[cpu][2] - before[cpu][2], 1))


def keep_together(cpu):
    """All of a guest's processes on one CPU: only one of them runs at a time anyway, and to hand over from one CPU to
    another costs more than what is handed over (on a virtual machine a scenario may take twice as long)."""
    os.sched_setaffinity(0, {cpu})


def take_precedence():
    """Where we may, as root: scenarios measure time, and the guest's processes wait for every other on a busy host."""
    try:
        os.nice(-15)
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write("-15")
    except OSError:
        pass


def start_guest(cpu):
    keep_together(cpu)
    take_precedence()


class Host:
    def __init__(self, options):
        self.options = options
        self.deadline = time.monotonic() + 60 * options.minutes
        self.clients = {}   # id → socket
        self.buffers = {}   # id → bytes received and not yet a whole line
        self.next_id = 0
        self.held = []      # for the guest, until it listens; None from then on
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{options.dir}/socket")
        self.listener.listen()
        self.line, guest_end = socket.socketpair()
        self.cpu = idlest_cpu()
        self.stolen = self.stolen_at_start = cpu_times()[self.cpu][1]
        console = open(f"{options.dir}/console.log", "wb")
        self.guest = subprocess.Popen(kernel_command(options, guest_end.fileno()), stdin=subprocess.DEVNULL,
                                      stdout=console, stderr=console, pass_fds=[guest_end.fileno()],
                                      start_new_session=True, preexec_fn=lambda: start_guest(self.cpu))
        guest_end.close()

    def to_guest(self, message):
        if self.held is None:
            self.line.sendall(json.dumps(message).encode() + b"\n")
        else:
            self.held.append(message)

    def tell_stolen(self):
        """The guest: for how long somebody else has had its CPU, if that has grown."""
        stolen = cpu_times()[self.cpu][1]
        if stolen != self.stolen:
            self.stolen = stolen
            self.to_guest({"id": "host", "stolen": (stolen - self.stolen_at_start) / os.sysconf("SC_CLK_TCK")})

    def accept(self):
        client, _ = self.listener.accept()
        self.next_id += 1
        self.clients[self.next_id] = client
        self.buffers[self.next_id] = b""

    def from_client(self, number):
        try:
            data = self.clients[number].recv(4096)
        except ConnectionError:
            data = b""
        if not data:
            self.drop(number)
            self.to_guest({"id": number, "hangup": True})
            return
        *lines, self.buffers[number] = (self.buffers[number] + data).split(b"\n")
        for line in lines:
            self.to_guest({**json.loads(line), "id": number})

    def drop(self, number):
        self.clients.pop(number).close()
        del self.buffers[number]

    def from_guest(self, line):
        message = json.loads(line)
        number = message["id"]
        if self.held is not None:
            held, self.held = self.held, None
            for waiting in held:
                self.to_guest(waiting)
        if number == "boot":
            with open(f"{self.options.dir}/boot.log", "a", encoding="utf-8") as log:
                log.write(message.get("out") or f"boot ended with status {message['exit']}\n")
        elif number in self.clients:
            try:
                self.clients[number].sendall(line + b"\n")
            except OSError:
                pass
            if "exit" in message:
                self.drop(number)

    def serve(self):
        pending, told = b"", 0.0
        while time.monotonic() < self.deadline:
            if time.monotonic() - told >= STOLEN_S:
                told = time.monotonic()
                self.tell_stolen()
            numbers = list(self.clients)
            readable, _, _ = select.select([self.line, self.listener, *self.clients.values()], [], [], STOLEN_S)
            readable = set(map(id, readable))
            for number in numbers:
                if id(self.clients[number]) in readable:
                    self.from_client(number)
            if id(self.listener) in readable:
                self.accept()
            if id(self.line) in readable:
                data = self.line.recv(65536)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.from_guest(line)
            if self.guest.poll() is not None:
                return

    def end(self):
        """A guest that was asked to stop ends by itself; User-Mode Linux is several processes, all in one group."""
        try:
            self.guest.wait(timeout=3)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.guest.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.unlink(f"{self.options.dir}/socket")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--trixie", required=True)
    parser.add_argument("--router", choices=["gobgp", "frr"], required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--boot", default="fig6", help="what start() the guest calls: a file below test, without .py")
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--kernel", action="append", default=[], metavar="WORD", help="for the kernel's command line")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host = Host(parser.parse_args())
    try:
        host.serve()
    finally:
        host.end()


main()
