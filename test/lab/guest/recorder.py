"""Writes down, with the time, what the kernels of the lab say: who is in a FIB, which LB pod could serve.

A process of its own, so that a scenario that is busy (a fork takes 0.1 s) misses nothing, and so that nothing is
polled where the kernel tells by itself: routes come from rtnetlink, BGP messages from a packet socket. What the
kernel does not tell is sampled: the IPVS table and the session of each LB pod. Times are time.monotonic(), taken when
the kernel's word has been read; they are late by what this process waits for the guest's one CPU.

Records are (time, what, who, value):
    fib       router, node1 …  {gateway: weight} of the watched prefix; none without a route
    withdrawn router, node1 …  a route to the watched prefix was deleted (a replaced one is not)
    table     lb1 …            {real server: weight} of the watched virtual server; none without it
    session   lb1 …            how many TCP connections it has to a reflector's BGP port
    bgp       lb1, to lb1 …    type of a BGP message from or to the pod
    rounds    -                once a second: rounds of sampling so far, the longest pause between two so far
"""
import json
import os
import select
import signal
import socket
import struct
import time
import traceback

import linux
import observe

# A next-hop object that goes takes itself out of its groups, and no route is said to have changed.
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
RTNLGRP_IPV4_ROUTE, RTNLGRP_NEXTHOP = 7, 32
RTM_DELROUTE = 25
ROUND_S = 0.02
ETH_P_IP, ETH_P_ALL = 0x0800, 0x0003  # the latter: also what goes out
BGP_PORT = 179
ESTABLISHED = "01"


class Recorder:
    """with Recorder(…) as recorder: records arrive in recorder.records at each read()."""

    def __init__(self, fibs, tables=(), virtual_server=None, bgp=None):
        """fibs: {machine: prefix}; tables: names of LB pods, there or not; bgp: the reflector on which to listen to
        {pod's address: name}."""
        self.records = []
        self.fibs, self.tables, self.virtual_server = fibs, tables, virtual_server
        self.reflector, self.speakers = bgp or (None, {})

    def __enter__(self):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            try:
                signal.alarm(0)
                Watch(self, writer).run()
            except BrokenPipeError:
                pass
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        os.close(writer)
        os.set_blocking(reader, False)
        self.pipe = reader
        self.pending = b""
        while not any(what == "rounds" for _, what, _, _ in self.records):
            select.select([reader], [], [], 5)
            self.read()
        return self

    def __exit__(self, *_):
        self.read()
        os.close(self.pipe)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def read(self):
        """Takes what has been written since; returns the new records."""
        new = []
        while True:
            try:
                data = os.read(self.pipe, 65536)
            except BlockingIOError:
                self.records += new
                return new
            if not data:
                raise RuntimeError("the recorder has ended")
            *lines, self.pending = (self.pending + data).split(b"\n")
            new += map(json.loads, lines)


class Watch:
    """The recorder's process."""

    def __init__(self, what, pipe):
        os.nice(-10)  # it observes: those that it observes shall wait for it, not it for them
        self.what, self.pipe = what, pipe
        self.last = {}
        self.pods = {}  # name → (inode of its namespace, file of its IPVS table, file of its TCP sockets)
        self.sockets = {}
        for machine in what.fibs:
            with linux.netns(machine):
                netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            netlink.setblocking(False)
            netlink.bind((0, 0))  # first: to an unbound one the kernel's own messages look like its own
            for group in (RTNLGRP_IPV4_ROUTE, RTNLGRP_NEXTHOP):
                netlink.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
            self.sockets[netlink] = machine
        self.wire = None
        if what.reflector:
            with linux.netns(what.reflector):
                self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            self.wire.setblocking(False)

    def write(self, moment, what, who, value):
        os.write(self.pipe, json.dumps([moment, what, who, value]).encode() + b"\n")

    def note(self, moment, what, who, value):
        """Writes what is new."""
        if self.last.get((what, who), self) != value:
            self.last[what, who] = value
            self.write(moment, what, who, value)

    def run(self):
        for machine, prefix in self.what.fibs.items():
            self.note(time.monotonic(), "fib", machine, observe.weighted_routes(machine).get(prefix, {}))
        rounds, longest, before, told = 0, 0.0, time.monotonic(), 0.0
        watched = [*self.sockets, *([self.wire] if self.wire else [])]
        while True:
            due = before + ROUND_S - time.monotonic()
            readable, _, _ = select.select(watched, [], [], max(due, 0))
            for each in readable:
                if each is self.wire:
                    self.hear()
                else:
                    self.follow(each, self.sockets[each])
            now = time.monotonic()
            if now < before + ROUND_S:
                continue
            for name in self.what.tables:
                self.sample(name)
            rounds, longest, before = rounds + 1, max(longest, now - before), now
            if now - told >= 1:
                told = now
                self.write(now, "rounds", "-", [rounds, longest])

    def follow(self, netlink, machine):
        """Messages tell that there is something new; what is new the table tells, which also knows of lost ones."""
        moment = time.monotonic()
        prefix = self.what.fibs[machine]
        while True:
            try:
                data = netlink.recv(65536)
            except BlockingIOError:
                break
            except OSError:  # ENOBUFS: messages were lost
                continue
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == RTM_DELROUTE and observe.prefix_of(data[16:length], socket.AF_INET) == prefix:
                    self.write(moment, "withdrawn", machine, None)
                data = data[(length + 3) & ~3:]
        self.note(moment, "fib", machine, observe.weighted_routes(machine).get(prefix, {}))

    def sample(self, name):
        path = f"/run/netns/{name}"
        try:
            inode = os.stat(path).st_ino
        except FileNotFoundError:
            inode = None
        known, *files = self.pods.get(name, (None, None, None))
        if inode != known:
            for file in files if known else []:
                os.close(file)
            self.pods[name] = (inode, None, None)
            if inode:
                try:
                    with linux.netns(name):
                        files = [os.open(f"/proc/thread-self/net/{file}", os.O_RDONLY) for file in ("ip_vs", "tcp")]
                except OSError:  # being made, or gone again
                    self.pods[name] = (None, None, None)
                    return
                self.pods[name] = (inode, *files)
        moment = time.monotonic()
        if not inode:
            self.note(moment, "table", name, None)
            self.note(moment, "session", name, 0)
            return
        _, table, tcp = self.pods[name]
        self.note(moment, "table", name, observe.ipvs_table(read_all(table)).get(self.what.virtual_server))
        self.note(moment, "session", name, count_sessions(read_all(tcp)))

    def hear(self):
        moment = time.monotonic()
        while True:
            try:
                packet, (_, protocol, *_) = self.wire.recvfrom(2048)
            except BlockingIOError:
                return
            if protocol != ETH_P_IP:
                continue
            tcp = packet[(packet[0] & 15) * 4:struct.unpack_from("!H", packet, 2)[0]]
            source, target = (self.what.speakers.get(socket.inet_ntoa(packet[at:at + 4])) for at in (12, 16))
            name = source or target and f"to {target}"
            if packet[9] != socket.IPPROTO_TCP or name is None or len(tcp) < 20:
                continue
            message = tcp[(tcp[12] >> 4) * 4:]
            while len(message) >= 19 and message.startswith(b"\xff" * 16):
                length, kind = struct.unpack_from("!HB", message, 16)
                self.write(moment, "bgp", name, kind)
                message = message[max(length, 19):]


def read_all(file):
    os.lseek(file, 0, os.SEEK_SET)
    data = b""
    while chunk := os.read(file, 65536):
        data += chunk
    return data.decode("ascii").splitlines()


def count_sessions(lines):
    port = f":{BGP_PORT:04X}"
    return sum(words[2].endswith(port) and words[3] == ESTABLISHED for words in map(str.split, lines[1:]))
