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


PROBES = 12
NO_MS, YES_MS = 700, 3000  # how long a connection is waited for that is not to come, and one that is


def answered(vip=fig6.VIP, timeout_ms=NO_MS):
    """How many of that many new connections are answered."""
    return Load(vip, requests=PROBES, concurrency=PROBES, timeout_ms=timeout_ms).finish().succeeded


def wait_open(lab, what, vip=fig6.VIP, seconds=10):
    return lab.wait(lambda: answered(vip, YES_MS) == PROBES, seconds, what)


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
        wait_open(lab, "the client's own range is let in")

        allow(lab, "172.31.0.0/16", "fd00:31::/32")
        closed = lab.wait(lambda: not answered(), 10, "nobody else is let in")
        wait_open(lab, "another service is not closed too", OTHER_VIP)
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
        opened = wait_open(lab, "everybody is let in again")
        lab.wait(lambda: not any(CHAIN in filter_rules(pod) for pod in lab.lbs.values()), 5, "the chains are gone")
    finally:
        other.delete()
    return f"closed after {closed:.2f} s, still after a restart, open again after {opened:.2f} s (a probe takes {NO_MS / 1000} s)"
