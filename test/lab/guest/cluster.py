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
    """With vip6 it is a dual-stack one, whose pods have an address of each family."""

    def __init__(self, name, vip, annotations=None, vip6=None):
        self.name, self.vip, self.annotations = name, vip, annotations or {}
        self.spec = {}       # what else spec says
        self.ports = [{"name": "http", "protocol": "TCP", "port": 80}]  # of the endpoints
        self.endpoints = {}  # pod name → (address, conditions)
        self.endpoints6 = {} if vip6 else None
        if vip6:
            self.annotations = {"coracle.lb/address": f"{vip},{vip6}", **self.annotations}
            self.spec = {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}

    def set(self, pod, conditions=READY):
        self.endpoints[pod.name] = (pod.address, conditions)
        if self.endpoints6 is not None:
            self.endpoints6[pod.name] = (pod.address6, conditions)

    def remove(self, pod):
        del self.endpoints[pod.name]
        if self.endpoints6 is not None:
            del self.endpoints6[pod.name]

    def publish(self):
        write(f"service-{self.name}", {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": self.name, "namespace": "default", "annotations": self.annotations},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp", "loadBalancerIP": self.vip,
                     "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}],
                     **self.spec}})
        self.publish_slice("IPv4", self.endpoints)
        if self.endpoints6 is not None:
            self.publish_slice("IPv6", self.endpoints6)

    def publish_slice(self, kind, endpoints):
        name = self.slice_name(kind)
        write(f"endpointslice-{name}", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
            "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": self.name}},
            "ports": self.ports,
            "endpoints": [{"addresses": [address], "conditions": conditions,
                           "targetRef": {"kind": "Pod", "namespace": "default", "name": pod}}
                          for pod, (address, conditions) in sorted(endpoints.items())]})

    def slice_name(self, kind):
        return self.name if kind == "IPv4" else f"{self.name}-6"

    def delete(self):
        os.unlink(f"{OBJECTS}/service-{self.name}.json")
        os.unlink(f"{OBJECTS}/endpointslice-{self.name}.json")
        if self.endpoints6 is not None:
            os.unlink(f"{OBJECTS}/endpointslice-{self.slice_name('IPv6')}.json")


def write(name, item):
    """Replaces a file at once, so that a reader sees the old object or the new one."""
    os.makedirs(OBJECTS, exist_ok=True)
    beside = f"{LAB}/{name}.new"
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(item, file, indent=1)
    os.rename(beside, f"{OBJECTS}/{name}.json")
