"""A client, a router and a reflector of routers/build, and three nodes with a VIP: router_vm.py VARIANT DIR
VARIANT uefi: the reflector alone, in qemu.

Runs as root inside `unshare --net --mount --pid`: the two machines are User-Mode Linux, the rest are namespaces, and
all of it ends with this process. Names and addresses are those of routers/site.yaml.

  client 192.168.1.2 -- router 10.0.0.110 -- 10.0.0.0/24 --+-- reflector 10.0.0.109
                                                           +-- nodes 10.0.0.106-108: VIP, and a BGP speaker in a "pod"
"""
import collections
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test"))
from waiting import Failed, run, wait_for

NODES = {"node1": 1, "node2": 2, "node3": 3}
VIP, VIP6 = "10.1.1.1", "fd00:1:1::1"
FLOWS = 200


def ip_lines(*lines, netns=None):
    where = ["-n", netns] if netns else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), check=True, text=True)


# ---- what runs in the namespaces, each in a process of its own

def serve(name):
    """Answers every line with this node's name, on VIPs that live on its loopback."""
    def talk(connection):
        with connection:
            while connection.recv(100):
                connection.sendall(name.encode() + b"\n")
    listener = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


def client():
    """Reads commands: "request VIP N" → N short connections; "open N" → that many stay open; "ask" → asks each of
    those again. Prints NAME=COUNT for each who answered, and failed=COUNT."""
    kept = []

    def ask(connection):
        try:
            connection.settimeout(20)
            connection.sendall(b"?\n")
            return connection.recv(100).decode().strip() or "failed"
        except OSError:
            return "failed"

    def connect(vip):
        try:
            connection = socket.create_connection((vip, 80), timeout=20)
        except OSError:
            return None, "failed"
        return connection, ask(connection)

    for line in sys.stdin:
        what, *words = line.split()
        if what == "request":
            answers = []
            for _ in range(int(words[1])):
                connection, answer = connect(words[0])
                answers.append(answer)
                if connection:
                    connection.close()
        elif what == "open":
            kept = [connect(VIP) for _ in range(int(words[0]))]
            answers = [answer for _, answer in kept]
        else:  # only what the same node answers counts
            answers = [name if ask(connection) == name else "failed of " + name for connection, name in kept]
        print(*(f"{name.replace(' ', '-')}={count}" for name, count in sorted(collections.Counter(answers).items())),
              flush=True)


def hello():
    """Opens a BGP session with the reflector as an LB pod would; prints the type of the message that it answers with."""
    with socket.create_connection(("10.0.0.109", 179), timeout=10, source_address=("172.16.1.11", 0)) as connection:
        body = struct.pack("!BHH4sB", 4, 65021, 9, socket.inet_aton("172.16.1.11"), 0)
        connection.sendall(b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 1) + body)
        print(connection.recv(19)[18])


# ---- the machines

class Machine:
    """A virtual machine and the root shell on its serial line."""

    def __init__(self, name, image, *taps):
        self.line, guest_end = socket.socketpair()
        self.log = f"{WORK}/{name}.log"
        self.pending = b""
        self.number = 0
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [f"{TOP}/routers/run", "--uml", "--memory", "256M", "--shell", str(guest_end.fileno()), image, *taps],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[guest_end.fileno()])
        guest_end.close()
        self.quiet = False

    def read_until(self, mark, timeout):
        deadline = time.monotonic() + timeout
        while mark not in self.pending:
            if not select.select([self.line], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failed(f"no {mark!r} within {timeout} s: {self.pending[-300:]!r}")
            data = self.line.recv(65536)
            if not data:
                raise Failed("the machine has ended")
            self.pending += data
        text, _, self.pending = self.pending.partition(mark)
        return text.decode(errors="replace").replace("\r", "")

    def shell(self, command, timeout=60.0):
        """Runs it there; returns what it printed, its errors included."""
        if not self.quiet:  # bash forgets what came before its prompt, and echoes what comes later
            self.read_until(b"# ", 240)
            self.line.sendall(b"exec sh -c 'stty -echo; PS1=; export PS1; echo qu''iet; exec sh -i'\n")
            self.read_until(b"quiet\r\n", 60)
            self.quiet = True
        self.number += 1
        mark = f"done-{self.number}\r\n"
        self.line.sendall(f"{command} 2>&1; echo {mark[:4]}''{mark[4:-2]}\n".encode())
        return self.read_until(mark.encode(), timeout)


def make_network():
    os.makedirs("/run/netns", exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
    for name in ("client", *NODES):
        run("ip", "netns", "add", name)
        ip_lines("link set lo up", netns=name)
    ip_lines("link set lo up", "link add out type bridge", "link add in type bridge", "link set out up", "link set in up")
    for tap, bridge in (("tap-out", "out"), ("tap-in", "in"), ("tap-ref", "in")):
        run("ip", "tuntap", "add", tap, "mode", "tap")
        ip_lines(f"link set {tap} master {bridge} up")
    for name, bridge in (("client", "out"), *((name, "in") for name in NODES)):
        ip_lines(f"link add v-{name} type veth peer name eth0 netns {name}", f"link set v-{name} master {bridge} up")
        ip_lines("link set eth0 up", netns=name)
    ip_lines("addr add 192.168.1.2/24 dev eth0", "route add default via 192.168.1.1",
             "addr add fd00:192::2/64 dev eth0 nodad", "route add default via fd00:192::1", netns="client")
    for name, n in NODES.items():
        ip_lines(f"addr add 10.0.0.{105 + n}/24 dev eth0", f"addr add fd00:10::{105 + n}/64 dev eth0 nodad",
                 f"addr add 172.16.{n}.11/32 dev lo", f"addr add {VIP}/32 dev lo", f"addr add {VIP6}/128 dev lo nodad",
                 "route add default via 10.0.0.110", "route add default via fd00:10::110", netns=name)


def start_in(netns, name, command, **options):
    with open(f"{WORK}/{name}.log", "wb") as log:
        options.setdefault("stdout", log)
        return subprocess.Popen(["ip", "netns", "exec", netns, *command], stderr=log, **options)


def start_speaker(name, n):
    config = f"{WORK}/exabgp-{name}.conf"
    with open(config, "w", encoding="ascii") as file:
        file.write(f"""neighbor 10.0.0.109 {{
    router-id 172.16.{n}.11; local-address 172.16.{n}.11; local-as 65021; peer-as 65021; hold-time 9;
    family {{ ipv4 unicast; ipv6 unicast; }}
    static {{
        route {VIP}/32 next-hop 10.0.0.{105 + n};
        route {VIP6}/128 next-hop fd00:10::{105 + n};
    }}
}}
""")
    return start_in(name, f"exabgp-{name}", ["exabgp", config], env=dict(
        os.environ, **{"exabgp.api.cli": "false", "exabgp.daemon.user": "root", "exabgp.log.destination": "stdout"}))


class Lab:
    def __init__(self, variant):
        self.variant = variant
        make_network()
        self.start = time.monotonic()
        self.router = Machine("router", f"{WORK}/router.img", "tap-out", "tap-in")
        self.reflector = Machine("reflector", f"{WORK}/reflector.img", "tap-ref")
        self.servers = [start_in(name, f"server-{name}", [sys.executable, __file__, "serve", name]) for name in NODES]
        self.speakers = {name: start_speaker(name, n) for name, n in NODES.items()}
        self.client = start_in("client", "client", [sys.executable, __file__, "client"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def ask_client(self, *words):
        self.client.stdin.write(" ".join(map(str, words)) + "\n")
        self.client.stdin.flush()
        return dict((name, int(count)) for name, _, count in (word.partition("=")
                                                              for word in self.client.stdout.readline().split()))

    def next_hops(self, vip, table):
        """How many next-hops the router's kernel has for it."""
        family = "-6" if ":" in vip else "-4"
        return self.router.shell(f"ip {family} route show {vip} table {table}").count(" via ")

    def wait_routes(self, count, timeout=60):
        return wait_for(lambda: {self.next_hops(vip, table) for vip in (VIP, VIP6) for table in ("main", 100)} == {count},
                        f"{count} next-hops everywhere on the router", timeout, every=0.1)

    def boot(self):
        for name, machine in (("router", self.router), ("reflector", self.reflector)):
            state = ""

            def booted():
                nonlocal state
                state = machine.shell("systemctl is-system-running", timeout=240).split()[-1]
                return state not in ("initializing", "starting", "offline", "unknown")
            wait_for(booted, f"{name} booted", 300, every=0.5)
            print(f"  {name}: booted ({state}) {time.monotonic() - self.start:.0f} s after both were started")
            if state != "running":
                raise Failed(machine.shell("systemctl --failed; journalctl -b -p warning --no-pager | tail -n 40"))

    def check_reflector(self):
        """What templates/README.md asks of it."""
        said = self.reflector.shell("systemctl show gobgpd --property ExecStart,RestartUSec; ps -C gobgpd -o args=")
        if not re.search(r"^/usr/bin/gobgpd -r ", said, re.M) or "RestartUSec=5s" not in said:
            raise Failed(f"the reflector's gobgpd: {said}")

    def converge(self):
        if self.variant == "gobgp":
            established = "gobgp neighbor 10.0.0.109 | grep -c 'BGP state = ESTABLISHED'"
        else:
            established = "vtysh -c 'show bgp neighbors 10.0.0.109' | grep -c 'BGP state = Established'"
        wait_for(lambda: self.router.shell(established).strip() == "1", "the router's BGP session", 60, every=0.1)
        print(f"  BGP session router - reflector established after {time.monotonic() - self.start:.0f} s")
        self.wait_routes(len(NODES))
        print(f"  routes to {VIP} and {VIP6} with {len(NODES)} next-hops, mirrored, after "
              f"{time.monotonic() - self.start:.0f} s")
        self.router.shell("ip -6 addr add fd00:192::1/64 nodad dev $(ip -o -4 addr show to 192.168.1.1 | awk '{print $2}')")

    def requests(self):
        for vip, count in ((VIP, 300), (VIP6, 100)):
            answers = self.ask_client("request", vip, count)
            print(f"  {count} requests to {vip}: {answers}")
            if set(answers) != set(NODES):
                raise Failed("every node answers, and nobody fails")

    def survivors(self):
        """Open connections are the proof: a node answers a flow of another one with a reset."""
        opened = self.ask_client("open", FLOWS)
        self.speakers["node3"].kill()
        seconds = self.wait_routes(2)
        answers = self.ask_client("ask")
        print(f"  {FLOWS} connections open; node3 withdrawn: routes follow within {seconds:.1f} s, and of the other "
              f"nodes' {opened['node1'] + opened['node2']} connections answer {answers['node1'] + answers['node2']}")
        self.expect_alive(answers, opened)
        return opened

    @staticmethod
    def expect_alive(answers, opened):
        for name in ("node1", "node2"):
            if answers.get(name) != opened[name]:
                raise Failed(f"connections of {name} were cut: {opened} before, {answers} now")

    def restarts(self, opened):
        """Each daemon of the router: routes come back, and no connection has moved."""
        units = ["coracle-resilient", "frr", "coracle-network", *(["gobgpd"] if self.variant == "gobgp" else [])]
        for unit in units:
            start = time.monotonic()
            self.router.shell(f"systemctl restart {unit}", timeout=90)
            self.wait_routes(2)
            answers = self.ask_client("ask")
            print(f"  {unit} restarted: {answers['node1'] + answers['node2']} of them answer "
                  f"{time.monotonic() - start:.1f} s later")
            self.expect_alive(answers, opened)
        self.router.shell("systemctl kill -s KILL coracle-resilient")
        self.wait_routes(2)
        self.expect_alive(self.ask_client("ask"), opened)
        # Only one that runs can tidy up: systemd starts it again after a while, and a process that has just been forked
        # does not know what SIGTERM means to it.
        started = "journalctl _PID=$(systemctl show -p MainPID --value coracle-resilient) | grep -c msg=started"
        wait_for(lambda: self.router.shell(started).strip() == "1", "coracle-resilient runs again", 20, every=0.2)
        self.router.shell("systemctl stop coracle-resilient")
        if re.search(r"proto 68\b", self.router.shell("ip rule; ip -6 rule; ip nexthop")):
            raise Failed("stopped, coracle-resilient leaves nothing")


def logs():
    for name in sorted(os.listdir(WORK)):
        if name.endswith(".log"):
            with open(f"{WORK}/{name}", encoding="utf-8", errors="replace") as file:
                print(f"---- {name}", *file.readlines()[-30:], sep="\n")


def uefi():
    make_network()
    start = time.monotonic()
    with open(f"{WORK}/qemu.log", "wb") as log:
        subprocess.Popen([f"{TOP}/routers/run", "--tcg", f"{WORK}/uefi.img", "tap-ref"], stdin=subprocess.DEVNULL,
                         stdout=log, stderr=log)

    def answers():
        done = subprocess.run(["ip", "netns", "exec", "node1", sys.executable, __file__, "hello"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout.strip() == "1"  # its OPEN
    try:
        wait_for(answers, "the reflector answers in BGP", 900, every=2)
        print(f"ok lab.router_vm_uefi ({time.monotonic() - start:.0f} s)")
    except Failed as error:
        print(f"FAILED: {error}")
        logs()
        print("not ok lab.router_vm_uefi")
        sys.exit(1)


def main(variant):
    lab = Lab(variant)
    try:
        lab.boot()
        lab.check_reflector()
        lab.converge()
        lab.requests()
        lab.restarts(lab.survivors())
        print(f"ok lab.router_vm_{variant} ({time.monotonic() - lab.start:.0f} s)")
    except (Failed, subprocess.SubprocessError) as error:
        print(f"FAILED: {error}")
        try:
            print(lab.router.shell("journalctl -b --no-pager | tail -n 60; ip route; ip nexthop; ip addr", timeout=20))
            print(lab.reflector.shell("gobgp neighbor; ip addr; ip route", timeout=20))
        except Failed:
            pass
        logs()
        print(f"not ok lab.router_vm_{variant}")
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    elif sys.argv[1] == "hello":
        hello()
    elif sys.argv[1] == "client":
        client()
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        WORK = sys.argv[2]
        uefi() if sys.argv[1] == "uefi" else main(sys.argv[1])
