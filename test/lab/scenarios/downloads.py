"""Slow downloads, half of them over IPv6, through four LB pods, of which one is killed, one leaves and two are added; then all
four are replaced, one by one, as `kubectl rollout restart` does: a new one serves before an old one gets its SIGTERM, and
nobody waits for its end.

With tunnel no download may break, nor may a new request fail (one that is sent while the killed pod still has its route
may). With nat a download lives in one LB pod: how many each step breaks is printed. What is promised there is only that a
pod that leaves waits for its flows, until they have ended or its deadline has come. Both with a plain multipath route on
the router, which moves flows between LB pods that stay, and with coracle-resilient, which does not.
"""
import socket
import time

import downloads
import fig6
import figures
import observe
from load import Load
from machine import LAB, Machine

LIMIT_S, LONG_LIMIT_S = 480, 1800
SHORT, LONG = 200, 1000
VIP, VIP6 = "10.1.1.9", "fd00:1:1::9"
PODS = 4
NAMES = [f"lb{number}" for number in range(1, 10)]
DRAIN_S = 20            # coracle's default
RESILIENT = f"{LAB}/build/routers/resilient/coracle-resilient"
GRACE_S = 1.0           # a request under way when a pod was killed may end so long after its route


def serves(pod):
    """The router has its node as next-hop, and the node the pod, with as much weight as any."""
    pool, pool6 = downloads.POOLS
    return (has_way(pod, socket.AF_INET, f"{VIP}/32", pool, pod.node_address, pod.address)
            and has_way(pod, socket.AF_INET6, f"{VIP6}/128", pool6, pod.node_address6, pod.address6))


def has_way(pod, family, route, pool, node_address, address):
    if node_address not in observe.routes("router", family).get(route, []):
        return False
    shares = observe.weighted_routes(pod.node, family).get(pool, {})
    return shares.get(address) == max(shares.values(), default=0)


class Fleet:
    """The LB pods, in the order in which they came."""

    def __init__(self, lab):
        self.lab = lab
        self.pods = list(lab.lbs.values())
        self.leaving = []

    def add(self, count=1):
        """Starts pods at places that are free, and waits until all of them serve."""
        new = []
        for name in NAMES:
            if len(new) < count and not fig6.lb_pod(name).exists():
                new.append(fig6.connect_lb(name))
                fig6.start_lb(new[-1])
        self.pods += new
        # these only: looking costs the guest's one CPU, which they need to start
        self.lab.wait(lambda: all(map(serves, new)), 90, f"{' '.join(pod.name for pod in new)} serve")

    def kill(self):
        pod = self.pods.pop(0)
        fig6.kill_pod(pod)
        self.lab.wait(lambda: not serves(pod), 10, f"the killed {pod.name} is out of the routes")

    def begin_stop(self):
        pod = self.pods.pop(0)
        seen = len(fig6.leave_log(pod))
        fig6.begin_stop(pod)
        self.leaving.append((pod, seen))
        self.lab.wait(lambda: not serves(pod), 10, f"{pod.name}, which leaves, is out of the routes")
        self.end_stops()
        return pod, seen

    def end_stops(self, all_of_them=False):
        """Removes those that have left."""
        for pod, seen in list(self.leaving):
            if all_of_them or not pod.pid("ipvs"):
                fig6.end_stop(pod, DRAIN_S + 10)
                self.leaving.remove((pod, seen))

    def end(self):
        for pod in map(fig6.lb_pod, NAMES):
            if pod.exists():
                fig6.kill_pod(pod)


class Story:
    """One fleet's changes under downloads: what broke at each."""

    def __init__(self, fleet, count):
        self.fleet, self.steps = fleet, []
        self.both = [downloads.Downloads(vip, count // 2) for vip in (VIP, VIP6)]
        fleet.lab.wait(lambda: all([each.opened() for each in self.both]), 90, "downloads under way")
        assert not self.broken(), f"downloads broke before anything was done: {self.broken()[:3]}"
        self.flows = {pod.name: sum(len(list(observe.ipvs_flows(pod.name, f"{vip}:{downloads.PORT}")))
                                    for vip in (VIP, f"[{VIP6}]")) for pod in fleet.pods}
        assert self.flows[fleet.pods[0].name], f"the pod to be killed has no flow: {self.flows}"
        self.load = Load(VIP, rate=5)

    def broken(self):
        return [broken for each in self.both for broken in each.broken]

    def step(self, name, change, *arguments):
        began = time.monotonic()
        result = change(*arguments)
        changed = time.monotonic()
        time.sleep(3)  # each download has had its letter, and its acknowledgement has told who does not know it
        for each in self.both:
            each.read()
        self.steps.append((name, began, changed))
        return result

    def run(self):
        self.step("killed", self.fleet.kill)
        left = self.step("left", self.fleet.begin_stop)
        self.step("added", self.fleet.add, 2)
        for _ in range(PODS):
            self.step("replaced", self.replace)
        self.fleet.end_stops(all_of_them=True)
        for each in self.both:
            each.finish()
        self.load.stop()
        return left

    def replace(self):
        self.fleet.add()
        self.fleet.begin_stop()

    def of_step(self, at, moments):
        """How many of these times belong to that step."""
        begin = self.steps[at][1] if at else 0
        end = self.steps[at + 1][1] if at + 1 < len(self.steps) else float("inf")
        return sum(begin <= moment < end for moment in moments)

    def by_step(self):
        """(step, downloads that broke, requests that failed) of each."""
        broken = [each.moment for each in self.broken()]
        failed = [start for start, _, _ in self.load.failures]
        return [(name, self.of_step(at, broken), self.of_step(at, failed)) for at, (name, *_) in enumerate(self.steps)]

    def told(self):
        return f"LB pods had {list(self.flows.values())} flows; broken/requests failed when " + ", ".join(
            f"{name} {broken}/{failed}" for name, broken, failed in self.by_step())

    def unexcused(self):
        """Requests that failed though nobody had been killed."""
        _, killed, rerouted = self.steps[0]
        return [each for each in self.load.failures if not (each[0] <= rerouted + GRACE_S and each[1] >= killed)]


def waited_for_flows(pod, seen):
    """What a pod that leaves has told of it: it is over when no flow is left, or at the deadline."""
    phases = fig6.leave_log(pod)[seen:]
    assert [phase for phase, *_ in phases] == ["asking", "draining", "over"], f"phases of leaving: {phases}"
    (*_, draining, _), (*_, flows, passed_ms) = phases[1], phases[2]
    assert draining > 0, f"{pod.name} had no flow to wait for: {phases}"
    assert flows == 0 or passed_ms >= 1000 * DRAIN_S, f"{pod.name} left before its flows: {phases}"
    return f"the one that left had {draining} flows when its route went, {flows} at its end after {passed_ms / 1000:.0f} s"


def play(fleet, forwarding, ecmp, count, bad, measured):
    lab = fleet.lab
    service = downloads.service("downloads", VIP, forwarding, lab.webs.values(), VIP6)
    service.publish()
    try:
        fleet.add(PODS - len(fleet.pods))
        lab.wait(lambda: all(map(serves, fleet.pods)), 30, "every LB pod serves")
        story = Story(fleet, count)
        left = story.run()
    finally:
        service.delete()
    lab.wait(lambda: not lab.next_hops(f"{VIP}/32"), 10, "the Service is gone")
    lab.wait(lambda: f"{VIP6}/128" not in observe.routes("router", socket.AF_INET6), 10, "and its IPv6 route")
    waited = waited_for_flows(*left)
    measured += [(forwarding, ecmp, count, *step) for step in story.by_step()]
    broken, refused = story.broken(), story.unexcused()
    told = f"{forwarding}, {ecmp}: {len(broken)} of {count} broken; {story.told()}; {waited}"
    print(f"   {told}")
    if forwarding == "tunnel":
        bad.extend(f"{told}; {each}" for each in (broken[:5], refused[:5]) if each)
    return told


def run(lab):
    fleet = Fleet(lab)
    router = Machine("router")
    downloads.serve(*lab.webs.values())
    for web in lab.webs.values():
        web.output(f"{LAB}/tree/deploy/tunnel-setup", *downloads.POOLS)
    told, bad, measured = [], [], []
    try:
        for ecmp in ("plain", "resilient"):
            if ecmp == "resilient":
                router.start("resilient", [RESILIENT, *(word for pool in downloads.POOLS for word in ("--pool", pool))])
            for forwarding in ("tunnel", "nat") if lab.long else ("tunnel",):
                told.append(play(fleet, forwarding, ecmp, LONG if lab.long else SHORT, bad, measured))
    finally:
        figures.write("downloads", ("forwarding", "route", "downloads", "step", "broken", "failed"), measured)
        router.kill("resilient", number=15)
        fleet.end()
        for web in lab.webs.values():
            web.kill("slow")
    assert not bad, "; ".join(bad)
    return "; ".join(told)
