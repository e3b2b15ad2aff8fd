"""A second LB pod on a node: both get traffic, of every VIP that they serve; when one dies, the other removes its part of the
node's route.
"""
import time

import fig6
import observe
from cluster import Service
from load import Load

POOL = "10.1.1.0/24"
MORE_VIPS = [f"10.1.1.{number}" for number in range(2, 7)]  # whose first checks do not all end at the same time
LIMIT_S = 150


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

    more_vips(lab)
    loads = [Load(vip, rate=8, concurrency=2) for vip in (fig6.VIP, *MORE_VIPS)]
    time.sleep(0.5)
    fig6.start_lb(lb4)
    joined = lab.wait(lambda: gateways() == sorted([lb1.address, lb4.address]), 30, "a route over lb1 and lb4")
    lab.wait(lambda: observe.get(lb4.node, lb4.address, 9090, "/readyz")[0] == 200, 15, "lb4 is ready")
    time.sleep(2)  # the router has its routes too, which lead where they led
    for load in loads:
        load.stop()
    failures = {vip: load.failures[:3] for vip, load in zip((fig6.VIP, *MORE_VIPS), loads) if load.failed}
    assert not failures, f"requests failed while lb4 came: {failures}"
    succeeded = sum(load.succeeded for load in loads)

    lab.lbs["lb4"] = lb4
    requests, split = lab.requests(400)
    del lab.lbs["lb4"]
    assert requests.failed == 0, f"{requests.failed} requests failed: {requests.failures[:3]}"
    assert min(split.values()) >= 40, f"an LB pod got less than 10 %: {split}"
    assert sum(split.values()) == 400, f"requests went to two LB pods: {split}, slow were {requests.slow}"

    past = withheld(lab, lb1, lb4)

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
    return (f"lb4 in {lb1.node}'s route {joined:.1f} s after its start, 0 of {succeeded} requests to {len(loads)} VIPs failed; "
            f"400 requests: {split}; {past}; lb4 killed: out of the route after {gone:.2f} s, {load.failed} of "
            f"{load.succeeded + load.failed} requests failed, {len(load.slow)} were slow (a second SYN met lb1)")


def withheld(lab, lb1, lb4):
    """lb4 does not reach the server behind some VIPs, which lb1, on the same node, does."""
    vip = MORE_VIPS[0]
    drop = ("OUTPUT", "-d", fig6.web_pod("web4").address, "-j", "DROP")

    def gateways():
        return observe.routes(lb1.node).get(f"{vip}/32")

    lb4.output("iptables-legacy", "-w", "-I", *drop)
    try:
        began = time.monotonic()
        lab.wait(lambda: not observe.ipvs(lb4.name).get(f"{vip}:80"), 15, "lb4 has taken the server out")
        taken_out = time.monotonic() - began
        lab.wait(lambda: gateways() == [lb1.address], 5, f"{vip} has a route past lb4")
        past = time.monotonic() - began - taken_out
        load = Load(vip, requests=200).finish()
        assert load.failed == 0, f"{load.failed} of 200 requests failed: {load.failures[:3]}"
    finally:
        lb4.output("iptables-legacy", "-w", "-D", *drop)
    lab.wait(lambda: gateways() == sorted([lb1.address, lb4.address]), 15, f"{vip} leads to lb4 again")
    load = Load(vip, requests=200).finish()
    assert load.failed == 0, f"{load.failed} of 200 requests failed when lb4 was back: {load.failures[:3]}"
    return f"a server that lb4 does not reach: its VIP leads past lb4 {past:.2f} s after lb4 noticed, 0 of 400 requests failed"


def more_vips(lab):
    """Of one server each: the first check of each decides. It serves no other VIP's requests that are counted: by its
    replies, IPVS cannot tell two connections that a client makes from one port to two VIPs."""
    def hops():
        return [lab.next_hops(f"{vip}/32") for vip in MORE_VIPS]

    web = fig6.add_web("web4")
    lab.wait(lambda: not any(hops()), 15, "the VIPs of an earlier run are gone")
    for vip in MORE_VIPS:
        service = Service(f"more-{vip.rpartition('.')[2]}", vip)
        service.set(web)
        service.publish()
    lab.wait(lambda: all(found == lab.expected_next_hops() for found in hops()), 15, "every VIP is announced")
