"""A Service by tunnel, as deploy/examples/tunnel makes it: the web pods, prepared by tunnel-setup, see the client's address
and answer it past the LB pods; over IPv4 and IPv6."""
import socket

import fig6
import observe
from cluster import Service
from load import Load
from machine import LAB

VIP4, POOLS = "10.1.1.7", ("10.1.1.0/24", "fd00:1:1::/112")
VIP6 = "fd00:1:1::7"
LIMIT_S = 60


def run(lab):
    for web in (*lab.webs.values(), lab.webs["web1"]):  # the second time as when the init container runs again
        web.output(f"{LAB}/tree/deploy/tunnel-setup", *POOLS)
    direct = Service("direct", VIP4, {"coracle.lb/forwarding": "tunnel"}, vip6=VIP6)
    for pod in lab.webs.values():
        direct.set(pod)
    direct.publish()
    try:
        lab.wait(lambda: lab.next_hops(f"{VIP4}/32") == lab.expected_next_hops(), 15, "the router has the route")
        lab.wait(lambda: len(observe.routes("router", socket.AF_INET6).get(f"{VIP6}/128", [])) == len(lab.lbs), 15,
                 "and that of the other family")
        told = []
        for vip, client in ((VIP4, fig6.CLIENT), (VIP6, fig6.ipv6(fig6.CLIENT))):
            load = Load(vip, requests=200).finish()
            assert load.failed == 0, f"{load.failed} requests to {vip} failed: {load.failures[:3]}"
            assert set(load.answers) == set(lab.webs), f"not every web pod answered: {load.answers}"
            for web in lab.webs.values():
                peers = web.output("ip", "tcp_metrics", "show")
                assert f"{client} " in peers, f"{web.name} has not met {client}: {peers}"
            told.append(f"200 requests to {vip}: {load.answers}")
    finally:
        direct.delete()
    return "; ".join(told)
