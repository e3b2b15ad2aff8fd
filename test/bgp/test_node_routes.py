"""The node's route to each LB pod on it: there while the pod wants it, and nobody else's is touched."""
import json
import signal
import subprocess

import sandbox
from sandbox import NODE, NODE6, POD, POD6, Failed, node, run, wait_for

SECOND, SECOND6 = "172.16.1.3", "fd00:16:1::3"
POOL, POOL6 = "10.1.1.0/24", "fd00:1:1::/112"


def start_announcer(pod, name, addresses):
    """As exabgp would; its exabgp never reads and never answers, which is no reason not to keep routes."""
    flags = [f"--pod-address={address}" for address in addresses]
    return pod.start(name, [pod.announcer, f"--next-hop={NODE}", f"--next-hop={NODE6}", "--node-netns",
                            sandbox.NODE_NETNS, *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def routes():
    """(prefix, gateway) of every route that carries our protocol, in the kernel's order."""
    found = []
    for family in ("-4", "-6"):
        for route in json.loads(node("ip", family, "-j", "-N", "route", "show", "proto", "67") or "[]"):
            hops = route.get("nexthops", [route])
            found += [(route["dst"], hop["gateway"]) for hop in hops]
    return found


def expect(wanted, what):
    try:
        return wait_for(lambda: sorted(routes()) == sorted(wanted), what)
    except Failed as error:
        raise Failed(f"{error}; there are {routes()}") from error


def test(pod):
    first = [(POOL, POD), (POOL6, POD6)]
    second = [(POOL, SECOND), (POOL6, SECOND6)]
    pod.add_pod_link("eth1", SECOND, SECOND6)
    node("ip", "route", "add", "10.7.0.0/16", "via", POD, "proto", "static")
    node("ip", "route", "add", "10.8.0.0/16", "via", "172.16.1.2", "proto", "67")  # left by an earlier version
    pod.start_controller()
    pod.want([], pools=[POOL, POOL6])

    one = start_announcer(pod, "announcer-1", [POD, POD6])
    seconds = expect(first, "the first pod's routes, and its leftover gone")
    print(f"  routes there after {seconds:.2f} s")
    two = start_announcer(pod, "announcer-2", [SECOND, SECOND6])
    expect(first + second, "both pods' routes side by side")
    used = json.loads(node("ip", "-j", "route", "get", "10.1.1.1"))[0]["gateway"]
    if used != SECOND:
        raise Failed(f"the node uses the newest pod, not {used}")

    node("ip", "route", "flush", "proto", "67")
    node("ip", "-6", "route", "flush", "proto", "67")
    print(f"  routes flushed by somebody: back after {expect(first + second, 'both again'):.2f} s")

    pod.want([], pools=[POOL, "10.2.2.0/24"])
    expect([(POOL, POD), ("10.2.2.0/24", POD), (POOL, SECOND), ("10.2.2.0/24", SECOND)], "other pools")
    pod.want([], pools=[POOL, POOL6])
    expect(first + second, "the old pools again")

    pod.kill(two, signal.SIGTERM)
    expect(first, "the second pod has left, the first one's routes stay")
    if two.returncode != 0:
        raise Failed(f"SIGTERM: exit status {two.returncode}")
    run("ip", "link", "del", "eth0")
    expect([], "the first pod's link is gone, and so are its routes")
    pod.kill(one, signal.SIGTERM)
    if "10.7.0.0/16" in node("ip", "route"):
        raise Failed("the kernel removes it with the link")  # a check of this test itself


if __name__ == "__main__":
    sandbox.main(test)
