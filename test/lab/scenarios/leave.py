"""An LB pod is stopped under load as the kubelet does it, then the last one too; others come in their places.

With a plain multipath route every change of its next-hops moves flows between LB pods, and with nat a flow lives in one
of them only: those that are under way in the moment of the change are cut. Nobody can help that but the router (with a
resilient next-hop group) or tunnel forwarding. So they are counted here; no other request may fail.
"""
import time

import fig6
from load import RESET

LIMIT_S = 150
SEEN_S = 0.5  # so much later than the kernel's the change may be seen here


def run(lab):
    told, moved, cut = leave_under_load(lab)
    withdrawn = last_one_leaves(lab)
    came = come_under_load(lab)
    return (f"{told}; another pod is preferred {moved:.2f} s after SIGTERM, {cut}; the last pod is withdrawn {withdrawn:.2f} s "
            f"after SIGTERM; a pod that comes: {came}")


def judge(load, changed):
    """Every failure must be a flow that was under way when the router's route changed."""
    for start, end, reason in load.failures:
        assert start < changed <= end + SEEN_S and reason == RESET, (
            f"a request failed from {start - changed:.2f} to {end - changed:.2f} s after the route changed: {reason}")
    return f"{load.failed} of {load.succeeded + load.failed} requests cut in that moment, 0 failed before or after"


def leave_under_load(lab):
    lb1 = lab.lbs["lb1"]
    seen = len(fig6.leave_log(lb1))
    load = lab.stream()
    began = time.monotonic()
    fig6.begin_stop(lb1)
    lab.wait(lambda: lb1.node_address not in lab.next_hops(), 10, "the router prefers the other pod")
    changed = time.monotonic()
    fig6.end_stop(lb1, 30)
    time.sleep(1)
    load.stop()
    phases = fig6.leave_log(lb1)[seen:]
    assert [phase for phase, *_ in phases] == ["asking", "draining", "over"], f"phases of leaving: {phases}"
    told = "leaving " + ", ".join(f"{phase} at {ms / 1000:.1f} s with {flows} flows" for phase, flows, ms in phases)
    return told, changed - began, judge(load, changed)


def last_one_leaves(lab):
    """Nobody else is there to be preferred: the route must stay until it is withdrawn."""
    lb2 = lab.lbs["lb2"]
    fig6.begin_stop(lb2)
    withdrawn = lab.wait(lambda: not lab.next_hops(), 10, "the last pod's route is gone")
    assert withdrawn >= 1, f"the last pod was withdrawn at once, after {withdrawn:.2f} s"
    fig6.end_stop(lb2, 30)
    return withdrawn


def come_under_load(lab):
    lab.new_lb("lb2")
    lab.wait(lambda: lab.next_hops() == [lab.lbs["lb2"].node_address], 60, "a new lb2 serves")
    load = lab.stream()
    lab.new_lb("lb1")
    lab.wait(lambda: lab.next_hops() == lab.expected_next_hops(), 60, "a new lb1 serves")
    changed = time.monotonic()
    time.sleep(1)
    load.stop()
    return judge(load, changed)
