"""An LB pod whose plan is another one than that of most of its fleet, for here it reads a copy of the objects that nobody
changes any more, withdraws its routes, and comes back when it follows again. The others stay."""
import os
import shutil

import fig6
from cluster import DRAINING, OBJECTS, write
from machine import LAB

LIMIT_S = 120
WITHOUT_IMAGES = "their containers are started as deploy/base says, without a fleet"
FLEET = {"CORACLE_FLEET": "default/coracle"}
COPY = f"{LAB}/cluster-copy"


def restart(pod, objects=OBJECTS):
    pod.kill("ipvs")
    fig6.start_ipvs(pod, objects, **FLEET)


def run(lab):
    lb3 = fig6.connect_lb("lb3")
    pods = [*lab.lbs.values(), lb3]
    write("endpointslice-coracle", {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "coracle", "namespace": "default", "labels": {"kubernetes.io/service-name": "coracle"}},
        "ports": [{"name": "metrics", "protocol": "TCP", "port": 9090}],
        "endpoints": [{"addresses": [pod.address], "conditions": {"ready": True}} for pod in pods]})
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(OBJECTS, COPY)
    try:
        fig6.start_lb(lb3)
        for pod in lab.lbs.values():
            restart(pod)
        restart(lb3, COPY)
        everybody = sorted(pod.node_address for pod in pods)
        lab.wait(lambda: lab.next_hops() == everybody, 60, "all three pods are announced")
        lab.service.set(lab.webs["web1"], DRAINING)
        lab.service.publish()
        lab.tables_follow()
        alone = lab.wait(lambda: lab.next_hops() == lab.expected_next_hops(), 40, "the pod that does not follow withdraws")
        assert "differs-from-fleet" in lb3.output("coracle", "status"), lb3.output("coracle", "status")
        for name in os.listdir(OBJECTS):
            shutil.copy(f"{OBJECTS}/{name}", COPY)
        back = lab.wait(lambda: lab.next_hops() == everybody, 40, "and is back when it does")
    finally:
        os.unlink(f"{OBJECTS}/endpointslice-coracle.json")
        fig6.kill_pod(lb3)
        for pod in lab.lbs.values():
            pod.kill("ipvs")
    return f"one of three that did not follow a change withdrew after {alone:.1f} s, and was back {back:.1f} s after it did"
