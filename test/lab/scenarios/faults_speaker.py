"""exabgp is killed, then the announcer alone: what is announced is right again, and the pod recovers by itself."""
import os
import signal
import time

import fig6
import lost
from cluster import Service

OTHER_VIP = "10.1.1.5"
LIMIT_S = 90
ANNOUNCED_S = 5  # a new Service takes 1.6 s by itself


def run(lab):
    lb1 = lab.lbs["lb1"]
    return f"{exabgp(lab, lb1)}; {announcer(lab, lb1)}"


def exabgp(lab, lb1):
    lb1.kill("exabgp")
    withdrawn = lab.wait(lambda: lb1.node_address not in lab.next_hops(), 3, "lb1's route is gone")
    began = time.monotonic()
    fig6.start_containers(lb1)
    lab.wait(lab.is_settled, 25, "lb1 is back")
    return f"exabgp killed: gone {withdrawn:.2f} s, back {time.monotonic() - began:.1f} s after its restart"


def announcer(lab, lb1):
    """exabgp lives and starts another one, which must keep what is announced, and change what has changed meanwhile."""
    old, = lb1.processes("coracle-announc")
    other = Service("other", OTHER_VIP)
    other.set(lab.webs["web2"])
    os.kill(old, signal.SIGKILL)
    began, mark = time.monotonic(), lost.now()
    other.publish()
    try:
        while lab.next_hops(f"{OTHER_VIP}/32") != lab.expected_next_hops():
            assert lab.next_hops() == lab.expected_next_hops(), "the dead announcer's route is lost"
            late = time.monotonic() - began - lost.since(mark)
            assert late < ANNOUNCED_S, f"not announced within {ANNOUNCED_S} s: {lab.next_hops(f'{OTHER_VIP}/32')}"
            time.sleep(0.02)
        took = time.monotonic() - began
        assert lb1.processes("coracle-announc") not in ([], [old]), "no other announcer"
    finally:
        other.delete()
    lab.wait(lambda: not lab.next_hops(f"{OTHER_VIP}/32"), 10, "the other service's route is withdrawn")
    return f"announcer killed: no gap, a change meanwhile announced {took:.2f} s after"
