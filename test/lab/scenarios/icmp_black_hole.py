"""Uploads of 1 MB over a path whose narrowest link nobody learns of: the pods' network takes less than the client's link,
and the router drops the ICMP that would tell the client.

nat: the LB pods have the MTU of an overlay, the backends that of the nodes, as pods with hostNetwork do: what both ends
believe is too much for what is between them. tunnel: all pods have the overlay's, and the tunnel takes its part of it.
netns-setup and tunnel-setup clamp the segments; without what they do (the control) the same uploads hang.
"""
import re
import socket
import threading
import time

import downloads
import fig6
import linux
import observe
from cluster import Service
from machine import LAB, Machine

LIMIT_S = 150
VIP4, VIP6, PORT = "10.1.1.12", "fd00:1:1::12", 9000
OVERLAY = 1450
SIZE = 1_000_000
ENOUGH_S = 20   # for an upload
HANGS_S = 5     # what has not ended after that, never does: it takes a fraction of a second otherwise


class Sink:
    """Takes uploads on a machine, and says "ok" to a whole one."""

    def __init__(self, pod):
        with linux.netns(pod.name):
            self.listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        threading.Thread(target=self.take_all, daemon=True).start()

    def take_all(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    @staticmethod
    def take(connection):
        got = 0
        with connection:
            try:
                while got < SIZE and (data := connection.recv(1 << 16)):
                    got += len(data)
                if got == SIZE:  # a health check sends nothing
                    connection.sendall(b"ok")
            except OSError:
                pass


def upload(vip, patience_s):
    """The seconds it took, or None if it did not end in time."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    with linux.netns("client"):
        connection = socket.socket(family, socket.SOCK_STREAM)
    began = time.monotonic()
    with connection:
        connection.settimeout(patience_s)
        connection.connect((vip, PORT))
        try:
            connection.sendall(bytes(SIZE))
            return time.monotonic() - began if connection.recv(2) == b"ok" else None
        except TimeoutError:
            return None


def set_mtu(pods, mtu):
    for pod in pods:
        pod.ip([f"link set eth0 mtu {mtu}"])
        Machine(pod.node).ip([f"link set {pod.name} mtu {mtu}"])


def set_up(lbs):
    """The segments are clamped where the pod's network is an overlay when it starts."""
    with open(f"{fig6.RENDERED}/pools", encoding="ascii") as file:
        pools = file.read().split()
    for pod in lbs:
        pod.output(f"{LAB}/tree/deploy/netns-setup", *pools)


def drop_icmp(verb):
    router = Machine("router")
    router.output("iptables-legacy", "-w", verb, "FORWARD", "-p", "icmp", "-j", "DROP")
    router.output("ip6tables-legacy", "-w", verb, "FORWARD", "-p", "icmpv6", "--icmpv6-type", "packet-too-big", "-j", "DROP")


def wait_routes(lab, count):
    for vip, family in ((f"{VIP4}/32", socket.AF_INET), (f"{VIP6}/128", socket.AF_INET6)):
        lab.wait(lambda: len(observe.routes("router", family).get(vip, [])) == count, 20, f"{count} next-hops to {vip}")


def measure(lab, forwarding, undo):
    service = Service("uploads", VIP4, {"coracle.lb/forwarding": forwarding}, vip6=VIP6)
    service.ports = [{"name": "uploads", "protocol": "TCP", "port": PORT}]
    service.spec["ports"] = [{**service.ports[0], "targetPort": PORT}]
    for pod in lab.webs.values():
        service.set(pod)
    service.publish()
    try:
        wait_routes(lab, len(lab.lbs))
        took = {vip: [upload(vip, ENOUGH_S) for _ in range(4)] for vip in (VIP4, VIP6)}
        assert all(map(all, took.values())), f"{forwarding}: uploads do not end: {took}"
        undo()
        control = {vip: upload(vip, HANGS_S) for vip in (VIP4, VIP6)}
        assert not any(control.values()), f"{forwarding}: uploads end without any clamp, nothing was shown: {control}"
    finally:
        service.delete()
    wait_routes(lab, 0)
    told = ", ".join(f"{vip} at most {max(seconds):.2f} s" for vip, seconds in took.items())
    return f"{forwarding}: {told}; without the clamp both hang"


def unclamp_nat(lab):
    for pod in lab.lbs.values():
        for program in ("iptables-legacy", "ip6tables-legacy"):
            pod.output(program, "-w", "-t", "mangle", "-F")


def unclamp_tunnel(lab):
    for pod in lab.webs.values():
        for family in ("-4", "-6"):
            route = pod.output("ip", family, "route", "show", "default")
            pod.output("ip", family, "route", "replace", *re.sub(r"advmss \d+", "", route).split())


def run(lab):
    sinks = [Sink(pod) for pod in lab.webs.values()]
    told = []
    try:
        drop_icmp("-A")
        set_mtu(lab.lbs.values(), OVERLAY)
        set_up(lab.lbs.values())
        unclamp_tunnel(lab)  # another scenario may have prepared the web pods
        told.append(measure(lab, "nat", lambda: unclamp_nat(lab)))
        set_mtu(lab.webs.values(), OVERLAY)
        for web in lab.webs.values():
            web.output(f"{LAB}/tree/deploy/tunnel-setup", *downloads.POOLS)
        told.append(measure(lab, "tunnel", lambda: unclamp_tunnel(lab)))
    finally:
        for sink in sinks:
            sink.listener.close()
        drop_icmp("-D")
        set_mtu([*lab.lbs.values(), *lab.webs.values()], 1500)
        set_up(lab.lbs.values())
    return "; ".join(told)
