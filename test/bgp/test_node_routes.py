"""The node's way into the LB pods on it: through those that serve, past those that are dead, and nobody else's touched.

The pods of this test hang on a bridge of the node's, as with most CNIs: when one dies the bridge stays, and with it
everything that leads over it. Their exabgp is a pair of pipes that nobody reads, which is no reason not to keep routes.
"""
import collections
import ctypes
import fcntl
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import threading
import time

import sandbox
from sandbox import NODE, NODE6, Failed, node, run, wait_for

POOLS = {"a": ("10.1.1.0/24", "fd00:1:1::/112"), "b": ("10.2.2.0/24",)}
VIP, VIP2 = "10.1.1.1", "10.1.1.2"
GRACE_S = 0.5    # NODE_PODS_GRACE_MS
DEAD_S = 3.0     # the grace, a look every quarter of a second, and a machine that is busy
LOST_S = 2.5     # a second without a datagram
CHANGE_S = 1.5   # what the pod itself does
COME_S = 3.0     # it waits for what a dead one may have left
STEPS = 200


class Pod:
    """An LB pod in a network namespace of its own, and the coracle in it, played by this process."""

    def __init__(self, test, number, fleet="a"):
        self.test, self.number, self.fleet = test, number, fleet
        self.address, self.address6 = f"172.16.1.{number}", f"fd00:16:1::{number}"
        self.next_hops = [NODE, NODE6]
        self.holder = self.announcer = None
        self.state, self.since = "absent", 0.0
        self.started = None  # when its announcer was, while it runs
        self.heard = 0.0     # when it last connected
        self.message, self.told = b"", "idle"
        self.path = f"/run/coracle/{number}.sock"
        self.clients = set()
        self.listener = None

    def is_in(self, state):
        if self.state != state:
            self.state, self.since = state, time.monotonic()

    def age(self, now, *states):
        """How long it has been in one of these states; less than nothing if it is not."""
        return now - self.since if self.state in states else -1

    def create(self):
        self.holder = self.test.start(f"pod{self.number}", ["unshare", "--net", "sleep", "600"])
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(self.netns()) != own, "the pod's namespace")
        node("ip", "link", "add", f"veth{self.number}", "type", "veth", "peer", "name", "eth0", "netns",
             str(self.holder.pid))
        node("ip", "link", "set", f"veth{self.number}", "master", "cni0", "up")
        self.run("ip", "-batch", "-", input=f"""link set lo up
            link set eth0 up
            addr add {self.address}/24 dev eth0
            addr add {self.address6}/64 dev eth0 nodad
            route add local 10.1.1.0/24 dev lo\n""")
        # a CNI announces a new pod; otherwise the node goes on with the link address of one that had this address before
        for address in (self.address, self.address6):
            node("ip", "neigh", "flush", "to", address, "dev", "cni0")

    def netns(self):
        return f"/proc/{self.holder.pid}/ns/net"

    def run(self, *command, **options):
        return run("nsenter", f"--net={self.netns()}", *command, **options)

    def start(self, socket_path=None):
        """The announcer, as exabgp would start it."""
        if not self.holder:
            self.create()
        self.is_in(self.told)
        self.announcer = self.test.start(
            f"announcer-{self.number}",
            ["nsenter", f"--net={self.netns()}", self.test.announcer, *(f"--next-hop={hop}" for hop in self.next_hops),
             f"--node-netns={sandbox.NODE_NETNS}", f"--socket={socket_path or self.path}", f"--pod-address={self.address}",
             f"--pod-address={self.address6}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started = time.monotonic()

    def commands(self):
        """What it has told exabgp since the last time."""
        os.set_blocking(self.announcer.stdout.fileno(), False)
        return (self.announcer.stdout.read() or b"").decode()

    def say(self, routes=True, graceful_shutdown=False, pools=None, families=".:", vips=(), **more):
        pools = POOLS[self.fleet] if pools is None else pools
        routes = [first_vip(pool) for pool in pools if routes and ("." if "." in pool else ":") in families]
        message = {"routes": sorted((*routes, *vips)), "pools": sorted(pools), "graceful_shutdown": graceful_shutdown, **more}
        self.message = json.dumps(message).encode() + b"\n"
        self.test.speak(self)

    def serve(self):
        self.tell("serving")

    def drain(self):
        self.tell("draining", routes=False, graceful_shutdown=True)

    def withhold(self):
        """Serves, but not this one."""
        self.tell("serving", withheld=[f"{VIP2}/32"])

    def idle(self):
        self.tell("idle", routes=False)

    def tell(self, state, **message):
        self.say(**message)
        self.told = state
        if self.announcer:
            self.is_in(state)

    def end_announcer(self, signum):
        self.test.kill(self.announcer, signum)
        self.forget_announcer()

    def lose_exabgp(self):
        """What remains of it when it is killed: pipes that end."""
        self.is_in("dead")
        self.started = None
        self.announcer.stdin.close()
        self.announcer.wait(10)
        self.forget_announcer()

    def forget_announcer(self):
        self.started = None
        for pipe in (self.announcer.stdin, self.announcer.stdout):
            pipe.close()
        self.test.processes.remove(self.announcer)
        self.announcer = None

    def leave(self):
        self.is_in("absent")
        self.end_announcer(signal.SIGTERM)

    def destroy(self):
        """All of its processes and its namespace at once."""
        if self.state != "absent":
            self.is_in("dead")
        self.started = None
        if self.announcer:
            self.announcer.kill()
        self.test.kill(self.holder)
        self.test.processes.remove(self.holder)
        self.holder = None
        if self.announcer:
            self.end_announcer(signal.SIGKILL)
        wait_for(lambda: f"veth{self.number}@" not in node("ip", "link"), "the pod's link is gone")


class Test(sandbox.Sandbox):
    """Adds to the sandbox a bridge with pods on it, and a thread that speaks as their coracles."""

    def __init__(self, coracle, announcer):
        super().__init__(coracle, announcer)
        self.selector = selectors.DefaultSelector()
        self.lock = threading.Lock()

    def make_network(self):
        super().make_network()
        node("ip", "-batch", "-", input="""link add cni0 type bridge forward_delay 0
            link set cni0 up
            addr add 172.16.1.1/24 dev cni0
            addr add fd00:16:1::1/64 dev cni0 nodad
            addr add 192.168.7.1/24 dev cali-eth0\n""")
        node("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.fib_multipath_hash_policy=1")
        run("ip", "addr", "add", "192.168.7.2/24", "dev", "eth0")
        run("ip", "route", "add", "10.1.1.0/24", "via", "192.168.7.1")

    def pod(self, number, fleet="a"):
        pod = Pod(self, number, fleet)
        pod.listener = socket.socket(socket.AF_UNIX)
        pod.listener.bind(pod.path)
        pod.listener.listen()
        pod.idle()
        self.selector.register(pod.listener, selectors.EVENT_READ, pod)
        return pod

    def speak(self, pod):
        with self.lock:
            for client in list(pod.clients):
                try:
                    client.sendall(pod.message)
                except OSError:
                    pod.clients.discard(client)

    def be_coracles(self):
        """Forever: the heartbeat of every pod's coracle."""
        pods, beat = set(), 0.0
        while True:
            for key, _ in self.selector.select(0.1):
                pod = key.data
                pods.add(pod)
                if key.fileobj is pod.listener:
                    client, _ = pod.listener.accept()
                    pod.heard = time.monotonic()
                    self.selector.register(client, selectors.EVENT_READ, pod)
                    with self.lock:
                        pod.clients.add(client)
                    self.speak(pod)
                elif not receive(key.fileobj):
                    self.selector.unregister(key.fileobj)
                    with self.lock:
                        pod.clients.discard(key.fileobj)
                    key.fileobj.close()  # it belongs to the pod's namespace, and would keep that alive
            if time.monotonic() - beat > 0.5:
                beat = time.monotonic()
                for pod in pods:
                    self.speak(pod)


def first_vip(pool):
    return pool.replace(".0/24", ".1/32").replace("::/112", "::1/128")


def receive(client):
    try:
        return client.recv(1 << 16)
    except ConnectionResetError:
        return b""


# ---- what is seen of it

def routes():
    """{pool: {gateway: weight}} of every route that carries our protocol; a lone gateway's weight is None."""
    found = {}
    for family in ("-4", "-6"):
        for route in json.loads(node("ip", family, "-j", "-N", "route", "show", "proto", "67") or "[]"):
            hops = route.get("nexthops", [route])
            assert route["dst"] not in found, f"two routes to {route['dst']}"
            found[route["dst"]] = {hop["gateway"]: hop["weight"] if len(hops) > 1 else None for hop in hops}
    return found


def leads_to(*pods, pools=None):
    """The routes that there should be when these pods serve, and nobody drains."""
    wanted = collections.defaultdict(dict)
    for pod in pods:
        for pool in pools or POOLS[pod.fleet]:
            wanted[pool][pod.address6 if ":" in pool else pod.address] = 255
    return {pool: gateways if len(gateways) > 1 else dict.fromkeys(gateways) for pool, gateways in wanted.items()}


def expect(wanted, what, timeout=10.0):
    try:
        seconds = wait_for(lambda: routes() == wanted, what, timeout)
    except Failed as error:
        raise Failed(f"{error}; there are {routes()} instead of {wanted}") from error
    print(f"  {what:<75} {seconds:5.2f} s", flush=True)


def expect_steadily(wanted, what, seconds=1.5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = routes()
        if found != wanted:
            raise Failed(f"{what}: there are {found} instead of {wanted}")
    print(f"  {what:<75} all {seconds:.1f} s", flush=True)


def foreign():
    """Everything in the node's tables that is not ours."""
    return [line for command in (("route", "show", "table", "all"), ("-6", "route", "show", "table", "main"),
                                 ("nexthop",)) for line in node("ip", "-N", *command).splitlines()
            if line.startswith(("10.", "fd00:1:", "id ")) and " proto 67" not in line]


def in_netns(path, make):
    """What make() opened while this thread was in another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as here, open(path, "rb") as there:
        assert libc.setns(there.fileno(), 0) == 0
        try:
            return make()
        finally:
            assert libc.setns(here.fileno(), 0) == 0


class Flows:
    """UDP flows from outside to the VIP, and which pod each of them meets."""

    def __init__(self, pods):
        def listen():
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.bind((VIP, 53))
            receiver.setblocking(False)
            return receiver
        self.receivers = {pod: in_netns(pod.netns(), listen) for pod in pods}
        self.senders = senders()

    def meet(self):
        """{source port: pod} of one packet of each flow."""
        met = {}
        for sender in self.senders:
            sender.send(b"x")
            self.receive(met)  # no buffer runs over
        wait_for(lambda: self.receive(met) == len(self.senders), "every flow meets a pod", 5)
        return met

    def receive(self, met):
        for pod, receiver in self.receivers.items():
            try:
                while True:
                    met[receiver.recvfrom(16)[1][1]] = pod
            except BlockingIOError:
                pass
        return len(met)

    def close(self):
        for each in (*self.senders, *self.receivers.values()):
            each.close()


def senders(count=300):
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sender in made:
        sender.connect((VIP, 53))
    return made


# ---- the test

def come_and_go(one, two, three, other):
    for pod in (one, two, three, other):
        pod.start()
    time.sleep(1)
    expect({}, "no route before a pod serves")
    one.serve()
    expect(leads_to(one), "the first pod serves")
    two.serve()
    expect(leads_to(one, two), "a second pod on the node: one route over both")
    three.serve()
    expect(leads_to(one, two, three), "a third")
    other.serve()
    expect(leads_to(one, two, three, other), "a pod of another fleet: a route of its own")
    for pool in POOLS["a"]:
        node("ip", "route", "del", pool, "proto", "67")
    expect(leads_to(one, two, three, other), "routes deleted by somebody: back")
    node("ip", "nexthop", "flush", "proto", "67")
    expect(leads_to(one, two, three, other), "next-hops flushed by somebody: back")
    two.say(pools=["10.1.1.0/24", "10.3.3.0/24"])
    expect({**leads_to(one, two, three, other), POOLS["a"][1]: {one.address6: 255, three.address6: 255},
            "10.3.3.0/24": {two.address: None}}, "one of the pods has other pools")
    two.say()
    three.idle()
    expect(leads_to(one, two, other), "a pod that can serve nobody is passed by")
    two.idle()
    expect(leads_to(one, other), "a second one likewise")
    one.idle()
    time.sleep(1)
    expect(leads_to(one, other), "nobody can serve: the last one stays, it may be wrong")
    for pod in (two, three, one):
        pod.serve()
    expect(leads_to(one, two, three, other), "all again")


def without_next_hop(one, two, three, other):
    """What cannot be announced is not served."""
    three.leave()
    three.next_hops = [NODE]
    three.say(families=":")
    three.start()
    expect(leads_to(one, two, other), "two pods")
    time.sleep(0.5)
    expect_steadily(leads_to(one, two, other), "a pod with IPv6 VIPs and no next-hop for them")
    three.end_announcer(signal.SIGTERM)
    three.next_hops = [NODE, NODE6]
    three.serve()
    three.start()
    expect(leads_to(one, two, three, other), "all again")


def first_checks(one, two, three, other):
    """A pod whose first checks are not over may not serve all VIPs yet that the others do."""
    three.leave()
    three.say(starting=True)
    three.start()
    expect(leads_to(one, two, other), "two pods")
    time.sleep(0.5)
    expect_steadily(leads_to(one, two, other), "a pod whose first checks are not over")
    two.idle()
    one.drain()
    expect(leads_to(three, other) | {pool: {one.address6 if ":" in pool else one.address: 1,
                                            three.address6 if ":" in pool else three.address: 255} for pool in POOLS["a"]},
           "but no other serves")
    one.serve()
    expect(leads_to(one, three, other), "one does")
    three.serve()
    two.serve()
    expect(leads_to(one, two, three, other), "its first checks are over")


def one_family_only(one, two, three, other):
    """A pool in which a pod serves nothing is none of its."""
    three.say(families=".")
    wanted = leads_to(one, two, three, other)
    del wanted[POOLS["a"][1]][three.address6]
    expect(wanted, "a pod without IPv6 VIPs")
    three.serve()
    expect(leads_to(one, two, three, other), "all again")


def withheld(one, two, three, other):
    """A VIP that a pod withholds while it serves others gets a route of its own, past that pod."""
    def leads(*pods):
        return leads_to(one, two, three, other) | {VIP2: {pod.address: 255 if len(pods) > 1 else None for pod in pods}}

    fleet = (one, two, three)
    for pod in fleet:
        pod.say(vips=[f"{VIP2}/32"])
    time.sleep(0.5)
    expect_steadily(leads_to(one, two, three, other), "all serve all VIPs", 0.5)
    three.withhold()
    expect(leads(one, two), "one withholds a VIP: this has a route past it")
    time.sleep(0.5)
    expect_steadily(leads(one, two), "and nothing changes")
    two.withhold()
    expect(leads(one), "another one")
    one.withhold()
    expect_steadily(leads(one), "all of them: nobody announces it")
    three.say(vips=[f"{VIP2}/32"])
    expect(leads(three), "one of them serves it again")
    for pod in (one, two):
        pod.say(vips=[f"{VIP2}/32"])
    expect(leads(*fleet), "all of them: the flows stay where they are")
    two.drain()
    expect({**leads(*fleet), **{pool: {**gateways, two.address6 if ":" in pool else two.address: 1}
                                for pool, gateways in leads(*fleet).items() if pool in (VIP2, *POOLS["a"])}}, "one leaves")
    two.leave()
    expect(leads_to(one, three, other) | {VIP2: {one.address: 255, three.address: 255}}, "and has left")
    three.destroy()
    expect(leads_to(one, other), "one pod remains: its route to all of the pool will do", DEAD_S)
    two.start()
    two.withhold()
    expect(leads_to(one, two, other) | {VIP2: {one.address: None}}, "a pod comes that withholds the VIP")
    one.serve()
    two.serve()
    expect(leads_to(one, two, other), "its Service is deleted")
    three.start()
    three.serve()
    expect(leads_to(one, two, three, other), "all again")


def untrusted_pools(one, *_):
    """What somebody else than root can write says nothing of what may be done with the node's routes."""
    def refused(path, where):
        said = one.run("sh", "-c", '"$@" < /dev/null 2>&1; echo $?', "sh", one.test.announcer, f"--next-hop={NODE}",
                       f"--node-netns={sandbox.NODE_NETNS}", f"--pod-address={one.address}", f"--pools={path}")
        if not said.endswith("\n1\n") or f"where={where} " not in said:
            raise Failed(f"{path} is no reason to end: {said}")

    def write(path, text, mode=0o644):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    os.mkdir("/run/open")
    os.chmod("/run/open", 0o777)
    os.symlink("/run/coracle/pools", "/run/link")
    for path in (write("/run/open/pools", "10.1.1.0/24\n"),  # others could put theirs in its place
                 write("/run/group", "10.1.1.0/24\n", 0o664), write("/run/all", "10.1.1.0/24\n", 0o646),
                 "/run/none", "/run/link", "/run/coracle", "/dev/null"):
        refused(path, path)
    refused(write("/run/typo", "10.1.1.0/24\n10.1.1.1/24\n"), "/run/typo:2")
    print("  a file of pools that others can write or replace is refused")


def lock_held(one, two, three, other):
    """By an announcer that was stopped at the wrong moment, say. Whoever needs no change of his own does not mind."""
    def hold():
        file = open(sandbox.NODE_NETNS, encoding="ascii")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    for pod in (one, two):
        pod.commands()
    with hold():
        three.destroy()
        expect_steadily(leads_to(one, two, three, other), "a pod has died, and somebody holds the lock", 2.5)
    said = [pod.commands() for pod in (one, two)]
    if any("withdraw" in commands for commands in said):
        raise Failed(f"the others said: {said}")
    expect(leads_to(one, two, other), "the lock is free: what the dead pod has left is removed")
    with hold():
        node("ip", "route", "del", POOLS["a"][0], "proto", "67")
        time.sleep(0.6)
        if one.commands():
            raise Failed("the first failure made it withdraw")
        wait_for(lambda: "withdraw route" in one.commands(), "without a node route nothing is announced", 2.5)
    expect(leads_to(one, two, other), "the lock is free: a route that was deleted is back")
    two.idle()
    expect(leads_to(one, other), "one of them has nothing to serve")
    two.commands()
    with hold():
        two.serve()
        time.sleep(1)
        if "announce" in two.commands():
            raise Failed("a pod announced before it was in the node's route")
    three.start()
    expect(leads_to(one, two, three, other), "all again")
    wait_for(lambda: "announce route" in two.commands(), "announced then")


def crash(one, two, three, other):
    three.leave()
    expect(leads_to(one, two, other), "SIGTERM: left at once", CHANGE_S)
    three.start()
    expect(leads_to(one, two, three, other), "and back")
    three.end_announcer(signal.SIGKILL)
    killed = time.monotonic()
    three.start()
    stayed = True
    while time.monotonic() < killed + 2 or (three.heard < killed and time.monotonic() < killed + 20):
        stayed &= routes() == leads_to(one, two, three, other)
    away = three.heard - killed
    print(f"  {'its announcer is killed, and started again':<75} {away:5.2f} s")
    if away <= 0:
        raise Failed("an announcer that was started again has not come to its coracle")
    if not stayed and away < GRACE_S:
        raise Failed("a killed announcer that is started again was taken for dead")
    expect(leads_to(one, two, three, other), "and it is there")
    three.lose_exabgp()
    expect(leads_to(one, two, other), "exabgp killed, and its announcer gone with it", DEAD_S)
    three.start()
    expect(leads_to(one, two, three, other), "and back")
    three.destroy()
    expect(leads_to(one, two, other), "a whole pod dies", DEAD_S)
    two.destroy()
    one.destroy()
    expect(leads_to(other), "a whole fleet dies: the other fleet's pod cleans up", DEAD_S)
    for pod in (one, two, three):
        pod.start()
    expect(leads_to(one, two, three, other), "all again")


def come_after_the_dead(one, two, three, other):
    """What a dead pod has left is no place for flows: a pod that comes waits until it is gone, and one that has the dead
    one's address keeps it only if it serves."""
    three.leave()
    expect(leads_to(one, two, other), "two pods")
    two.destroy()
    three.start()
    began, shared = time.monotonic(), False
    while routes() != leads_to(one, three, other):
        shared |= {two.address, three.address} <= set(routes()[POOLS["a"][0]])
        if time.monotonic() - began > DEAD_S:
            raise Failed(f"a pod that comes after one has died is not let in: {routes()}")
    print(f"  {'a pod comes after one has died':<75} {time.monotonic() - began:5.2f} s", flush=True)
    if shared:
        raise Failed("the pod that came shared its flows with the dead one")
    three.destroy()
    three.start("/run/coracle/nobody")
    expect(leads_to(one, other), "one with a dead one's address, whose coracle says nothing", DEAD_S)
    three.end_announcer(signal.SIGKILL)
    two.start()
    three.start()
    expect(leads_to(one, two, three, other), "all again")


def flows_stay(one, two, three, other):
    three.leave()
    expect(leads_to(one, two, other), "two pods")
    flows = Flows((one, two, three))
    before = flows.meet()
    split = collections.Counter(before.values())
    print("  300 flows over two pods:", sorted(split.values()))
    if min(split.values()) < 100:
        raise Failed("a pod has less than its share")

    three.start()
    expect(leads_to(one, two, three, other), "a third comes")
    if flows.meet() != before:
        raise Failed("the pod that came took flows away")

    two.drain()
    wait_for(lambda: routes()[POOLS["a"][0]].get(two.address) == 1, "the draining pod's weight")
    if flows.meet() != before:
        raise Failed("the pod that drains lost flows")
    old, flows.senders = flows.senders, senders()
    split = collections.Counter(flows.meet().values())
    print(f"  300 new flows while one of three drains: it gets {split[two]}, the others {split[one]}, {split[three]}")
    if split[two] > 60 or min(split[one], split[three]) < 60:
        raise Failed("new flows go to the pod that drains")
    for sender in flows.senders:
        sender.close()
    flows.senders = old

    two.leave()
    after = flows.meet()
    moved = sum(after[port] is not pod for port, pod in before.items() if pod is not two)
    print(f"  flows of the pods that stay, moved by the one that left: {moved}")
    if moved:
        raise Failed("flows have moved")
    flows.close()
    two.serve()
    two.start()
    expect(leads_to(one, two, three, other), "all again")


def link_lost(one, two, three, other):
    """Without a word, while all of the pod's processes live."""
    node("ip", "link", "set", f"veth{three.number}", "down")
    expect(leads_to(one, two, other), "a link to the bridge is lost: the pod itself leaves", LOST_S)
    node("ip", "link", "set", f"veth{three.number}", "up")
    expect(leads_to(one, two, three, other), "and the link is back")


def own_link_lost(one, two, three, other):
    """A CNI without a bridge: the route to the pod goes with its link."""
    node("ip", "link", "set", f"veth{three.number}", "nomaster")
    for address in (three.address, three.address6):
        node("ip", "route", "add", address, "dev", f"veth{three.number}")
    three.end_announcer(signal.SIGKILL)
    expect(leads_to(one, two, other), "its announcer is killed", DEAD_S)
    three.start()
    expect(leads_to(one, two, three, other), "a pod with a link of its own")
    node("ip", "link", "set", f"veth{three.number}", "down")
    expect(leads_to(one, two, other), "its link goes", LOST_S)
    three.destroy()
    three.start()
    expect(leads_to(one, two, three, other), "all again")


class Watch(threading.Thread):
    """Looks at the node's routes all the time, and at what the pods were told."""

    def __init__(self, pods):
        super().__init__(daemon=True)
        self.pods, self.faults, self.looks, self.running = pods, [], 0, True
        self.slowest = collections.Counter()

    def run(self):
        while self.running:
            before = time.monotonic()
            states = self.states()
            found = routes()
            self.looks += 1
            if states == self.states():
                for fleet in POOLS:
                    for pool in POOLS[fleet]:
                        self.check(fleet, pool, found.get(pool, {}), before)

    def states(self):
        return [(pod.state, pod.since, pod.started) for pod in self.pods]

    def check(self, fleet, pool, hops, now):
        # Who cleans up after the dead is a pod that lives, and it has to have looked for as long.
        watched = max((now - pod.started for pod in self.pods if pod.started), default=0)
        serving = [pod for pod in self.pods if pod.fleet == fleet and pod.age(now, "serving") > COME_S]
        if serving and not hops:
            self.fault(f"{pool}: no route, while pods serve", serving)
        for pod in self.pods:
            address = pod.address6 if ":" in pool else pod.address
            weight = hops.get(address, 0)
            if pod in serving and weight not in (255, None):
                self.fault(f"{pool}: weight {weight} for {address}, which serves", hops)
            if address not in hops:
                continue
            self.seen("dead", min(pod.age(now, "dead"), watched), DEAD_S, pool, address, hops)
            self.seen("absent", pod.age(now, "absent"), CHANGE_S, pool, address, hops)
            if serving:
                self.seen("idle", pod.age(now, "idle"), CHANGE_S, pool, address, hops)

    def seen(self, state, seconds, limit, pool, address, hops):
        self.slowest[state] = max(self.slowest[state], seconds)
        if seconds > limit:
            self.fault(f"{pool}: {address} is in the route, {state} for {seconds:.1f} s", hops)

    def fault(self, what, details):
        self.faults.append(f"{what}; {details}")


def random_steps(pods):
    seed = int(os.environ.get("CORACLE_TEST_SEED", time.time()))
    print(f"  {STEPS} random steps; CORACLE_TEST_SEED={seed} for the same again")
    chance = random.Random(seed)
    watch = Watch(pods)
    watch.start()
    for _ in range(STEPS):
        pod = chance.choice(pods)
        if pod.announcer:
            chance.choice((pod.leave, pod.serve, pod.serve, pod.withhold, pod.drain, pod.idle, lambda: kill_announcer(pod),
                           pod.lose_exabgp, pod.destroy))()
        elif pod.holder and chance.random() < 0.2:
            pod.destroy()
        else:
            pod.start()
            pod.serve()
        time.sleep(chance.choice((0, 0.1, 0.3, 1.0)))
        if watch.faults:
            break
    for pod in pods:
        if pod.announcer is None:
            pod.start()
        pod.serve()
    if not watch.faults:
        expect(leads_to(*pods), "all serve again")
    watch.running = False
    watch.join()
    print(f"  {watch.looks} looks; longest after: " +
          ", ".join(f"{state} {seconds:.2f} s" for state, seconds in sorted(watch.slowest.items())))
    if watch.faults:
        raise Failed("\n".join(watch.faults[:5]))


def kill_announcer(pod):
    """exabgp starts another one at once; on a busy machine that may be after the grace."""
    pod.end_announcer(signal.SIGKILL)
    pod.start()
    pod.since = time.monotonic()


def test(pods):
    node("ip", "route", "add", "10.7.0.0/16", "via", sandbox.POD, "proto", "static")
    node("ip", "nexthop", "add", "id", "1", "via", sandbox.POD, "dev", "cali-eth0", "proto", "zebra")
    node("ip", "nexthop", "add", "id", str(0x43000002), "via", sandbox.POD, "dev", "cali-eth0", "proto", "zebra")
    for pool in POOLS["a"]:
        node("ip", "route", "add", pool, "dev", "cali-eth0", "metric", "2000", "proto", "static")
    before = foreign()
    threading.Thread(target=pods.be_coracles, daemon=True).start()
    fleet = [pods.pod(11), pods.pod(12), pods.pod(13)]
    other = pods.pod(14, "b")
    for act in (come_and_go, without_next_hop, one_family_only, first_checks, withheld, untrusted_pools, lock_held, crash,
                come_after_the_dead, flows_stay, link_lost, own_link_lost):
        act(*fleet, other)
    random_steps([*fleet, other])
    for pod in (*fleet, other):
        pod.leave()
    expect({}, "all have left")
    left = node("ip", "nexthop", "show", "proto", "67")
    if left or foreign() != before:
        raise Failed(f"next-hops of ours are left: {left}; or others changed: {foreign()}, were {before}")


if __name__ == "__main__":
    sandbox.main(test, Test)
