"""The real `coracle controller` with the API as its source: from a Service's creation to keepalived's reload, and
what stays when the API goes."""

import base64
import datetime
import http.server
import json
import pathlib
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
import unittest

import exposition
from daemon import Daemon, Programs, PATIENCE_S
from fake_api import FakeApi, put_service, put_slice

PROGRAMS = Programs(*(sys.argv.pop(1) for _ in range(3)))
CHANGES = 20


def daemon_of(api, directory, config="", flags=()):
    return Daemon(PROGRAMS, directory, f"https://127.0.0.1:{api.client_port}", api.token_file, api.ca_file,
                  config=config, flags=flags)


class TestDaemon(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.api = FakeApi(self.directory.name)
        for i in range(1, 11):
            put_service(self.api, f"web-{i}", f"10.1.1.{i}")
            put_slice(self.api, f"web-{i}", f"172.16.1.{i}", f"172.16.2.{i}")
        self.api.start()
        self.daemon = daemon_of(self.api, self.directory.name)

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
        self.assertEqual(daemon.get("/livez"), (200, "ok\n"))
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

    def test_what_concerns_no_service_of_ours_is_not_planned(self):
        daemon, api = self.daemon, self.api
        foreign = {"type": "LoadBalancer", "loadBalancerClass": "example.com/other", "ports": [{"port": 80}]}
        plans, services, slices = (f"coracle_{name}" for name in (
            "reconcile_duration_seconds_count", 'watch_events_total{resource="services"}',
            'watch_events_total{resource="endpointslices"}'))
        daemon.await_config(lambda text: text.count("virtual_server ") == 10)
        time.sleep(0.5)
        before = daemon.metrics()
        for i in range(10):
            put_service(api, f"foreign-{i}", spec=foreign)
            put_slice(api, f"foreign-{i}", f"172.16.7.{i}")
            put_service(api, f"foreign-{i}", spec=foreign, namespace="shop", annotations={"changed": "yes"})
        api.store.delete("Service", "foreign-0")
        api.store.delete("EndpointSlice", "foreign-0-1")
        daemon.await_(lambda: daemon.metrics()[services] - before[services] == 21
                      and daemon.metrics()[slices] - before[slices] == 11)
        time.sleep(0.5)
        self.assertEqual(daemon.metrics()[plans], before[plans])

        # one becomes ours, with a slice that has been there before; and another ceases to be
        put_service(api, "foreign-1", "10.1.1.101")
        daemon.await_config(lambda text: "real_server 172.16.7.1 8080" in text)
        put_service(api, "web-1", "10.1.1.1", spec={"type": "ClusterIP", "ports": [{"port": 80}]})
        daemon.await_config(lambda text: "virtual_server 10.1.1.1 80" not in text)
        # a slice changes hands
        api.store.put("EndpointSlice", "web-2-1", labels={"kubernetes.io/service-name": "foreign-2"}, addressType="IPv4",
                      ports=[{"port": 8080}], endpoints=[{"addresses": ["172.16.1.2"]}])
        daemon.await_config(lambda text: "real_server 172.16.1.2 8080" not in text)
        put_slice(api, "web-2", "172.16.1.2")
        daemon.await_config(lambda text: "real_server 172.16.1.2 8080" in text)
        api.store.delete("EndpointSlice", "web-2-1")
        daemon.await_config(lambda text: "real_server 172.16.1.2 8080" not in text)

    def test_metrics_and_readiness_tell_what_happens(self):
        daemon, api = self.daemon, self.api
        daemon.await_config(lambda text: text.count("virtual_server ") == 10)
        before = daemon.metrics()
        self.assertEqual(before["coracle_synced"], 1)
        self.assertEqual(before["coracle_leader"], 0)
        self.assertEqual(before["coracle_virtual_servers"], 10)
        self.assertEqual(before["coracle_keepalived_starts_total"], 1)
        self.assertGreaterEqual(before['coracle_api_requests_total{code="200"}'], 2)
        self.assertLess(before['coracle_sync_age_seconds{resource="services"}'], PATIENCE_S)

        put_slice(api, "web-1", "172.16.1.1", "172.16.5.1")
        daemon.await_config(lambda text: "172.16.5.1" in text)
        daemon.await_(lambda: daemon.metrics()["coracle_keepalived_reloads_total"] == 1)
        after = daemon.metrics()
        self.assertEqual(after['coracle_watch_events_total{resource="endpointslices"}'], 1)
        self.assertGreater(after["coracle_reconcile_duration_seconds_count"],
                           before["coracle_reconcile_duration_seconds_count"])
        self.assertNotEqual(after["coracle_plan_fingerprint"], before["coracle_plan_fingerprint"])

        api.fail(on="watch", kind="Service", status=500)
        api.end_watches.set()
        daemon.await_(lambda: daemon.metrics()[
            'coracle_watch_restarts_total{resource="services",reason="server_error"}'] >= 1)
        api.end_watches.clear()
        self.assertGreaterEqual(daemon.metrics()['coracle_api_requests_total{code="500"}'], 1)

        status, text = daemon.get("/metrics")
        self.assertEqual(status, 200)
        print("promtool " + ("agrees" if exposition.check_with_promtool(text) else "is not there"))
        for line in ("[+]synced ok", "[+]keepalived ok"):
            self.assertIn(line, daemon.get("/readyz")[1])
        if not pathlib.Path("/proc/net/ip_vs").exists():
            daemon.await_(lambda: "[-]table: the kernel's IPVS table cannot be read" in daemon.get("/readyz")[1])
            self.assertEqual(daemon.get("/readyz")[0], 503)
        self.assertEqual(daemon.get("/livez"), (200, "ok\n"))
        self.assertEqual(daemon.get("/")[0], 404)

    def test_pod_that_leaves_gives_up_the_node_s_route_while_keepalived_still_runs(self):
        """What arrives after keepalived's end would be refused."""
        daemon = self.daemon
        daemon.await_config(lambda text: text.count("virtual_server ") == 10)
        daemon.await_(lambda: daemon.status()["keepalived_up"])
        with socket.socket(socket.AF_UNIX) as announcer:
            announcer.settimeout(PATIENCE_S)
            announcer.connect(str(daemon.directory / "run/announce.sock"))
            lines = announcer.makefile(encoding="utf-8")
            self.assertTrue(json.loads(lines.readline())["pools"])
            daemon.process.terminate()
            while json.loads(lines.readline())["pools"]:
                pass
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0)
        told = re.search(r"ts=(\S+) .*the node is told to send nothing here", daemon.read_log())[1]
        ended = float((daemon.directory / "terms").read_text())
        self.assertGreater(ended - datetime.datetime.fromisoformat(told).timestamp(), 0.1)


def kubeconfig(api, user):
    """YAML is a superset of JSON."""
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{api.client_port}",
                                               "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": user}]})


class TestKubeconfig(unittest.TestCase):
    def reaches_the_api(self, user_of):
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            put_service(api, "web", "10.1.1.1")
            put_slice(api, "web", "172.16.1.1")
            api.start()
            path = pathlib.Path(directory)
            (path / "kubeconfig").write_text(kubeconfig(api, user_of(api, path)))
            daemon = Daemon(PROGRAMS, directory, flags=["--kubeconfig", "kubeconfig"])
            try:
                daemon.await_config(lambda text: "real_server 172.16.1.1 8080" in text)
            finally:
                daemon.stop()
                api.stop()

    def test_client_certificate_in_the_file(self):
        def user(api, path):
            api.tokens.clear()
            return {f"client-{word}-data": base64.b64encode((path / f"client.{ending}").read_bytes()).decode()
                    for word, ending in (("certificate", "crt"), ("key", "key"))}
        self.reaches_the_api(user)

    def test_client_certificate_beside_the_file(self):
        def user(api, _):
            api.tokens.clear()
            return {"client-certificate": "client.crt", "client-key": "client.key"}
        self.reaches_the_api(user)

    def test_token(self):
        self.reaches_the_api(lambda *_: {"token": "token-1"})

    def test_exec_plugin_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            (pathlib.Path(directory) / "kubeconfig").write_text(kubeconfig(api, {"exec": {"command": "aws"}}))
            daemon = Daemon(PROGRAMS, directory, flags=["--kubeconfig", "kubeconfig"])
            self.assertEqual(daemon.process.wait(10), 2)
            self.assertIn("exec plugins are not run by a daemon", daemon.read_log())
            daemon.log.close()


class TestNamespaces(unittest.TestCase):
    def test_lists_of_one_namespace_leave_the_others_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            for i, namespace in enumerate(["shop", "bank", "foreign"], 1):
                put_service(api, namespace, f"10.1.1.{i}", namespace=namespace)
                put_slice(api, namespace, f"172.16.1.{i}", namespace=namespace)
            api.start()
            daemon = daemon_of(api, directory, "namespaces: [shop, bank]\n")
            try:
                daemon.await_config(lambda text: text.count("real_server ") == 2)
                self.assertNotIn("172.16.1.3", daemon.config())
                put_slice(api, "bank", "172.16.2.2", namespace="bank")
                daemon.await_config(lambda text: "172.16.2.2" in text and "172.16.1.1" in text)

                lists = daemon.metrics()['coracle_lists_total{resource="endpointslices"}']
                self.assertEqual(lists, 2)
                api.store.compact()  # so that each watch begins with a list again
                api.stop()
                put_slice(api, "shop", namespace="shop")
                api.store.delete("Service", "bank")
                api.store.compact()
                api.start()
                put_slice(api, "shop", "172.16.3.1", namespace="shop")
                daemon.await_config(lambda text: text.count("virtual_server ") == 1 and "172.16.3.1" in text)
                daemon.await_(lambda: daemon.metrics()['coracle_lists_total{resource="services"}'] >= 4)
                self.assertEqual(daemon.config().count("real_server "), 1)
            finally:
                daemon.stop()
                api.stop()


class Peer(http.server.BaseHTTPRequestHandler):
    """Another LB pod, which plans something else."""

    def do_GET(self):
        text = b'{"plan": 7}\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class TestFleet(unittest.TestCase):
    """A fleet that follows namespaces of which its own is none."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.api = FakeApi(self.directory.name)
        put_service(self.api, "web", "10.1.1.1")
        put_slice(self.api, "web", "172.16.1.1")
        put_service(self.api, "lb", "10.1.1.2", namespace="coracle")
        put_slice(self.api, "lb", "127.0.0.1", "127.0.0.2", "127.0.0.3", namespace="coracle")
        self.peers = [http.server.ThreadingHTTPServer(("127.0.0.2", 0), Peer)]
        self.port = self.peers[0].server_address[1]
        self.peers.append(http.server.ThreadingHTTPServer(("127.0.0.3", self.port), Peer))
        for peer in self.peers:
            threading.Thread(target=peer.serve_forever, daemon=True).start()
        self.daemon = None

    def tearDown(self):
        self.daemon.stop()
        self.api.stop()
        for peer in self.peers:
            peer.shutdown()
            peer.server_close()
        self.directory.cleanup()

    def start(self):
        self.api.start()
        self.daemon = daemon_of(self.api, self.directory.name, "namespaces: [shop]\n", flags=[
            "--fleet", "coracle/lb", "--http-address", f"127.0.0.1:{self.port}"])
        self.daemon.await_config(lambda text: "real_server 172.16.1.1 8080" in text)
        return self.daemon

    def test_other_pods_of_the_fleet_are_asked(self):
        daemon = self.start()
        daemon.await_(lambda: daemon.metrics()["coracle_fleet_peers"] == 2)
        self.assertEqual(daemon.config().count("virtual_server "), 1, "the fleet's own Service is not followed")

    def test_missing_right_keeps_nobody_from_serving(self):
        self.api.fail(on="list", kind="EndpointSlice", name="coracle", status=403, times=1000)
        daemon = self.start()
        daemon.await_(lambda: daemon.logged("resource=endpointslices", "namespace=coracle", "reason=forbidden"))
        self.assertTrue(daemon.status()["synced"])


class TestFleetAddress(unittest.TestCase):
    def test_address_that_tells_no_pod_from_another_is_refused(self):
        """With it this pod would ask itself, and agree."""
        for address in ("0.0.0.0:0", "[::]:0"):
            with self.subTest(address), tempfile.TemporaryDirectory() as directory:
                (pathlib.Path(directory) / "objects").mkdir()
                daemon = Daemon(PROGRAMS, directory, flags=["--objects", "objects", "--fleet", "coracle/lb",
                                                            "--http-address", address])
                self.assertEqual(daemon.process.wait(10), 2, daemon.read_log())
                self.assertTrue(daemon.logged("cannot start", "--http-address"), daemon.read_log())
                daemon.log.close()


class TestFuse(unittest.TestCase):
    HOLD_S = 5

    def put_slices(self, api, has_endpoints):
        """All in one message: one by one they might be planned one by one, and one is not too many."""
        with api.store.changed:
            for i in range(1, 5):
                put_slice(api, f"web-{i}", *([f"172.16.1.{i}"] if has_endpoints else []))

    def test_list_without_endpoints_is_followed_when_it_lasts(self):
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            for i in range(1, 5):
                put_service(api, f"web-{i}", f"10.1.1.{i}")
            self.put_slices(api, True)
            api.start()
            daemon = daemon_of(api, directory, f"maxRemovalPercent: 50\nmaxRemovalHold: {self.HOLD_S}\n")
            try:
                daemon.await_config(lambda text: text.count("real_server ") == 4)
                self.put_slices(api, False)
                daemon.await_(lambda: daemon.metrics()["coracle_fuse_blown"] == 1)
                self.put_slices(api, True)
                daemon.await_(lambda: daemon.metrics()["coracle_fuse_blown"] == 0)
                self.assertEqual(daemon.config().count("real_server "), 4)

                began = time.monotonic()
                self.put_slices(api, False)
                daemon.await_(lambda: daemon.metrics()["coracle_fuse_trips_total"] == 2)
                self.assertEqual(daemon.config().count("real_server "), 4)
                daemon.await_config(lambda text: "real_server " not in text)
                took = time.monotonic() - began
                print(f"the fuse held for {took:.1f} s")
                self.assertGreaterEqual(took, self.HOLD_S)
            finally:
                daemon.stop()
                api.stop()


class TestUnreachable(unittest.TestCase):
    def test_pod_lives_and_is_not_ready_without_the_api(self):
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            api.start()
            api.stop()
            daemon = daemon_of(api, directory)
            try:
                self.assertEqual(daemon.get("/livez"), (200, "ok\n"))
                status, text = daemon.get("/readyz")
                self.assertEqual(status, 503)
                self.assertIn("[-]synced: ", text)
                self.assertIn("[-]keepalived: ", text)
                daemon.await_(lambda: daemon.metrics().get('coracle_api_requests_total{code="none"}', 0) >= 1)
            finally:
                daemon.stop()


if __name__ == "__main__":
    unittest.main()
