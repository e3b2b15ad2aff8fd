"""The real `coracle controller` with the API as its source: from a Service's creation to keepalived's reload, and
what stays when the API goes."""

import statistics
import sys
import tempfile
import time
import unittest

from daemon import Daemon, Programs
from fake_api import FakeApi

PROGRAMS = Programs(*(sys.argv.pop(1) for _ in range(3)))
CHANGES = 20


def put_service(api, name, address=None):
    status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "Proxy"}]} if address else {}}
    api.store.put("Service", name, status=status,
                  spec={"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp", "ports": [{"port": 80}]})


def put_slice(api, name, *addresses):
    api.store.put("EndpointSlice", f"{name}-1", labels={"kubernetes.io/service-name": name}, addressType="IPv4",
                  ports=[{"port": 8080}], endpoints=[{"addresses": [a]} for a in addresses])


class TestDaemon(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.api = FakeApi(self.directory.name)
        for i in range(1, 11):
            put_service(self.api, f"web-{i}", f"10.1.1.{i}")
            put_slice(self.api, f"web-{i}", f"172.16.1.{i}", f"172.16.2.{i}")
        self.api.start()
        self.daemon = Daemon(PROGRAMS, self.directory.name, f"https://127.0.0.1:{self.api.client_port}",
                             self.api.token_file, self.api.ca_file)

    def tearDown(self):
        self.daemon.stop()
        self.api.stop()
        self.directory.cleanup()

    def test_objects_reach_keepalived_and_stay_when_the_api_goes(self):
        daemon, api = self.daemon, self.api
        daemon.await_config(lambda text: text.count("virtual_server ") == 10)
        self.assertIn("real_server 172.16.2.7 8080", daemon.config())

        delays = []
        for i in range(CHANGES):
            address = f"172.16.3.{i + 1}"
            put_slice(api, "web-1", "172.16.1.1", address)
            delays.append(daemon.await_config(lambda text, a=address: f"real_server {a} 8080" in text))
        print(f"endpoint change to new configuration: median {statistics.median(delays) * 1000:.0f} ms, "
              f"longest {max(delays) * 1000:.0f} ms ({CHANGES} changes)")

        put_service(api, "late")
        put_slice(api, "late", "172.16.1.99")
        put_service(api, "last", "10.1.1.98")
        put_slice(api, "last", "172.16.1.98")
        daemon.await_config(lambda text: "virtual_server 10.1.1.98 80" in text)
        self.assertNotIn("172.16.1.99", daemon.config(), "served without an address in its status")

        before = daemon.config()
        api.stop()
        time.sleep(1)
        self.assertEqual(daemon.config(), before)
        self.assertTrue(daemon.status()["synced"])
        api.start()
        api.store.delete("Service", "last")
        daemon.await_config(lambda text: "virtual_server 10.1.1.98 80" not in text)
        print(f"USS with the API as source: {daemon.uss_mb():.2f} MB (as built for this test)")
        self.assertNotIn("token-1", daemon.read_log())

    def test_keepalived_is_told_once_for_a_burst_and_never_for_nothing(self):
        daemon, api = self.daemon, self.api
        daemon.await_config(lambda text: text.count("virtual_server ") == 10)
        time.sleep(0.3)
        for i in range(50):
            put_slice(api, "web-1", "172.16.1.1", f"172.16.4.{i + 1}")
        daemon.await_config(lambda text: "172.16.4.50" in text)
        daemon.await_(daemon.hups)
        time.sleep(0.5)
        told = len(daemon.hups())
        self.assertLessEqual(told, 10, "a burst of 50 changes")
        for _ in range(5):
            put_slice(api, "web-1", "172.16.1.1", "172.16.4.50")
        time.sleep(0.5)
        self.assertEqual(len(daemon.hups()), told, "reloaded although nothing had changed")
        print(f"50 changes in a burst: {told} reloads")


if __name__ == "__main__":
    unittest.main()
