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
    @classmethod
    def tearDownClass(cls):
        rights = set(cls.account.rights())
        figure("rights used: " + ", ".join(sorted(map(str, cls.used_rights))))
        figure("shipped, but not used here: " + ", ".join(sorted(map(str, rights - cls.used_rights))))
        super().tearDownClass()

    def start_fleet(self, size=2):
        for _ in range(size):
            self.start_pod()
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

    def await_(self, condition):
        deadline = time.monotonic() + TAKEOVER_S
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("not in time; logs:\n" + "\n\n".join(pod.daemon.read_log() for pod in self.pods))
            time.sleep(0.01)

    def holder(self):
        """The pod that holds the lease, by the name that its identity begins with."""
        identity = self.api.get(LEASE)["spec"].get("holderIdentity") or ""
        for pod in self.pods:
            if identity.startswith(pod.name):
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
        self.await_(lambda: self.shop.addresses("web"))
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

    def test_refusals_and_defaults_are_told_by_events(self):
        self.start_fleet()
        self.require_assignment()
        shop = self.shop
        shop.service("first", annotations={"coracle.lb/address": "10.1.7.7"})
        self.await_(lambda: shop.addresses("first") == ["10.1.7.7"])
        shop.service("second", annotations={"coracle.lb/address": "10.1.7.7"})
        shop.service("outside", annotations={"coracle.lb/address": "192.0.2.1"})
        shop.service("misspelt", annotations={"coracle.lb/scheduler": "round-robbin"})
        shop.slice("misspelt", "172.16.0.1")
        self.await_(lambda: len(shop.addresses("misspelt")) == 1)
        for service in ("second", "outside", "misspelt"):
            self.await_(lambda s=service: shop.events(s))
            events = shop.events(service)
            self.assertEqual(len(events), 1, events)
            event = next(iter(events.values()))
            self.assertEqual(event["type"], "Warning")
            self.assertEqual(event["regarding"]["kind"], "Service")
            figure(f"Event: {event['reason']}: {event['note']}")
        self.assertEqual(shop.addresses("second") + shop.addresses("outside"), [])
        # what was in the way goes: the second gets what it asked for
        shop.delete_service("first")
        self.await_(lambda: shop.addresses("second") == ["10.1.7.7"])

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
        self.await_(lambda: len(seen) == CREATIONS)
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
        self.await_(lambda: all(self.all_addresses().values()))
        before = self.all_addresses()
        for pod in self.pods:
            pod.daemon.kill()
        daemon = self.start_daemon()
        daemon.await_config(lambda text: len(virtual_servers(text)) == 20)
        time.sleep(20)  # until it leads
        self.assertEqual(self.all_addresses(), before)


if __name__ == "__main__":
    main()
