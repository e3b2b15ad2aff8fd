"""loadBalancerSourceRanges: the client may connect, then may not, then may again; another Service never notices."""
import fig6
from cluster import Service
from load import Load

OTHER_VIP = "10.1.1.4"
CHAIN = "CORACLE-SOURCES"
LIMIT_S = 60


def allow(lab, *ranges):
    lab.service.spec = {"loadBalancerSourceRanges": ranges} if ranges else {}
    lab.service.publish()


def answered(vip=fig6.VIP):
    """How many of 12 new connections are answered."""
    return Load(vip, requests=12, concurrency=12, timeout_ms=700).finish().succeeded


def filter_rules(pod):
    return pod.output("iptables-legacy-save", "-t", "filter")


def run(lab):
    other = Service("other", OTHER_VIP)
    other.set(lab.webs["web2"])
    other.publish()
    try:
        lab.wait(lambda: lab.next_hops(f"{OTHER_VIP}/32") == lab.expected_next_hops(), 15, "another service")
        assert not any(CHAIN in filter_rules(pod) for pod in lab.lbs.values()), "a chain that nobody has asked for"

        allow(lab, "192.168.1.0/24")
        lab.wait(lambda: all(CHAIN in filter_rules(pod) for pod in lab.lbs.values()), 10, "the rules are there")
        assert answered() == 12, "the client's own range is not let in"

        allow(lab, "172.31.0.0/16", "fd00:31::/32")
        closed = lab.wait(lambda: not answered(), 10, "nobody else is let in")
        assert answered(OTHER_VIP) == 12, "another service is closed too"
        assert lab.is_settled(), f"the service itself is no other one: {lab.describe()}"

        restarted = lab.lbs["lb1"]
        restarted.kill("ipvs")
        lab.wait(lambda: restarted.node_address not in lab.next_hops(), 5, "a pod without coracle is left alone")
        fig6.start_containers(restarted)
        lab.wait(lab.is_settled, 20, "the pod is back")
        jumps = filter_rules(restarted).count(f"-A INPUT -j {CHAIN}")
        assert jumps == 1, f"INPUT jumps {jumps} times to the chain after a restart"
        assert not answered(), "a restart has opened the service"

        allow(lab)
        opened = lab.wait(lambda: answered() == 12, 10, "everybody is let in again")
        lab.wait(lambda: not any(CHAIN in filter_rules(pod) for pod in lab.lbs.values()), 5, "the chains are gone")
    finally:
        other.delete()
    return f"closed after {closed:.2f} s, still after a restart, open again after {opened:.2f} s (a probe takes 0.7 s)"
