"""A dual-stack Service: its IPv6 address is routed over both LB pods too, and spread over all web pods."""
import socket

import fig6
import observe
from cluster import Service
from load import Load

VIP4 = "10.1.1.6"
LIMIT_S = 45


def next_hops6():
    return observe.routes("router", socket.AF_INET6).get(f"{fig6.VIP6}/128", [])


def run(lab):
    both = Service("both", VIP4, vip6=fig6.VIP6)
    for pod in lab.webs.values():
        both.set(pod)
    both.publish()
    try:
        expected = sorted(pod.node_address6 for pod in lab.lbs.values())
        announced = lab.wait(lambda: next_hops6() == expected, 15, "the router has an IPv6 route over both LB pods")
        lab.wait(lambda: lab.next_hops(f"{VIP4}/32") == lab.expected_next_hops(), 5, "and an IPv4 one")
        before = {lb: observe.ipvs_connections(lb) for lb in lab.lbs}
        load = Load(fig6.VIP6, requests=400).finish()
        by_lb = {lb: observe.ipvs_connections(lb) - before[lb] for lb in lab.lbs}
        assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
        assert set(load.answers) == set(lab.webs), f"not every web pod answered: {load.answers}"
        assert sum(by_lb.values()) == 400 and min(by_lb.values()) >= 100, f"the LB pods scheduled {by_lb}"
        four = Load(VIP4, requests=40).finish()
        assert four.failed == 0, f"{four.failed} requests over IPv4 failed: {four.failures[:3]}"
    finally:
        both.delete()
    withdrawn = lab.wait(lambda: not next_hops6(), 10, "the deleted service is withdrawn")
    return (f"announced after {announced:.2f} s: router {expected}; 400 requests over IPv6 in {load.seconds:.1f} s: "
            f"LB pods {by_lb}, web pods {load.answers}; withdrawn after {withdrawn:.2f} s")
