"""Backends behind a Service by tunnel go while downloads run.

One of ten leaves as pods do (terminating, then SIGTERM, then gone): no download breaks. Another is killed, with its
network: its own downloads break and no other. Then from ten to nine and back to ten, and each time an LB pod is lost as
soon as the other one has the new table: what was on the lost pod is scheduled anew, by another table. Which downloads
that breaks, `coracle trace --without` and `--with` have foretold.
"""
import signal
import subprocess
import time

import downloads
import fig6
import observe
from cluster import DRAINING
from machine import LAB, PATH

LIMIT_S, LONG_LIMIT_S = 240, 480
SHORT, LONG = 300, 1000
VIP = "10.1.1.10"
NAMES = [f"web{number}" for number in range(11, 21)]
SILENCE_S = 8
WITHIN = 0.01  # of all downloads


class Backends:
    def __init__(self, lab):
        self.lab = lab
        self.pods = [fig6.web_pod(name) for name in NAMES]
        for pod in self.pods:
            self.start(pod)
        self.service = downloads.service("backends", VIP, "tunnel", self.pods)
        self.publish(self.pods)

    @staticmethod
    def start(pod):
        pod.connect()
        pod.output(f"{LAB}/tree/deploy/tunnel-setup", *downloads.POOLS)
        downloads.serve(pod)

    def publish(self, serving):
        """Waits until the tables say it too: new connections go to these and to no other."""
        self.service.publish()
        wanted = {f"{pod.address}:{downloads.PORT}" for pod in serving}
        self.lab.wait(lambda: all(self.serving(lb) == wanted for lb in self.lab.lbs), 20, "the tables follow")

    @staticmethod
    def serving(lb):
        table = observe.ipvs(lb).get(f"{VIP}:{downloads.PORT}", {})
        return {server for server, weight in table.items() if weight > 0}

    def download(self, count):
        self.lab.wait(lambda: self.lab.next_hops(f"{VIP}/32") == self.lab.expected_next_hops(), 30, "every LB pod serves")
        under_way = downloads.Downloads(VIP, count, SILENCE_S)
        self.lab.wait(under_way.opened, 60, "downloads under way")
        assert not under_way.broken, f"broken before anything was done: {under_way.broken[:3]}"
        return under_way

    def end(self):
        self.service.delete()
        for pod in self.pods:
            if pod.exists():
                fig6.kill_pod(pod)


def leaves(backends, pod, rest, count):
    """As a pod whose preStop sleeps for 3 s; its server then ends what it has."""
    under_way = backends.download(count)
    own = {port for port, name in under_way.servers.items() if name == pod.name}
    backends.service.set(pod, DRAINING)
    backends.publish(rest)
    time.sleep(3)
    pod.kill("slow", number=signal.SIGTERM)
    backends.lab.wait(lambda: under_way.read() or under_way.ended >= own, 10, f"{pod.name}'s downloads have ended")
    pod.destroy()
    backends.service.remove(pod)
    backends.publish(rest)
    time.sleep(SILENCE_S + 1)
    under_way.finish()
    assert own and under_way.ended == own, f"{len(own)} were {pod.name}'s, {len(under_way.ended)} ended"
    assert not under_way.broken, f"{pod.name} left, and {len(under_way.broken)} broke: {under_way.broken[:5]}"
    return f"a backend with {len(own)} of {count} downloads leaves: 0 broken"


def is_killed(backends, pod, rest, count):
    under_way = backends.download(count)
    own = {port for port, name in under_way.servers.items() if name == pod.name}
    fig6.kill_pod(pod)
    backends.publish(rest)  # nothing new: the health check has to find it
    backends.service.remove(pod)
    backends.publish(rest)
    backends.lab.wait(lambda: under_way.broken_ports() >= own, SILENCE_S + 5, f"{pod.name}'s downloads are known to be lost")
    time.sleep(SILENCE_S + 1)
    under_way.finish()
    broken = under_way.broken_ports()
    assert own and broken == own, f"{len(own)} were {pod.name}'s, others broke too: {sorted(broken - own)[:5]}"
    return f"one with {len(own)} is killed: these {len(broken)} broken"


def foretell(lb, ports, *change):
    """{port: the server that lb's table gives it after the change}"""
    clients = [f"{fig6.CLIENT}:{port}" for port in ports]
    said = subprocess.run(["coracle", "trace", *change, "-", f"{VIP}:{downloads.PORT}"], preexec_fn=lb.enter, text=True,
                          input="\n".join(clients) + "\n", check=True, stdout=subprocess.PIPE, env={"PATH": PATH}).stdout
    return dict(zip(ports, said.split(), strict=True))


def change_and_loss(backends, serving, change, before, after, count):
    """`change` is what trace is told, `serving` what is published; lb1 is lost then."""
    lb1, lb2 = backends.lab.lbs["lb1"], backends.lab.lbs["lb2"]
    under_way = backends.download(count)
    ports = list(under_way.servers)
    addresses = {pod.name: f"{pod.address}:{downloads.PORT}" for pod in before}
    then = foretell(lb2, ports, *change)
    lost = {int(client.rpartition(":")[2]) for client, _ in observe.ipvs_flows(lb1.name, f"{VIP}:{downloads.PORT}")}
    gone = {f"{pod.address}:{downloads.PORT}" for pod in before if pod not in after}
    foretold = {port for port in ports if addresses[under_way.servers[port]] in gone
                or port in lost and then[port] != addresses[under_way.servers[port]]}
    backends.publish(serving)
    fig6.kill_pod(lb1)
    time.sleep(SILENCE_S + 3)
    under_way.finish()
    broken = under_way.broken_ports()
    told = (f"{len(before)} to {len(after)} backends with the loss of an LB pod that had {len(lost & set(ports))} of "
            f"{count}: {len(broken)} broken ({len(broken) / count:.1%}), {len(foretold)} foretold "
            f"({len(foretold) / count:.1%}), {len(broken & foretold)} the same")
    assert len(broken ^ foretold) <= WITHIN * count, f"{told}; {sorted(broken ^ foretold)[:10]}"
    backends.lab.new_lb("lb1")
    return told


def run(lab):
    count = LONG if lab.long else SHORT
    backends = Backends(lab)
    try:
        first, second, *rest = backends.pods
        told = [leaves(backends, first, [second, *rest], count)]
        backends.start(first)
        backends.service.set(first)
        backends.publish(backends.pods)
        told.append(is_killed(backends, second, [first, *rest], count))
        backends.start(second)
        backends.service.set(second)
        backends.publish(backends.pods)

        address = f"{first.address}:{downloads.PORT}"
        backends.service.remove(first)
        told.append(change_and_loss(backends, [second, *rest], ("--without", address), backends.pods, [second, *rest], count))
        backends.service.set(first)
        told.append(change_and_loss(backends, backends.pods, ("--with", address), [second, *rest], backends.pods, count))
    finally:
        backends.end()
    return "; ".join(told)
