"""A pod is ready when what it serves is announced, and not before: who takes the next pod away relies on that."""
import time

import fig6
import observe
from machine import Machine

LIMIT_S = 90


def run(lab):
    return f"{a_new_pod(lab)}; {no_session(lab)}"


def ask(lab, name, path="/readyz"):
    """Asked from the node, as the kubelet does. (0, "") while nobody listens."""
    pod = lab.lbs[name]
    return observe.get(pod.node, pod.address, 9090, path)


def a_new_pod(lab):
    fig6.kill_pod(lab.lbs["lb1"])
    lab.wait(lambda: len(lab.next_hops()) == 1, 5, "lb1's route is gone")
    began = time.monotonic()
    lab.new_lb("lb1")
    seen = {}  # the reasons why not, and when each was first given

    def ready():
        status, body = ask(lab, "lb1")
        for line in body.splitlines():
            if line.startswith("[-]announced: "):
                seen.setdefault(line.removeprefix("[-]announced: "), round(time.monotonic() - began, 1))
        return status == 200

    lab.wait(ready, 40, "the new lb1 is ready")
    took = time.monotonic() - began
    behind = lab.wait(lab.is_settled, 3, "a pod that is ready is in the router's routes")
    assert seen, "it was ready at once"
    return f"a new pod is ready after {took:.1f} s, in the router's routes {behind:.2f} s later; until then {seen}"


def no_session(lab):
    for name in fig6.REFLECTORS:
        Machine(name).kill("gobgpd")
    told = lab.wait(lambda: ask(lab, "lb1")[0] == 503, 5, "a pod without sessions is not ready")
    _, body = ask(lab, "lb1")
    assert "[-]announced: no BGP session is up\n" in body and body.count("[-]") == 1, body
    status, body = ask(lab, "lb1", "/readyz/local")
    assert status == 200 and "announced" not in body, f"{status}: {body}"

    lab.service.endpoints, endpoints = {}, lab.service.endpoints
    lab.service.publish()
    lab.wait(lambda: ask(lab, "lb1")[0] == 200, 10, "a pod that has nothing to announce is ready")
    lab.service.endpoints = endpoints
    return f"without sessions not ready after {told:.2f} s; without a server behind the VIP ready again"
