"""coracle is killed, then frozen: its pod is withdrawn before long, and comes back by itself."""
import os
import signal
import time

import fig6

LIMIT_S = 120
CUT_MAX = 4  # flows that are under way when the set of next-hops changes, which it does twice


def run(lab):
    lb1 = lab.lbs["lb1"]
    return f"{killed(lab, lb1)}; {frozen(lab, lb1)}"


def is_gone(lab, pod):
    return lambda: pod.node_address not in lab.next_hops()


def killed(lab, lb1):
    load = lab.stream(timeout_ms=2000)
    lb1.kill("ipvs")
    assert not lb1.processes("keepalived"), "keepalived has outlived coracle"
    withdrawn = lab.wait(is_gone(lab, lb1), 3, "lb1's route is withdrawn")
    began = time.monotonic()
    fig6.start_containers(lb1)
    lab.wait(lab.is_settled, 20, "lb1 is back")
    back = time.monotonic() - began
    time.sleep(1)
    load.stop()
    assert not load.refused(), f"killed: {load.refused()}"
    assert load.failed <= CUT_MAX, f"killed: {load.failed} connections were reset: {load.failures}"
    return (f"killed: withdrawn {withdrawn:.2f} s, back {back:.1f} s after its restart, {load.failed} of "
            f"{load.succeeded + load.failed} requests cut by the moves")


def frozen(lab, lb1):
    os.kill(lb1.pid("ipvs"), signal.SIGSTOP)
    withdrawn = lab.wait(is_gone(lab, lb1), 3, "lb1's route is withdrawn")
    assert "controller-silent" in log(lb1), "the announcer does not say why"
    # What it held true before it froze is not true any more.
    endpoints = dict(lab.service.endpoints)
    lab.service.endpoints = {}
    lab.service.publish()
    try:
        lab.wait(lambda: not lab.next_hops(), 15, "the other pod withdraws a service without endpoints")
    finally:
        os.kill(lb1.pid("ipvs"), signal.SIGCONT)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert not lab.next_hops(), "lb1 has announced what it knew before"
        time.sleep(0.02)
    lab.service.endpoints = endpoints
    lab.service.publish()
    back = lab.wait(lab.is_settled, 10, "both are back")
    return (f"frozen: withdrawn {withdrawn:.2f} s, no stale route when it thaws, announced {back:.2f} s after endpoints "
            "are back")


def log(pod):
    with open(f"{fig6.LAB}/out/logs/{pod.name}-exabgp.log", encoding="utf-8") as file:
        return file.read()
