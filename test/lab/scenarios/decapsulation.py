"""Of three real servers by tunnel one has its tunnel devices down: every LB pod names it, for both families, and only it;
once it is prepared nobody names it any more. It serves all the time, as far as IPVS goes: a ping says not everything."""
import re
import time
import urllib.request

import linux
from cluster import Service
from machine import LAB, LOGS

VIP4, VIP6, POOLS = "10.1.1.7", "fd00:1:1::7", ("10.1.1.0/24", "fd00:1:1::/112")
NAMED_S, MENDED_S = 15, 50
LIMIT_S = 120


def prepare(web):
    web.output(f"{LAB}/tree/deploy/tunnel-setup", *POOLS)


def unanswered(pod):
    """What the pod's metric says of the service; None before the first plan that was told."""
    with linux.netns(pod.name), urllib.request.urlopen(f"http://{pod.address}:9090/metrics", timeout=5) as answer:
        found = re.search(r'^coracle_tunnel_unanswered\{namespace="default",service="direct"\} (\d+)$',
                          answer.read().decode(), re.MULTILINE)
    return int(found[1]) if found else None


def packet_sockets(pod):
    with linux.netns(pod.name), open("/proc/thread-self/net/packet", encoding="ascii") as file:
        return len(file.readlines()) - 1


def named(pod):
    """(real server, VIP) of each line of `coracle status` that names one."""
    return set(re.findall(r"Service default/direct: TunnelUnanswered: (\S+) does not answer a ping to (\S+) ",
                          pod.output("coracle", "status")))


def run(lab):
    pods, web3 = lab.lbs.values(), lab.webs["web3"]
    prepare(lab.webs["web1"])
    prepare(lab.webs["web2"])
    with linux.netns("web3"):  # as if its pod had no init container, also after another scenario
        linux.set_link("tunl0", up=False)
        linux.set_link("ip6tnl0", up=False)
    logs = {pod: logged(pod) for pod in pods}
    direct = Service("direct", VIP4, {"coracle.lb/forwarding": "tunnel"}, vip6=VIP6)
    for web in lab.webs.values():
        direct.set(web)
    direct.publish()
    try:
        lab.wait(lambda: all(len(lab.table(lb, f"{vip}:80") or ()) == len(lab.webs)
                             for lb in lab.lbs for vip in (VIP4, f"[{VIP6}]")), 15, "all real servers in the tables")
        began = time.monotonic()
        lab.wait(lambda: all(unanswered(pod) == 2 for pod in pods), NAMED_S, "web3 is counted for both VIPs")
        told = time.monotonic() - began
        for pod in pods:
            assert named(pod) == {(web3.address, VIP4), (web3.address6, VIP6)}, f"{pod.name} names {named(pod)}"
            assert logged(pod) - logs[pod] == 2, f"{pod.name} logged {logged(pod) - logs[pod]} of them"
            assert lab.table(pod.name, f"{VIP4}:80")[f"{web3.address}:80"] == 1, "a ping took it out"
        prepare(web3)
        mended = lab.wait(lambda: not any(unanswered(pod) for pod in pods), MENDED_S, "web3 answers")
        time.sleep(NAMED_S)
        assert not any(unanswered(pod) for pod in pods), "one that is prepared was named"
        assert not any(named(pod) for pod in pods), "somebody is named still"
        assert all(packet_sockets(pod) == 2 for pod in pods), f"{list(map(packet_sockets, pods))} packet sockets"
    finally:
        direct.delete()
    lab.wait(lambda: not any(map(packet_sockets, pods)), 15, "without tunnels no packet passes a packet socket")
    return (f"named {told:.1f} s after it came, for both families, and nobody else; it still has its weight; "
            f"named no longer {mended:.1f} s after it was prepared, nor in the {NAMED_S} s after that")


def logged(pod):
    with open(f"{LOGS}/{pod.name}-ipvs.log", encoding="utf-8", errors="replace") as file:
        return file.read().count("reason=TunnelUnanswered")
