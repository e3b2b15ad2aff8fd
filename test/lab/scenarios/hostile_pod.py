"""A pod that is no LB pod speaks BGP with the reflectors. Nothing of that reaches the router, and nobody else notices."""
import socket
import time

import bgp
import fig6
import linux
import observe
from machine import Machine
from scenario import VIP_ROUTE

LIMIT_S = 150
NODE, NODE6 = "10.0.0.108", "fd00:10::108"  # has no LB pod: a next-hop that shows up is the hostile pod's doing
MARK = "10.1.1.99/32"  # what an LB pod could announce as well: it shows that the router would hear of the rest
FOREIGN = [
    f"0.0.0.0/0 next-hop {NODE}", f"10.0.0.0/8 next-hop {NODE}", f"10.1.0.0/16 next-hop {NODE}",
    f"10.9.9.9/32 next-hop {NODE}", f"::/0 next-hop {NODE6}", f"fd00:2::1/128 next-hop {NODE6}",
    f"{fig6.VIP}/32 next-hop 192.168.1.2", "10.1.1.98/32 next-hop 172.16.3.66", "10.1.1.97/32 next-hop 192.0.2.1",
    "fd00:1:1::98/128 next-hop fd00:16:3::66",
]
# What lb1 announces, and worth more than that: the next-hop is lb1's node, so that the kernel's routes stay as they are if
# it counts as much as all others.
GREEDY = [f"{fig6.VIP}/32 next-hop {fig6.NODES[1]} local-preference 200 med 0 community [ 65535:666 ]"]
FLOOD = [f"10.66.{i // 250}.{i % 250}/32 next-hop {NODE}" for i in range(10000)]
API_PORT = 50051  # of gobgpd


def fib():
    return {**observe.routes("router"), **observe.routes("router", socket.AF_INET6)}


def connections_to_bgp(pod):
    """The kernel's words for their states: 01 is established, 02 has had no answer yet."""
    with linux.netns(pod.name), open("/proc/thread-self/net/tcp", encoding="ascii") as file:
        return {words[3] for words in map(str.split, file) if words[2].endswith(":00B3")}


def api_answers(pod, reflector):
    with linux.netns(pod.name):
        client = socket.socket()
    with client:
        client.settimeout(5)
        return client.connect_ex((reflector, API_PORT)) == 0


def heard(reflector, pod):
    """How many routes of the pod it has received."""
    session = bgp.sessions(reflector).get(pod.address)
    return session.received if session else 0


def run(lab):
    reflectors = [Machine(name) for name in fig6.REFLECTORS]
    pod = fig6.Pod("hostile", 3, 66)
    lab.wait(bgp.all_up, 30, "all sessions are up")
    lab.wait(lambda: bgp.rib() == {VIP_ROUTE: 4}, 15, "the router has every LB pod's path from both reflectors")
    routes, paths = fib(), bgp.rib()
    honest = [bgp.sessions(reflector) for reflector in reflectors]

    def unmoved(condition=lambda: False, but=None):
        """The condition, while nothing moves in the router's kernel."""
        def holds():
            now = fib()
            now.pop(but, None)
            assert now == routes, f"the router's routes: {now}"
            return condition()
        return holds

    def count_logs(text):
        return [bgp.log(reflector).lower().count(text) for reflector in reflectors]

    load = lab.stream(rate=20)
    pod.connect()
    try:
        assert not any(api_answers(pod, address) for address in fig6.REFLECTORS.values()), "gobgpd's API takes orders"

        bgp.speak(pod, "stranger", FOREIGN, password=False)
        lab.wait(unmoved(lambda: connections_to_bgp(pod)), 30, "the pod knocks without a password")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert unmoved(lambda: "01" not in connections_to_bgp(pod))(), "connected without the password"
            time.sleep(0.05)
        pod.kill("stranger")

        bgp.speak(pod, "liar", [*FOREIGN, f"{MARK} next-hop {NODE}"])
        lab.wait(unmoved(lambda: fib().get(MARK) == [NODE], MARK), 40, "the router has the one good route")
        for reflector in reflectors:
            # the mark is in the FIB as soon as one of them has heard it
            lab.wait(lambda reflector=reflector: heard(reflector, pod) == len(FOREIGN) + 1, 15,
                     f"{reflector.name} has received {len(FOREIGN) + 1} routes of the pod")
            kept = bgp.rib(reflector.name)
            assert kept == {VIP_ROUTE: 2, MARK: 1}, f"the RIB of {reflector.name}: {kept}"
        lab.wait(lambda: bgp.rib() == {**paths, MARK: 2}, 15, "the router has the mark from both, and nothing else")
        pod.kill("liar")
        lab.wait(unmoved(lambda: MARK not in fib(), MARK), 5, "the route has gone with its session")

        bgp.speak(pod, "greedy", GREEDY)
        lab.wait(unmoved(lambda: bgp.rib()[VIP_ROUTE] == 6), 40, "the router has the path, from both reflectors")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            unmoved()()
            time.sleep(0.05)
        assert bgp.preferences() == {100}, f"the router has paths of the preferences {bgp.preferences()}"
        pod.kill("greedy")
        lab.wait(unmoved(lambda: bgp.rib() == paths), 5, "the path has gone with its session")

        before = count_logs("prefix limit")
        bgp.speak(pod, "flood", FLOOD)
        cut = lab.wait(unmoved(lambda: all(now > then for now, then in zip(count_logs("prefix limit"), before))), 60,
                       "both reflectors cut the session off")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            unmoved()()
            time.sleep(0.05)
        assert bgp.rib() == paths, f"the router's RIB: {bgp.rib()}"
        assert honest == [{address: session for address, session in bgp.sessions(reflector).items()
                           if address != pod.address} for reflector in reflectors], "another session was cut off"
    finally:
        fig6.kill_pod(pod)
    load.stop()
    assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
    return (f"without the password: no session; {len(FOREIGN)} foreign prefixes and next-hops: received, none kept; a "
            f"route of local preference 200: counts as one of the others' 100; "
            f"{len(FLOOD)} prefixes: session cut off {cut:.1f} s after exabgp's start; the router's routes never moved, "
            f"0 of {load.succeeded} requests failed")
