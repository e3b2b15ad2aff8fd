"""A route with the community GRACEFUL_SHUTDOWN is the router's last choice: unused beside others, used where it is alone."""
import bgp
import fig6
from scenario import VIP_ROUTE

LIMIT_S = 60
ALONE = "10.1.1.50/32"
NODE = "10.0.0.108"  # of the pod that leaves
LEAVING = f"next-hop {NODE} community [65535:0]"


def run(lab):
    lab.wait(bgp.all_up, 30, "all sessions are up")
    pod = fig6.Pod("leaving", 3, 67)
    pod.connect()
    try:
        bgp.speak(pod, "exabgp", [f"{VIP_ROUTE} {LEAVING}", f"{ALONE} {LEAVING}"])
        lab.wait(lambda: lab.next_hops(ALONE) == [NODE], 30, "the router uses a leaving pod's route that has no other")
        lab.wait(lambda: bgp.rib() == {VIP_ROUTE: 6, ALONE: 2}, 15, "the router has heard all of it")
        assert lab.next_hops() == lab.expected_next_hops(), f"a leaving pod gets flows: {lab.describe()}"
    finally:
        fig6.kill_pod(pod)
    lab.wait(lambda: not lab.next_hops(ALONE), 5, "the route goes with its pod")
    return f"{ALONE}, which nobody else has, goes to the leaving pod; {VIP_ROUTE} stays with {lab.next_hops()}"
