"""Two LB pods, of which one assigns addresses: every Service ends with exactly one, nobody's changes."""

import threading
import time

from harness import ConformanceTest, figure, main, virtual_servers
from objects import SERVICES

CREATIONS = 200
# A lease of 15 s has to run out, and then some (client-go's standard timings).
TAKEOVER_S = 60
LEASE = "/apis/coordination.k8s.io/v1/namespaces/coracle/leases/coracle"


class Leader(ConformanceTest):
    def start_fleet(self, size=2):
        for i in range(size):
            name = f"coracle-{i}"
            self.start_pod(environment={"HOSTNAME": name, "POD_NAME": name, "POD_NAMESPACE": "coracle"})
        for pod in self.pods:
            pod.daemon.await_(lambda p=pod: p.daemon.status()["synced"])

    def require_assignment(self):
        """Drop this when the daemon assigns addresses."""
        self.shop.service("probe")
        deadline = time.monotonic() + 20
        while not self.shop.addresses("probe"):
            if time.monotonic() > deadline:
                self.skipTest("this daemon assigns no addresses")
            time.sleep(0.1)
        self.shop.delete_service("probe")

    def holder(self):
        """The pod that holds the lease, by the name that its identity begins with."""
        identity = self.api.get(LEASE)["spec"].get("holderIdentity") or ""
        for i, pod in enumerate(self.pods):
            if identity.startswith(f"coracle-{i}"):
                return pod
        raise AssertionError(f"the lease is held by {identity!r}, who is none of the pods")

    def all_addresses(self):
        items = self.api.get(self.shop.path(SERVICES))["items"]
        return {item["metadata"]["name"]: [(ingress.get("ip"), ingress.get("ipMode"))
                                           for ingress in item["status"]["loadBalancer"].get("ingress", [])]
                for item in items}

    def test_service_gets_an_address_and_gives_it_back(self):
        self.start_fleet()
        self.require_assignment()
        self.shop.slice("web", "172.16.0.1")
        began = time.monotonic()
        self.shop.service("web")
        while not self.shop.addresses("web"):
            self.assertLess(time.monotonic() - began, TAKEOVER_S)
            time.sleep(0.005)
        took = time.monotonic() - began
        address, mode = self.all_addresses()["web"][0]
        self.assertEqual(mode, "Proxy")
        for pod in self.pods:
            self.await_servers(pod.daemon, {(address, 80): {("172.16.0.1", 8080): 1}})
        figure(f"Service created → EXTERNAL-IP: {took * 1000:.0f} ms, → served by both LB pods: "
              f"{(time.monotonic() - began) * 1000:.0f} ms")
        self.api.patch(self.shop.path(SERVICES, "web"), {"spec": {"type": "ClusterIP", "loadBalancerClass": None}})
        for pod in self.pods:
            self.await_servers(pod.daemon, {})
        self.assertEqual(self.shop.addresses("web"), [])

    def test_leader_killed_while_services_are_created(self):
        self.start_fleet()
        self.require_assignment()
        leader = self.holder()
        seen, moved, stopping = {}, [], threading.Event()

        def watch():
            while not stopping.wait(0.1):
                for name, addresses in self.all_addresses().items():
                    if addresses and seen.setdefault(name, addresses) != addresses:
                        moved.append((name, seen[name], addresses))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        for i in range(CREATIONS):
            self.shop.service(f"web-{i}")
            if i == CREATIONS // 2:
                leader.daemon.kill()
        killed = time.monotonic()
        while len(seen) < CREATIONS:
            self.assertLess(time.monotonic() - killed, TAKEOVER_S, f"{len(seen)} of {CREATIONS} have an address")
            time.sleep(0.1)
        took = time.monotonic() - killed
        time.sleep(2)
        stopping.set()
        watcher.join(10)
        final = self.all_addresses()
        self.assertEqual(moved, [], "an address has changed")
        self.assertEqual({name for name, addresses in final.items() if len(addresses) != 1}, set())
        everyone = [address for addresses in final.values() for address, _ in addresses]
        self.assertEqual(len(everyone), len(set(everyone)), "an address was given twice")
        self.assertEqual({mode for addresses in final.values() for _, mode in addresses}, {"Proxy"})
        figure(f"leader killed during {CREATIONS} creations: all have their address {took:.1f} s after")

    def test_addresses_outlive_every_daemon(self):
        self.start_fleet()
        self.require_assignment()
        for i in range(20):
            self.shop.service(f"web-{i}")
            self.shop.slice(f"web-{i}", f"172.16.0.{i + 1}")
        deadline = time.monotonic() + TAKEOVER_S
        while not all(self.all_addresses().values()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        before = self.all_addresses()
        for pod in self.pods:
            pod.daemon.kill()
        daemon = self.start_daemon(environment={"HOSTNAME": "coracle-9", "POD_NAME": "coracle-9",
                                                "POD_NAMESPACE": "coracle"})
        daemon.await_config(lambda text: len(virtual_servers(text)) == 20)
        time.sleep(20)  # until it leads
        self.assertEqual(self.all_addresses(), before)


if __name__ == "__main__":
    main()
