"""Web pods leave a Service whose flows go on: draining, until the drain time is over; two at once; the Service itself.

Flows are TCP and UDP, with and without sessionAffinity. Those of a pod that drains live until its time is over. Then those
of TCP are reset, those of UDP answered by another pod; nobody waits for what does not come, and no other flow notices.
"""
import collections
import selectors
import socket
import time

import linux
from cluster import DRAINING, READY, Service

PORTS = {socket.SOCK_STREAM: 7007, socket.SOCK_DGRAM: 7008}
TICK_S, DRAIN_S = 0.2, 8
RESET = "[Errno 104] Connection reset by peer"
LIMIT_S = 120


class Echo:
    """Servers in the web pods that answer with their name, and the client's flows to them, in one loop."""

    def __init__(self, webs):
        self.selector, self.flows, self.sockets, self.next = selectors.DefaultSelector(), [], [], 0.0
        for web in webs:
            with linux.netns(web.name):
                tcp, udp = (socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                for sock in (tcp, udp):
                    sock.bind((web.address, PORTS[sock.type]))
                tcp.listen(64)
            name = web.name.encode()
            self.watch(tcp, lambda tcp=tcp, name=name: self.accept(tcp, name))
            self.watch(udp, lambda udp=udp, name=name: udp.sendto(name, udp.recvfrom(64)[1]))

    def watch(self, sock, callback):
        sock.setblocking(False)
        self.sockets.append(sock)
        self.selector.register(sock, selectors.EVENT_READ, callback)

    def accept(self, listener, name):
        sock, _ = listener.accept()
        self.watch(sock, lambda: self.serve(sock, name))

    def serve(self, sock, name):
        try:
            data = sock.recv(64)
            if data:
                sock.send(name)
                return
        except OSError:
            pass
        self.selector.unregister(sock)
        sock.close()

    def open(self, vip, kind, count):
        flows = [Flow(self, vip, kind) for _ in range(count)]
        self.flows += flows
        self.until(lambda: all(flow.server for flow in flows), 5, f"{count} flows to {vip} are answered")
        return flows

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if time.monotonic() >= self.next:
                self.next = time.monotonic() + TICK_S
                for flow in self.flows:
                    flow.ask()
            for key, _ in self.selector.select(0.02):
                key.data()

    def until(self, condition, seconds, what):
        """Returns when it held, on the monotonic clock."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            self.run(0.02)
        return time.monotonic()

    def close(self):
        for sock in (*self.sockets, *(flow.socket for flow in self.flows)):
            sock.close()


class Flow:
    """Asks every TICK_S; `server` is who answered last."""

    def __init__(self, echo, vip, kind):
        self.echo, self.server, self.ended, self.why, self.gap = echo, None, None, None, 0.0
        self.heard = time.monotonic()
        with linux.netns("client"):
            self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.setblocking(False)
        self.socket.connect_ex((vip, PORTS[kind]))
        echo.selector.register(self.socket, selectors.EVENT_READ, self.hear)

    def ask(self):
        if self.ended is None:
            try:
                self.socket.send(b"?")
            except BlockingIOError:
                pass
            except OSError as error:
                self.end(error)

    def hear(self):
        try:
            data = self.socket.recv(64)
        except OSError as error:
            self.end(error)
            return
        if not data:
            self.end("closed")
            return
        now = time.monotonic()
        self.gap, self.heard = max(self.gap, now - self.heard), now
        self.server = data[:4].decode()

    def end(self, why):
        if self.socket.type == socket.SOCK_DGRAM:  # an ICMP error
            return
        self.ended, self.why = time.monotonic(), str(why)
        self.echo.selector.unregister(self.socket)


def service(name, vip, webs, **spec):
    item = Service(name, vip, {"coracle.lb/drain-seconds": str(DRAIN_S)})
    item.ports = [{"name": name, "protocol": name, "port": port} for name, port in zip(("TCP", "UDP"), PORTS.values())]
    item.spec = {"ports": [{**port, "targetPort": port["port"]} for port in item.ports], **spec}
    for web in webs:
        item.set(web)
    item.publish()
    return item


def weights(lab, web, *services):
    """Those of the web pod, in every virtual server of the services in every table; None: it is not there."""
    return {(lab.table(lb, f"{item.vip}:{port}") or {}).get(f"{web.address}:{port}")
            for lb in lab.lbs for item in services for port in PORTS.values()}


def by_server(flows):
    found = collections.defaultdict(list)
    for flow in flows:
        found[flow.server].append(flow)
    return found


def expect_untouched(echo, flows, what):
    """Returns the longest time that one of them waited: on a busy machine all wait at times."""
    now = time.monotonic()
    echo.until(lambda: all(flow.heard > now or flow.ended for flow in flows), 5, f"{what}: flows of other pods go on")
    ended = [f"{flow.server}: {flow.why}" for flow in flows if flow.ended]
    assert not ended, f"{what}: {len(ended)} of {len(flows)} flows of other pods ended: {ended}"
    return f"{len(flows)} others untouched (none waited longer than {max(flow.gap for flow in flows):.2f} s)"


def run(lab):
    webs = list(lab.webs.values())
    echo = Echo(webs)
    spread = service("spread", "10.1.1.20", webs, sessionAffinity="None")
    sticky = service("sticky", "10.1.1.21", webs, sessionAffinity="ClientIP")
    try:
        for item in (spread, sticky):
            lab.wait(lambda item=item: lab.next_hops(f"{item.vip}/32") == lab.expected_next_hops(), 15, "the routes")
        for web in webs:
            lab.wait(lambda web=web: weights(lab, web, spread, sticky) == {1}, 15, "all servers in all tables")
        return "; ".join((drain(lab, echo, spread, sticky), leave_at_once(lab, echo, spread, sticky),
                          delete(echo, spread, sticky)))
    finally:
        echo.close()
        for item in (spread, sticky):
            try:
                item.delete()
            except FileNotFoundError:
                pass  # the scenario has come to its end


def drain(lab, echo, spread, sticky):
    tcp = echo.open(spread.vip, socket.SOCK_STREAM, 24)
    udp = echo.open(spread.vip, socket.SOCK_DGRAM, 12)
    loyal = echo.open(sticky.vip, socket.SOCK_STREAM, 6)
    assert len(by_server(loyal)) == 1, f"sessionAffinity, but {by_server(loyal).keys()}"
    loyal_udp = echo.open(sticky.vip, socket.SOCK_DGRAM, 3)
    leaver = lab.webs[loyal[0].server]
    its = [flow for flow in (*tcp, *loyal) if flow.server == leaver.name]
    its_udp = [flow for flow in (*udp, *loyal_udp) if flow.server == leaver.name]
    others = [flow for flow in echo.flows if flow.server != leaver.name]
    assert len(its) > 6 and its_udp and len(others) > 12, f"flows: {by_server(echo.flows).keys()}"

    for item in (spread, sticky):
        item.set(leaver, DRAINING)
        item.publish()
    began = time.monotonic()
    echo.until(lambda: weights(lab, leaver, spread, sticky) == {0}, 5, "weight 0 in every table")
    new = echo.open(spread.vip, socket.SOCK_STREAM, 12) + echo.open(sticky.vip, socket.SOCK_STREAM, 6)
    to_leaver = sum(flow.server == leaver.name for flow in new)
    assert not to_leaver, f"{to_leaver} of {len(new)} new connections went to the pod that drains"
    echo.run(began + DRAIN_S - 1 - time.monotonic())
    assert not any(flow.ended for flow in its), "a flow ended before the drain time was over"
    assert all(flow.server == leaver.name for flow in its_udp), "a flow of UDP left before the drain time was over"

    ended = echo.until(lambda: all(flow.ended for flow in its), 10, "the drained pod's flows of TCP end") - began
    first = min(flow.ended for flow in its) - began
    moved = echo.until(lambda: all(flow.server != leaver.name for flow in its_udp), 10, "those of UDP move") - began
    assert first >= DRAIN_S and ended < DRAIN_S + 5, f"ended {first:.2f} to {ended:.2f} s after it began to drain"
    assert {flow.why for flow in its} == {RESET}, {flow.why for flow in its}
    untouched = expect_untouched(echo, others, "drained")
    gap = max(flow.gap for flow in its_udp)
    return (f"drained: 0 of {len(new)} new connections to it, its {len(its)} flows of TCP reset {first:.2f} to {ended:.2f} s "
            f"after it began, with a limit of {DRAIN_S} s, its {len(its_udp)} of UDP moved after {moved:.2f} s with a gap of "
            f"{gap:.2f} s, {untouched}")


def leave_at_once(lab, echo, spread, sticky):
    """Two of three are gone, without draining."""
    for item in (spread, sticky):
        for web in lab.webs.values():
            item.set(web, READY)
        item.publish()
    for web in lab.webs.values():
        echo.until(lambda web=web: weights(lab, web, spread, sticky) == {1}, 10, "all servers are back")
    echo.open(spread.vip, socket.SOCK_STREAM, 24)
    echo.open(spread.vip, socket.SOCK_DGRAM, 12)
    flows = [flow for flow in echo.flows if not flow.ended]
    for flow in flows:
        flow.gap = 0.0
    leavers = [lab.webs[name] for name in ("web1", "web2")]
    gone = {web.name for web in leavers}
    tcp = [flow for flow in flows if flow.server in gone and flow.socket.type == socket.SOCK_STREAM]
    udp = [flow for flow in flows if flow.server in gone and flow.socket.type == socket.SOCK_DGRAM]
    others = [flow for flow in flows if flow.server not in gone]
    assert tcp and udp and others
    for item in (spread, sticky):
        for web in leavers:
            item.remove(web)
        item.publish()
    began = time.monotonic()
    ended = echo.until(lambda: all(flow.ended for flow in tcp), 10, "the flows of TCP of both end") - began
    echo.until(lambda: all(flow.server not in gone for flow in udp), 10, "those of UDP move")
    untouched = expect_untouched(echo, others, "two left at once")
    gap = max(flow.gap for flow in udp)
    return (f"two at once: {len(tcp)} flows of TCP reset within {ended:.2f} s, {len(udp)} of UDP moved with a gap of "
            f"{gap:.2f} s, {untouched}")


def delete(echo, spread, sticky):
    """The pods live on. UDP has nobody to be told: ICMP may say it, at its own rate."""
    tcp = [flow for flow in echo.flows if not flow.ended and flow.socket.type == socket.SOCK_STREAM]
    assert tcp
    for item in (spread, sticky):
        item.delete()
    began = time.monotonic()
    ended = echo.until(lambda: all(flow.ended for flow in tcp), 10, "the flows of TCP of deleted Services end") - began
    assert {flow.why for flow in tcp} == {RESET}, {flow.why for flow in tcp}
    return f"both Services deleted: {len(tcp)} flows of TCP reset within {ended:.2f} s"
