"""The Kubernetes objects that the LB pods see: a Service and its EndpointSlice, as files.

coracle reads the directory with --objects; a change here is what a change in the API is on a real site.
"""
import json
import os

from machine import LAB

OBJECTS = f"{LAB}/cluster"
READY = {"ready": True, "serving": True, "terminating": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}


class Service:
    def __init__(self, name, vip, annotations=None):
        self.name, self.vip, self.annotations = name, vip, annotations or {}
        self.spec = {}       # what else spec says
        self.endpoints = {}  # pod name → (address, conditions)

    def set(self, pod, conditions=READY):
        self.endpoints[pod.name] = (pod.address, conditions)

    def remove(self, pod):
        del self.endpoints[pod.name]

    def publish(self):
        write(f"service-{self.name}", {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": self.name, "namespace": "default", "annotations": self.annotations},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp", "loadBalancerIP": self.vip,
                     "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}],
                     **self.spec}})
        write(f"endpointslice-{self.name}", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"{self.name}-1", "namespace": "default",
                         "labels": {"kubernetes.io/service-name": self.name}},
            "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
            "endpoints": [{"addresses": [address], "conditions": conditions,
                           "targetRef": {"kind": "Pod", "namespace": "default", "name": pod}}
                          for pod, (address, conditions) in sorted(self.endpoints.items())]})

    def delete(self):
        os.unlink(f"{OBJECTS}/service-{self.name}.json")
        os.unlink(f"{OBJECTS}/endpointslice-{self.name}.json")


def write(name, item):
    """Replaces a file at once, so that a reader sees the old object or the new one."""
    os.makedirs(OBJECTS, exist_ok=True)
    beside = f"{LAB}/{name}.new"
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(item, file, indent=1)
    os.rename(beside, f"{OBJECTS}/{name}.json")
