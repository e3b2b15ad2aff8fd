"""The paper's Fig. 5: the router sends everything to one node, which VRRP finds; it dies in several ways. With --images
keepalived runs in the pods of overlays/vrrp, with their rights."""
import os
import signal
import time

import containers
import fig6
import linux
from machine import LAB, Machine, ip_batch

ADDRESS = "10.0.0.200"
LIMIT_S = 150


def run(lab):
    nodes = {lb: Machine(pod.node) for lb, pod in lab.lbs.items()}
    router = Machine("router")
    # a table of its own: the main one has what BGP says
    router.ip([f"route add 10.1.1.0/24 via {ADDRESS} table 5", "rule add to 10.1.1.0/24 lookup 5"])
    try:
        for lb in nodes:
            start(lab, lb)
        return deaths(lab, nodes)
    finally:
        router.ip(["rule del to 10.1.1.0/24 lookup 5", "route flush table 5"])
        ip_batch([f"link set {node.name} master br0" for node in nodes.values()])
        for lb, node in nodes.items():
            node.kill("vrrp", number=signal.SIGTERM)
            if containers.available():
                daemon_pod(lab.lbs[lb]).remove()


def daemon_pod(lb):
    with open(f"{LAB}/out/rendered/vrrp.yaml", encoding="utf-8") as file:
        files = {"coracle-vrrp": {"vrrp.yaml": file.read()}}
    return containers.NodePod(Machine(lb.node), lb.node_address, lb.node_address6, "overlays-vrrp-daemonset", files)


def start(lab, lb):
    if containers.available():
        pod = daemon_pod(lab.lbs[lb])
        pod.start()
        lab.wait(pod.ready, 20, f"VRRP runs on {pod.node}")
        return
    node = Machine(lab.lbs[lb].node)
    with open(f"{LAB}/out/rendered/vrrp.conf", encoding="utf-8") as file:
        config = file.read()
    with open(f"{LAB}/tree/deploy/vrrp-check", encoding="utf-8") as file:
        check = node.write("vrrp-check", file.read())
    os.chmod(check, 0o755)
    node.start("vrrp", ["keepalived", "--vrrp", "--dont-fork", "--log-console", "--use-file",
                        node.write("vrrp.conf", config.replace("/usr/libexec/coracle/vrrp-check", check))])


def masters(nodes):
    """The LB pods on whose nodes the address is."""
    found = []
    for lb, node in nodes.items():
        with linux.netns(node.name), open("/proc/thread-self/net/fib_trie", encoding="ascii") as file:
            if f"|-- {ADDRESS}\n" in file.read():
                found.append(lb)
    return found


def failover(lab, nodes, die, seconds):
    """Lets die() happen to the master; returns the new one and what became of requests in the meantime."""
    old = masters(nodes)
    assert len(old) == 1, old
    load = lab.stream(timeout_ms=1000)
    began = time.monotonic()
    die(old[0])
    lab.wait(lambda: set(masters(nodes)) - set(old), seconds, f"another master than {old}")
    took = time.monotonic() - began
    time.sleep(3)
    load.stop()
    outage = load.outage(began)
    assert outage <= seconds + 1, f"requests failed for {outage:.1f} s, {took:.1f} s for another master"
    return (set(masters(nodes)) - set(old)).pop(), f"master after {took:.1f} s, requests failed for {outage:.1f} s"


def deaths(lab, nodes):
    time.sleep(7)  # who leads before the first checks have ended (they take up to 3 s, twice) may not lead after
    lab.wait(lambda: len(masters(nodes)) == 1, 20, "one master")
    master = masters(nodes)
    requests, split = lab.requests(100)
    assert requests.failed == 0, requests.failures[:3]
    assert masters(nodes) == master and split[master[0]] == 100, f"not all went to the master {master}: {split}"

    def stop(lb):
        nodes[lb].kill("vrrp", number=signal.SIGTERM)
    first = masters(nodes)[0]
    _, stopped = failover(lab, nodes, stop, 5)
    start(lab, first)

    new, pod_died = failover(lab, nodes, lambda lb: fig6.kill_pod(lab.lbs[lb]), 15)
    dead = (set(lab.lbs) - {new}).pop()
    lab.new_lb(dead)
    lab.wait(lambda: lab.table(dead) == lab.expected_table(), 25, f"{dead} serves again")
    time.sleep(3)
    assert masters(nodes) == [new], f"one that comes back takes over: {masters(nodes)}"

    # its interface stays up: it does not notice, and stays master on its side
    new, cut = failover(lab, nodes, lambda lb: ip_batch([f"link set {nodes[lb].name} nomaster"]), 15)
    assert sorted(masters(nodes)) == sorted(nodes), masters(nodes)
    load = lab.stream(timeout_ms=1000)
    back = time.monotonic()
    ip_batch([f"link set {nodes[(set(nodes) - {new}).pop()].name} master br0"])
    lab.wait(lambda: len(masters(nodes)) == 1, 10, "one master again")
    resolved = time.monotonic() - back
    time.sleep(3)
    load.stop()
    return (f"active-backup: {split}; stopped: {stopped}; its LB pod killed: {pod_died}; node cut off: {cut}; "
            f"node back: one master after {resolved:.1f} s, requests failed for {load.outage(back):.1f} s")
