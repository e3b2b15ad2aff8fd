"""Two LB pods, of which one assigns addresses: every Service ends with exactly one, nobody's changes."""

import signal
import subprocess
import threading
import time
import unittest

from api import ApiError, Unreachable
from harness import LEADS, PROGRAMS, ConformanceTest, figure, main, virtual_servers
from objects import SERVICES

CREATIONS = 200
# A lease of 15 s has to run out, and then some (client-go's standard timings).
TAKEOVER_S = 60
LEASE = "/apis/coordination.k8s.io/v1/namespaces/coracle/leases/coracle"


class Leader(ConformanceTest):
    @classmethod
    def setUpClass(cls):
        usage = subprocess.run([PROGRAMS.coracle, "controller", "--help"], capture_output=True, text=True, check=True)
        if "--pod-name" not in usage.stdout:
            raise unittest.SkipTest("this daemon assigns no addresses")
        super().setUpClass()

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
            pod.daemon.await_(lambda p=pod: p.daemon.logged("msg=synced"))
        self.await_(lambda: any(pod.daemon.logged(LEADS) for pod in self.pods))

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
        shop = self.shop
        shop.service("first", annotations={"coracle.lb/address": "10.1.7.7"})
        self.await_(lambda: shop.addresses("first") == ["10.1.7.7"])
        shop.service("second", annotations={"coracle.lb/address": "10.1.7.7"})
        shop.service("outside", annotations={"coracle.lb/address": "192.0.2.1"})
        shop.service("misspelt", annotations={"coracle.lb/scheduler": "round-robbin"})
        shop.slice("misspelt", "172.16.0.1")
        # this one comes to light only when keepalived's configuration is rendered
        shop.service("bare", annotations={"coracle.lb/template": "absent"})
        shop.slice("bare", "172.16.0.2")
        self.await_(lambda: len(shop.addresses("misspelt")) == 1)
        for service in ("second", "outside", "misspelt", "bare"):
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

    def test_status_that_an_older_cluster_wrote_is_put_right(self):
        """Without ipMode in the write the API sets VIP, as it does for what was written before it knew it."""
        self.shop.service("web", ["10.1.7.7"])
        self.shop.set_addresses("web", "10.1.7.7", mode=None)
        self.assertEqual(self.all_addresses()["web"], [("10.1.7.7", "VIP")])
        self.start_fleet()
        self.await_(lambda: self.all_addresses()["web"] == [("10.1.7.7", "Proxy")])
        self.assert_statuses_written(1)

    def assert_statuses_written(self, times):
        """The audit log has a write a moment after everyone else; and then there is time to write again, and again."""
        def written():
            return len(list(self.requests(verb="patch", resource="services")))

        self.await_(lambda: written() >= times)
        time.sleep(1)
        self.assertEqual(written(), times)

    def create_while(self, *disturb):
        """Creates Services, and between them disturbs; returns how long after the last disturbance each had its
        one address. None may ever change."""
        seen, moved, stopping = {}, [], threading.Event()

        def watch():
            while not stopping.wait(0.1):
                try:
                    current = self.all_addresses()
                except (Unreachable, ApiError):
                    continue
                for name, addresses in current.items():
                    if addresses and seen.setdefault(name, addresses) != addresses:
                        moved.append((name, seen[name], addresses))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        every = CREATIONS // (len(disturb) + 1)
        disturbed = 0.0
        for i in range(CREATIONS):
            self.shop.service(f"web-{i}")
            if i and i % every == 0 and i // every <= len(disturb):
                disturb[i // every - 1]()
                disturbed = time.monotonic()
        self.await_(lambda: len(seen) == CREATIONS)
        took = time.monotonic() - disturbed
        time.sleep(2)
        stopping.set()
        watcher.join(10)
        final = self.all_addresses()
        self.assertEqual(moved, [], "an address has changed")
        self.assertEqual({name for name, addresses in final.items() if len(addresses) != 1}, set())
        everyone = [address for addresses in final.values() for address, _ in addresses]
        self.assertEqual(len(everyone), len(set(everyone)), "an address was given twice")
        self.assertEqual({mode for addresses in final.values() for _, mode in addresses}, {"Proxy"})
        return took

    def test_leader_killed_while_services_are_created(self):
        self.start_fleet()
        took = self.create_while(self.holder().daemon.kill)
        figure(f"leader killed during {CREATIONS} creations: all have their address {took:.1f} s after")

    def test_leader_that_leaves_hands_over(self):
        self.start_fleet()
        leader = self.holder()
        took = self.create_while(leader.daemon.process.terminate)
        self.assertEqual(leader.daemon.process.wait(10), 0, leader.daemon.read_log())
        figure(f"leader asked to go during {CREATIONS} creations: all have their address {took:.1f} s after")
        self.assertLess(took, 10, "its successor had to wait for the lease's end:\n" + "\n".join(
            f"{entry['requestReceivedTimestamp']} {entry['verb']} {entry['responseStatus']['code']}"
            for entry in self.requests(resource="leases")) + "\n" + leader.daemon.read_log()[-3000:])

    def test_leader_frozen_and_thawed_does_no_harm(self):
        """A node that hangs: the other takes over, and the first wakes up believing that it leads."""
        self.start_fleet()
        leader = self.holder()
        took = self.create_while(lambda: leader.daemon.process.send_signal(signal.SIGSTOP),
                                 lambda: self.await_(lambda: self.holder() is not leader),
                                 lambda: leader.daemon.process.send_signal(signal.SIGCONT))
        figure(f"leader frozen until another led, then thawed: all have their address {took:.1f} s after")

    def test_api_server_killed_while_services_are_created(self):
        """Writes are lost, or done without an answer."""
        self.start_fleet()
        took = self.create_while(self.cluster.restart_apiserver, self.cluster.restart_apiserver)
        figure(f"API server killed twice during {CREATIONS} creations: all have their address {took:.1f} s after")

    def test_each_family_of_a_service_gets_an_address(self):
        self.start_fleet(1)
        shop = self.shop
        for name, policy, families in (("four", "SingleStack", ["IPv4"]), ("six", "SingleStack", ["IPv6"]),
                                       ("both", "RequireDualStack", ["IPv6", "IPv4"])):
            shop.service(name, ipFamilyPolicy=policy, ipFamilies=families)
            self.await_(lambda n=name, f=families: [("IPv6" if ":" in address else "IPv4")
                                                    for address in sorted(shop.addresses(n), reverse=f[0] == "IPv6")]
                        == families)

    def test_address_is_shared_by_ports_with_one_key(self):
        self.start_fleet(1)
        shop = self.shop
        keys = {"coracle.lb/share": "front", "coracle.lb/address": "10.1.7.7"}
        shop.service("http", annotations=keys, ports=[{"port": 80}])
        shop.service("dns", annotations=keys, ports=[{"port": 53, "protocol": "UDP"}])
        self.await_(lambda: shop.addresses("http") == shop.addresses("dns") == ["10.1.7.7"])
        shop.service("http2", annotations=keys, ports=[{"port": 80}])
        self.await_(lambda: shop.events("http2"))  # of its port, which is another's
        figure("Event: " + next(iter(shop.events("http2").values()))["note"])
        for name in ("http", "dns", "http2"):
            self.assertEqual(shop.addresses(name), ["10.1.7.7"])
        self.assert_statuses_written(3)

    def test_pool_that_changes(self):
        """Addresses within the new pools stay, others are replaced: nothing would announce them."""
        self.start_fleet(1)
        shop = self.shop
        shop.service("stays", annotations={"coracle.lb/address": "10.1.9.1"})
        self.await_(lambda: shop.addresses("stays"))
        shop.service("moves")
        self.await_(lambda: shop.addresses("moves"))
        self.pods[0].daemon.stop()
        self.start_pod(pools="10.1.9.0/24")
        self.await_(lambda: shop.addresses("moves")[:1] == ["10.1.9.2"])
        self.assertEqual(shop.addresses("stays"), ["10.1.9.1"])

    def test_full_pool_is_told_and_used_again(self):
        self.start_pod(pools="10.1.9.0/30")
        shop = self.shop
        for name in ("a", "b", "c"):
            shop.service(name)
        self.await_(lambda: sum(len(shop.addresses(name)) for name in "abc") == 2)
        last = next(name for name in "abc" if not shop.addresses(name))
        self.await_(lambda: shop.events(last))
        figure("Event: " + next(iter(shop.events(last).values()))["note"])
        freed = next(name for name in "abc" if name != last)
        address = shop.addresses(freed)
        shop.delete_service(freed)
        self.await_(lambda: shop.addresses(last) == address)

    def test_problem_that_lasts_becomes_a_series(self):
        self.start_fleet()
        self.shop.service("outside", annotations={"coracle.lb/address": "192.0.2.1"})
        self.await_(lambda: self.shop.events("outside"))
        self.holder().daemon.stop()  # the next leader finds it told
        self.await_(lambda: next(iter(self.shop.events("outside").values())).get("series", {}).get("count", 0) >= 2)
        self.assertEqual(len(self.shop.events("outside")), 1)

    def test_service_that_is_made_anew_has_its_event(self):
        self.start_fleet(1)
        shop, annotations = self.shop, {"coracle.lb/address": "192.0.2.1"}
        path = f"/apis/events.k8s.io/v1/namespaces/{shop.name}/events"
        for _ in range(2):
            shop.service("outside", annotations=annotations)
            uid = self.api.get(shop.path(SERVICES, "outside"))["metadata"]["uid"]
            self.await_(lambda u=uid: u in [event["regarding"]["uid"] for event in self.api.get(path)["items"]])
            shop.delete_service("outside")

    def test_addresses_outlive_every_daemon(self):
        self.start_fleet()
        for i in range(20):
            self.shop.service(f"web-{i}")
            self.shop.slice(f"web-{i}", f"172.16.0.{i + 1}")
        self.await_(lambda: all(self.all_addresses().values()))
        before = self.all_addresses()
        for pod in self.pods:
            pod.daemon.kill()
        daemon = self.start_daemon()
        daemon.await_config(lambda text: len(virtual_servers(text)) == 20)
        self.await_(lambda: daemon.logged(LEADS))
        time.sleep(2)  # it would have changed what it does not like
        self.assertEqual(self.all_addresses(), before)


if __name__ == "__main__":
    main()
