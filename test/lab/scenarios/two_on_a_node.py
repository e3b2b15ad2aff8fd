"""A second LB pod on a node: both get traffic; when one dies, the other removes its part of the node's route."""
import time

import fig6
import observe

POOL = "10.1.1.0/24"
LIMIT_S = 90


def run(lab):
    lb1, lb4 = lab.lbs["lb1"], fig6.connect_lb("lb4")
    assert lb4.node == lb1.node
    try:
        return both(lab, lb1, lb4)
    finally:
        if lb4.exists():
            fig6.kill_pod(lb4)


def both(lab, lb1, lb4):
    def gateways():
        return observe.routes(lb1.node).get(POOL, [])

    load = lab.stream()
    fig6.start_lb(lb4)
    joined = lab.wait(lambda: gateways() == sorted([lb1.address, lb4.address]), 30, "a route over lb1 and lb4")
    time.sleep(1)
    load.stop()
    assert load.failed == 0, f"{load.failed} requests failed while lb4 came: {load.failures[:3]}"

    lab.lbs["lb4"] = lb4
    requests, split = lab.requests(400)
    del lab.lbs["lb4"]
    assert requests.failed == 0, f"{requests.failed} requests failed: {requests.failures[:3]}"
    assert sum(split.values()) == 400 and min(split.values()) >= 40, f"an LB pod got less than 10 %: {split}"

    load = lab.stream(timeout_ms=2000)
    lb4.kill(*lb4.daemons())
    killed = time.monotonic()
    lb4.destroy()
    lab.wait(lambda: gateways() == [lb1.address], 3, "the dead lb4 is out of the node's route")
    gone = time.monotonic() - killed
    time.sleep(2)
    load.stop()
    outage = load.outage(killed)
    assert outage <= 3, f"requests failed for {outage:.2f} s"
    return (f"lb4 in {lb1.node}'s route {joined:.1f} s after its start, 0 of {load.succeeded} requests failed; 400 "
            f"requests: {split}; lb4 killed: out of the route after {gone:.2f} s, {load.failed} of "
            f"{load.succeeded + load.failed} requests failed, {len(load.slow)} were slow (a second SYN met lb1)")
