"""Runs slow.c: downloads that trickle from the web pods to the client, and what became of each."""
import collections
import os
import random
import subprocess

from cluster import Service
from load import Load
from machine import PATH, Machine

PORT = 8080
POOLS = ("10.1.1.0/24", "fd00:1:1::/112")

# Of the client, below those that the kernel gives out; for IPv6 others, for a socket of either takes the port from both.
# None is used twice: it is not free again for minutes. So another run hardly meets those of the last one.
somewhere = random.randrange(8000)
next_ports = {False: 2000 + somewhere, True: 17000 + somewhere}

Broken = collections.namedtuple("Broken", "moment port server reason")


def serve(*pods):
    for pod in pods:
        if not pod.pid("slow"):
            pod.start("slow", ["slow", "serve", pod.name, str(PORT)])


def service(name, vip, forwarding, pods, vip6=None):
    """One that has the downloads beside the web pods' short answers; the caller publishes it."""
    both = Service(name, vip, {"coracle.lb/forwarding": forwarding}, vip6)
    both.ports = [{"name": "slow", "protocol": "TCP", "port": PORT}, *both.ports]
    both.spec["ports"] = [{**port, "targetPort": port["port"]} for port in both.ports]
    for pod in pods:
        both.set(pod)
    return both


class Downloads:
    """`count` of them, from as many ports of the client, that follow each other."""

    def __init__(self, vip, count, silence_s=15):
        first_port = next_ports[":" in vip]
        next_ports[":" in vip] += count
        argv = ["slow", "fetch", "-n", str(count), "-p", str(first_port), "-s", str(silence_s), vip, str(PORT)]
        self.process = subprocess.Popen(argv, preexec_fn=Machine("client").enter, env={"PATH": PATH},
                                        stdout=subprocess.PIPE)
        Load.running.add(self.process)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.pending = b""
        self.count = count
        self.servers = {}   # port → name of its server
        self.ended = set()  # ports of those that the server has ended as it should
        self.closed = set()  # and of those that ended because we wanted
        self.broken = []

    def read(self):
        """Takes what has become known since."""
        while data := self.process.stdout.read():
            self.pending += data
        *lines, self.pending = self.pending.split(b"\n")
        for line in lines:
            what, moment, port, server, *reason = line.decode().split(maxsplit=4)
            if what == "open":
                self.servers[int(port)] = server
            elif what == "broken":
                self.broken.append(Broken(float(moment), int(port), server, *reason))
            else:
                {"ended": self.ended, "closed": self.closed}[what].add(int(port))

    def opened(self):
        self.read()
        return len(self.servers) + len(self.broken) >= self.count

    def by_server(self):
        return dict(sorted(collections.Counter(self.servers.values()).items()))

    def broken_ports(self):
        self.read()
        return {each.port for each in self.broken}

    def finish(self):
        """Closes what is left, which proves that either side still hears the other."""
        self.process.terminate()
        os.set_blocking(self.process.stdout.fileno(), True)
        self.read()
        self.process.wait(timeout=30)
        Load.running.discard(self.process)
        assert len(self.broken) + len(self.ended) + len(self.closed) == self.count, (
            f"of {self.count} downloads {len(self.closed)} were closed, {len(self.ended)} ended, {self.broken} broken")
