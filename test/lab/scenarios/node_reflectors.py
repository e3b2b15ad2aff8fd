"""The reflectors on two nodes of the cluster, as deploy/components/reflector has them: of the same template, each LB pod
beside one of them; either may die. With --images they are that very DaemonSet's pods."""
import time

import bgp
import containers
import fig6
from machine import LAB, Machine

ADDRESSES = {"10.0.0.109": fig6.NODES[1], "10.0.0.111": fig6.NODES[2]}  # by those of routers/site.yaml
NODES = ("node1", "node2")
LIMIT_S = 150


def moved(path):
    """A file's text with the nodes' addresses in the place of the reflectors'."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in ADDRESSES.items():
        text = text.replace(old, new)
    return text


def render(machine, template, *settings):
    """As the component's init container does it."""
    site = machine.write("site.yaml", moved(f"{LAB}/tree/routers/site.yaml"))
    return machine.write(template, machine.output(
        "coracle", "render", "--values", site, f"{LAB}/tree/templates/{template}",
        f"password=@{LAB}/tree/test/lab/bgp-password", *settings))


def daemon_set(nodes):
    """Its pods, where the lab has images."""
    files = {"coracle-reflector": {"site.yaml": moved(f"{LAB}/tree/routers/site.yaml")}}
    return [containers.NodePod(machine, address, fig6.ipv6(address), bgp.REFLECTOR, files)
            for machine, address in zip(nodes, ADDRESSES.values()) if containers.available()]


def start_reflectors(nodes, pods):
    for pod in pods:
        pod.start()
    for machine, address in zip(nodes if not pods else (), ADDRESSES.values()):
        machine.start("gobgpd", [*fig6.GOBGPD, "-r", "-f",
                                 render(machine, "gobgpd-reflector.yml", f"reflector.address={address}")])


def start_router(path):
    router = Machine("router")
    router.kill("gobgpd")
    router.start("gobgpd", [*fig6.GOBGPD, "-f", path], user="frr")


def run(lab):
    reflectors = [Machine(name) for name in fig6.REFLECTORS]
    nodes = [Machine(name) for name in NODES]
    pods = daemon_set(nodes)
    try:
        for machine in reflectors:
            machine.kill("gobgpd")
        start_reflectors(nodes, pods)
        start_router(render(Machine("router"), "gobgpd-router.yml"))
        with open(fig6.CONFIG, "r+", encoding="utf-8") as file:
            text = moved(fig6.CONFIG)
            file.write(text)
            file.truncate(len(text))
        for pod in lab.lbs.values():
            fig6.reconfigure(pod)
        up = lab.wait(lambda: bgp.all_up(NODES), 40, "the nodes' reflectors have all their sessions")
        lab.wait(lab.is_settled, 20, "the routes are there")
        assert all(pod.ready() for pod in pods), "a reflector is not ready"
        load, by_lb = lab.requests(200)
        assert load.failed == 0 and min(by_lb.values()) >= 50, f"{load.failed} failed, {by_lb}"

        load = lab.stream()
        killed = time.monotonic()
        nodes[0].kill("gobgpd")
        while time.monotonic() < killed + 4:
            assert lab.next_hops() == lab.expected_next_hops(), f"the router's routes moved: {lab.next_hops()}"
            time.sleep(0.05)
        load.stop()
        assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
    finally:
        for machine in nodes:
            machine.kill("gobgpd")
        for pod in pods:
            pod.remove()
        for machine in reflectors:
            if not machine.pid("gobgpd"):
                fig6.start_reflector(machine)
        start_router(fig6.rendered(Machine("router"), "gobgpd-router.yml"))
    return (f"{'pods of the DaemonSet; ' if pods else ''}all sessions {up:.1f} s after the LB pods' exabgp; 200 requests: {by_lb}; one reflector killed: no change of "
            f"routes in 4 s, 0 of {load.succeeded} requests failed")
