"""Reflectors die and come back, one and both: the router's routes stay, and are the truth soon after."""
import time

import bgp
import fig6
import observe
from machine import Machine
from scenario import VIP_ROUTE

LIMIT_S = 150
TRUE_S = 3   # since the reflectors listen again
BACK_S = 30  # until all is told anew: exabgp tries again after 1, 2, 3 … s


class Timeline:
    """The next-hops that the router's kernel has had, each with its time."""

    def __init__(self, lab):
        self.lab, self.changes = lab, [(time.monotonic(), lab.next_hops())]

    def sample(self):
        hops = self.lab.next_hops()
        if self.changes[-1][1] != hops:
            self.changes.append((time.monotonic(), hops))
        return hops

    def watch(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.sample()
            time.sleep(0.02)

    def since(self, moment):
        return [(round(when - moment, 2), hops) for when, hops in self.changes if when >= moment]


def kill(*reflectors):
    for reflector in reflectors:
        reflector.kill("gobgpd")


def until_all_up(lab, timeline, seconds, names):
    """The CLI takes as long as many samples: now and then is enough."""
    began = time.monotonic()
    while not bgp.all_up(names):
        timeline.watch(0.5)
        assert time.monotonic() - began < seconds, f"sessions of {names} are not up within {seconds} s"
    return time.monotonic() - began


def run(lab):
    first, second = map(Machine, fig6.REFLECTORS)
    figures = []
    lab.wait(bgp.all_up, 30, "all sessions are up")
    everything = lab.expected_next_hops()
    timeline = Timeline(lab)

    load = lab.stream()
    killed = time.monotonic()
    kill(first)
    timeline.watch(4)
    assert not timeline.since(killed), f"the router's routes moved: {timeline.since(killed)}"
    load.stop()
    assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
    figures.append(f"reflector1 killed: no change of routes in 4 s, 0 of {load.succeeded} requests failed")

    # What the dead one has said must not keep an LB pod alive that the living one knows to be dead.
    killed = time.monotonic()
    fig6.kill_pod(lab.lbs["lb1"])
    lab.wait(lambda: timeline.sample() == ["10.0.0.107"], 3, "lb1's route is gone")
    gone = time.monotonic() - killed
    lab.new_lb("lb1")
    lab.wait(lambda: timeline.sample() == everything, 25, "a new lb1 serves")
    figures.append(f"lb1 killed then: gone after {gone:.2f} s")

    load = lab.stream()
    started = time.monotonic()
    fig6.start_reflector(first)
    back = until_all_up(lab, timeline, 60, ["reflector1"])
    assert not timeline.since(started), f"the router's routes moved: {timeline.since(started)}"
    load.stop()
    assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
    figures.append(f"back: all its sessions after {back:.1f} s, 0 of {load.succeeded} requests failed")

    load = lab.stream()
    killed = time.monotonic()
    kill(first, second)
    timeline.watch(8)
    changes = timeline.since(killed)
    assert all(hops for _, hops in changes), f"all routes were lost: {changes}"
    # FRR 8.4 has long-lived graceful restart for one path of a prefix only
    assert timeline.sample() == everything or fig6.ROUTER_RUNS == "frr", f"routes were lost: {changes}"
    load.stop()
    assert not load.refused() and load.failed <= 3, f"{load.failed} requests failed: {load.failures[:3]}"
    figures.append(f"both killed: {timeline.sample()} stays for the 8 s watched (on the way: {changes}), {load.failed} "
                   f"of {load.succeeded + load.failed} requests failed")

    # Nobody can tell the router now. When the reflectors are back, it must learn.
    fig6.kill_pod(lab.lbs["lb1"])
    timeline.watch(1)
    started = time.monotonic()
    for reflector in (first, second):
        fig6.start_reflector(reflector)
    lab.wait(lambda: all(observe.listens(name, 179) for name in fig6.REFLECTORS), 15, "both listen")
    listening = time.monotonic()
    lab.wait(lambda: timeline.sample() == ["10.0.0.107"], TRUE_S, "lb1's route is gone")
    lab.wait(lambda: bgp.rib() == {VIP_ROUTE: 2} and not bgp.stale(), BACK_S, "the router has what lb2 announces")
    timeline.sample()
    assert timeline.changes[-1][1] == ["10.0.0.107"], f"the routes went on moving: {timeline.since(started)}"
    figures.append(f"lb1 killed meanwhile, both back and listening after {listening - started:.1f} s: its route gone "
                   f"{max(timeline.changes[-1][0] - listening, 0):.1f} s later, all told anew after {time.monotonic() - started:.1f} s (routes: {timeline.since(started)})")
    lab.new_lb("lb1")
    lab.wait(lab.is_settled, 25, "a new lb1 serves")
    return "; ".join(figures)
