"""An LB pod with thousands of real servers, which all are addresses of one pod; its API is the stand-in of test/api.

The pod serves nobody: it is about how soon the kernel's table follows the API, and keepalived's checks the real servers."""
import ctypes
import datetime
import os
import signal
import socket
import struct
import sys
import time

import fig6
import linux
from machine import LAB, LOGS, Machine

sys.path.insert(0, f"{LAB}/tree/test/api")
from fake_api import FakeApi  # noqa: E402

PORT = 80
# Checks are rare, or the guest's one CPU would do nothing else.
CONFIG = """pools: [{name: many, prefixes: [10.2.0.0/16]}]
bgp: {localAS: 65021, reflectors: [{address: 10.0.0.109, as: 65021}]}
defaults: {healthCheck: {type: %s, interval: 30, timeout: 1, retries: 1}}
"""
IP_VS_SO_GET_DESTS = 1152 + 4
DESTS_HEAD, DEST_SIZE, MOST_DESTS = 24, 96, 128
VICTIM = 0  # the number of the real server that changes

libc = ctypes.CDLL(None, use_errno=True)


class Servers:
    """A pod that has all of 172.17.0.0/16 and accepts connections to every address of it."""

    def __init__(self):
        self.pod = fig6.Pod("many", 3, 90)
        self.pod.connect()
        self.pod.ip(["route add local 172.17.0.0/16 dev lo"])
        for number in fig6.NODES:
            via = self.pod.address if number == 3 else fig6.NODES[3]
            Machine(f"node{number}").ip([f"route add 172.17.0.0/16 via {via}"])
        self.pod.sysctl({"net.core.somaxconn": 16384})
        conf = fig6.NGINX_CONF.replace("worker_connections 512", "worker_connections 16384").replace(
            "listen 80;", "listen 80 backlog=16384;")
        self.pod.start("nginx", ["nginx", "-c", self.pod.write("nginx.conf", conf)])

    def end(self):
        for number in fig6.NODES:
            Machine(f"node{number}").ip(["route del 172.17.0.0/16"])
        fig6.kill_pod(self.pod)


def vip(service):
    return f"10.2.{service // 200}.{service % 200 + 1}"


class Many:
    def __init__(self, services, each, check="tcp"):
        assert services <= 250 * (254 // each), "there are not so many addresses"
        self.services, self.each = services, each
        self.pod = fig6.connect_lb("lb3")
        os.mkdir(f"{self.pod.run_dir}/api")
        with linux.netns("lb3"):
            self.api = FakeApi(f"{self.pod.run_dir}/api")
            for service in range(services):
                self.api.store.put("Service", f"web-{service}",
                                   status={"loadBalancer": {"ingress": [{"ip": vip(service), "ipMode": "Proxy"}]}},
                                   spec={"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp",
                                         "ports": [{"name": "http", "port": 80}]})
                self.publish(service, range(each))
            self.api.store.history.clear()
            self.api.start()
            self.kernel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.pod.start("ipvs", ["coracle", "controller", "--config", self.pod.write("many.yaml", CONFIG % check),
                                "--templates", fig6.TEMPLATES, "--server", f"https://127.0.0.1:{self.api.client_port}",
                                "--token-file", "/run/api/token", "--ca-file", "/run/api/ca.crt",
                                "--pod-name", "lb3", "--namespace", "kube-system"], container=True)

    def server(self, service, number):
        return f"172.17.{service % 250}.{service // 250 * self.each + number + 1}"

    def publish(self, service, numbers, draining=()):
        self.api.store.put("EndpointSlice", f"web-{service}-abcde", labels={"kubernetes.io/service-name": f"web-{service}"},
                           addressType="IPv4", ports=[{"name": "http", "protocol": "TCP", "port": PORT}],
                           endpoints=[{"addresses": [self.server(service, number)],
                                       "conditions": {"ready": number not in draining, "serving": True,
                                                      "terminating": number in draining}} for number in numbers])

    def table(self, service):
        """{real server: weight} of one service: reading the whole table takes the guest too long."""
        size = DESTS_HEAD + MOST_DESTS * DEST_SIZE
        buffer = ctypes.create_string_buffer(size)
        struct.pack_into("=Hxx4s", buffer, 0, socket.IPPROTO_TCP, socket.inet_aton(vip(service)))
        struct.pack_into("=HxxII", buffer, 8, socket.htons(80), 0, MOST_DESTS)
        length = ctypes.c_uint32(size)
        if libc.getsockopt(self.kernel.fileno(), socket.IPPROTO_IP, IP_VS_SO_GET_DESTS, buffer, ctypes.byref(length)) < 0:
            return {}
        found = {}
        for at in range(DESTS_HEAD, size, DEST_SIZE):
            address, weight = struct.unpack_from("=4s4x4xi", buffer, at)
            if address == bytes(4):
                break
            found[socket.inet_ntoa(address)] = weight
        return found

    def total(self):
        """How many real servers the whole table has. /proc/net/ip_vs would not do, see controller/io/ipvs_netlink.h."""
        return sum(len(self.table(service)) for service in range(self.services))

    def await_table(self, service, holds, seconds):
        """When it held, by the clock of time.monotonic."""
        deadline = time.monotonic() + seconds
        while not holds(self.table(service)):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: web-{service} has {self.table(service)}")
            time.sleep(0.005)
        return time.monotonic()

    def pids(self):
        return {"coracle": [self.pod.pid("ipvs")], "keepalived": sorted(self.pod.processes("keepalived"))}

    def cpu_s(self):
        """Seconds of the processor by name of the program, since each started."""
        tick = os.sysconf("SC_CLK_TCK")
        spent = {}
        for name, pids in self.pids().items():
            for pid in pids:
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    words = file.read().rpartition(")")[2].split()
                spent[name] = spent.get(name, 0) + (int(words[11]) + int(words[12])) / tick
        return spent

    def await_all(self, seconds):
        deadline = time.monotonic() + seconds
        while self.total() != self.services * self.each:
            assert time.monotonic() < deadline, f"{self.total()} real servers are in"
            time.sleep(1)

    def await_rest(self, seconds):
        """Waits until keepalived does little more than its checks; returns how long that took."""
        began, spent = time.monotonic(), self.cpu_s()
        while time.monotonic() - began < seconds:
            time.sleep(1)
            before, spent = spent, self.cpu_s()
            if sum(spent.values()) - sum(before.values()) < 0.25:
                return time.monotonic() - began - 1
        raise AssertionError(f"keepalived is busy for more than {seconds} s")

    def keepalived_said(self, address, up, since):
        """When keepalived itself has come so far, in seconds since the epoch; None if it has not."""
        word = f'msg="server is {"up" if up else "down"}"'
        with open(f"{LOGS}/lb3-ipvs.log", encoding="utf-8", errors="replace") as file:
            for line in file:
                if word in line and f"real_server=[{address}]:tcp:{PORT}" in line:
                    told = datetime.datetime.fromisoformat(line.split()[0].removeprefix("ts=")).timestamp()
                    if told > since:
                        return told
        return None

    def change(self, what, service):
        """One endpoint drains, goes or comes. Seconds until no new connection goes there any more, or the first one may; the same
        for keepalived alone ("" where it says nothing: of one that drains, mostly without checks); and for how long it is busy."""
        every, victim = range(self.each), self.server(service, VICTIM)
        began, wall = time.monotonic(), time.time()
        if what == "drain":
            self.publish(service, every, draining=(VICTIM,))
        else:
            self.publish(service, [number for number in every if number != VICTIM or what == "come"])
        seconds = self.await_table(service, lambda table: bool(table.get(victim)) == (what == "come"), 120) - began
        busy = self.await_rest(120)
        told = self.keepalived_said(victim, what == "come", wall)
        return f"{seconds:.3f}", f"{told - wall:.3f}" if told and what != "drain" else "", f"{busy:.1f}"

    def end(self):
        self.kernel.close()
        self.pod.kill("ipvs", number=signal.SIGKILL)
        self.api.stop()
        self.pod.destroy()
