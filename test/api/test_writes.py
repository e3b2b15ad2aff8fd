"""What the real `coracle controller` writes as leader, to an API that misbehaves: an address belongs to one Service
whatever becomes of a write, and one write that fails holds up no other."""

import sys
import tempfile
import threading
import time
import unittest

from daemon import Daemon, Programs
from fake_api import FakeApi, expired_line, put_service, put_slice

PROGRAMS = Programs(*(sys.argv.pop(1) for _ in range(3)))


class WritesTest(unittest.TestCase):
    """What each test begins and ends with: an API that takes writes, and a daemon that a test starts."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.api = FakeApi(self.directory.name, writable=True)
        self.store = self.api.store
        self.api.start()
        self.daemon = None

    def tearDown(self):
        if self.daemon:
            self.daemon.stop()
        self.api.stop()
        self.directory.cleanup()

    def start(self, *flags, config=""):
        self.daemon = Daemon(PROGRAMS, self.directory.name, f"https://127.0.0.1:{self.api.client_port}",
                             self.api.token_file, self.api.ca_file, config=config,
                             flags=["--pod-name", "lb-1", "--namespace", "coracle", *flags])
        return self.daemon

    def lead(self):
        daemon = self.start()
        daemon.await_(lambda: daemon.logged("this pod leads:"))
        return daemon

    def address(self, name):
        with self.store.changed:
            ingress = self.store.objects["Service"][name]["status"].get("loadBalancer", {}).get("ingress", [])
            return ",".join(entry["ip"] for entry in ingress)

    def check_that_no_address_was_ever_twos(self):
        """By the API's own history."""
        holders = {}
        for _, kind, event_type, obj in self.store.history:
            name = obj["metadata"]["name"]
            ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress", [])
            if kind == "Service":
                holders[name] = {entry["ip"] for entry in ingress} if event_type != "DELETED" else set()
                everyone = [address for addresses in holders.values() for address in addresses]
                self.assertEqual(len(everyone), len(set(everyone)), holders)

    def relist_services(self, **fault):
        """Has the daemon list them anew, until the list is taken; what is answered meets the fault."""
        lists = len(self.api.snapshots)
        self.api.fail(on="list", kind="Service", **fault)
        self.api.end_watches.set()
        self.daemon.await_(lambda: len(self.api.snapshots) > lists)
        self.api.end_watches.clear()

    def await_told(self):
        """Until the watch has told of every Service."""
        with self.store.changed:
            last = [version for version, kind, _, _ in self.store.history if kind == "Service"][-1]
        self.daemon.await_(lambda: self.api.sent.get("Service", 0) >= last)

    def writes(self, on, name):
        """The bodies of those that were tried."""
        with self.store.changed:
            return [body for what, whose, _, body in self.api.requests if (what, whose) == (on, name)]


class Statuses(WritesTest):
    def test_text_with_a_nul_in_an_answer_is_no_failure(self):
        put_service(self.api, "web", annotations={"example.com/blob": "x\0y"})
        daemon = self.lead()
        daemon.await_(lambda: self.address("web"))
        time.sleep(1)
        self.assertEqual(len(self.writes("status", "web")), 1)
        self.assertEqual(self.api.count("list", "Service"), 2)  # at first, and as leader
        self.assertFalse(daemon.logged("cannot write a status"))

    def keep_changing(self, stopping):
        """So that a plan waits for more, and both answers are in it."""
        i = 0
        while not stopping.wait(0.005):
            i = i % 250 + 1
            put_slice(self.api, "idle", f"172.16.1.{i}")

    def test_list_that_began_before_a_write_does_not_undo_it(self):
        """Else the address it has just been given looks free, and goes to another Service too."""
        put_service(self.api, "idle", "10.1.0.9")
        daemon = self.lead()
        carried_out, listed = threading.Event(), threading.Event()
        self.api.fail(on="status", name="web-5", gate=carried_out)
        put_service(self.api, "web-5")
        daemon.await_(lambda: self.writes("status", "web-5"))
        put_service(self.api, "a-new")  # has to wait for its turn
        self.await_told()
        self.api.fail(on="watch", kind="Service", lines=[expired_line()])
        self.api.fail(on="watch", kind="Service", status=500)  # the one after the list comes a little late
        self.relist_services(hold=listed)
        stopping = threading.Event()
        threading.Thread(target=self.keep_changing, args=(stopping,), daemon=True).start()
        carried_out.set()
        daemon.await_(lambda: daemon.logged("address written to status", "service=web-5"))
        listed.set()
        daemon.await_(lambda: self.address("a-new"))
        stopping.set()
        time.sleep(0.5)
        self.assertEqual((self.address("web-5"), self.address("a-new")), ("10.1.0.1", "10.1.0.2"))
        self.check_that_no_address_was_ever_twos()

    def test_late_answer_does_not_bring_a_deleted_service_back(self):
        daemon = self.lead()
        answered = threading.Event()
        self.api.fail(on="status", name="web", hold=answered)
        put_slice(self.api, "web", "172.16.1.1")
        put_service(self.api, "web")
        daemon.await_config(lambda text: "virtual_server 10.1.0.1 80" in text)
        self.store.delete("Service", "web")
        daemon.await_config(lambda text: "virtual_server" not in text)
        answered.set()
        daemon.await_(lambda: daemon.logged("address written to status"))
        put_slice(self.api, "last", "172.16.1.2")
        put_service(self.api, "last", "10.1.0.77")
        daemon.await_config(lambda text: "virtual_server 10.1.0.77 80" in text)
        self.assertNotIn("virtual_server 10.1.0.1 80", daemon.config())

    def check_that_one_holds_up_no_other(self, status):
        """The first Service's status cannot be written for a while."""
        daemon = self.lead()
        self.api.fail(on="status", name="a-bad", status=status, times=1000)
        put_service(self.api, "a-bad")
        daemon.await_(lambda: len(self.writes("status", "a-bad")) >= 5)
        for i in range(3):
            put_service(self.api, f"web-{i}")
            took = daemon.await_(lambda name=f"web-{i}": self.address(name))
            self.assertLess(took, 1)
        self.api.faults.clear()
        daemon.await_(lambda: self.address("a-bad"))
        self.check_that_no_address_was_ever_twos()

    def test_status_that_is_refused_holds_up_no_other(self):
        self.check_that_one_holds_up_no_other(422)
        self.assertEqual(self.api.count("list", "Service"), 2, "listed although it is known that nothing was written")

    def test_status_whose_write_has_an_unknown_outcome_holds_up_no_other(self):
        self.check_that_one_holds_up_no_other(500)
        self.assertGreaterEqual(self.api.count("list", "Service"), 2 + 5)

    def test_refused_status_is_not_written_again_and_again(self):
        daemon = self.lead()
        self.api.fail(on="status", name="bad", status=422, times=1000)
        put_service(self.api, "bad")
        put_service(self.api, "idle", "10.1.0.9")
        daemon.await_(lambda: self.writes("status", "bad"))
        for i in range(20):  # each a reason to plan
            put_slice(self.api, "idle", f"172.16.1.{i + 1}")
            time.sleep(0.05)
        self.assertLess(len(self.writes("status", "bad")), 8)
        before = len(self.writes("status", "bad"))
        put_service(self.api, "bad")  # another version, which may be taken
        self.assertLess(daemon.await_(lambda: len(self.writes("status", "bad")) > before), 1)

    def test_write_that_lost_its_answer_is_neither_lost_nor_done_twice(self):
        daemon = self.lead()
        self.api.fail(on="status", name="web", cut=0)
        put_service(self.api, "web")
        daemon.await_(lambda: self.address("web"))
        put_service(self.api, "a-new")
        daemon.await_(lambda: self.address("a-new"))
        self.assertEqual((self.address("web"), self.address("a-new")), ("10.1.0.1", "10.1.0.2"))
        self.assertEqual(len(self.writes("status", "web")), 1)


class Leases(WritesTest):
    def holder(self):
        with self.store.changed:
            return self.store.named["leases"]["coracle", "coracle"]["spec"]["holderIdentity"]

    def test_pod_that_has_not_synced_does_not_run_for_leader(self):
        """It would hold the Lease, and nobody would assign anything."""
        self.api.fail(on="list", kind="EndpointSlice", status=500, times=1000)
        put_service(self.api, "web")
        daemon = self.start()
        daemon.await_(lambda: daemon.logged("resource=endpointslices", "reason=server_error"))
        time.sleep(3)
        self.assertEqual(self.api.count("get lease", "coracle"), 0)
        self.api.faults.clear()
        daemon.await_(lambda: self.address("web"))

    def test_leader_that_leaves_while_it_renews_gives_the_lease_back(self):
        daemon = self.lead()
        answered = threading.Event()
        self.api.fail(on="lease", hold=answered)
        renewals = len(self.writes("lease", "coracle"))
        daemon.await_(lambda: len(self.writes("lease", "coracle")) > renewals)
        daemon.process.terminate()
        daemon.await_(lambda: daemon.logged("leads no longer"))
        answered.set()
        daemon.await_(lambda: self.holder() == "")
        self.assertEqual(daemon.process.wait(10), 0)


class Events(WritesTest):
    def put_problem(self, name, address):
        put_service(self.api, name, address, annotations={"coracle.lb/scheduler": "round-robbin"})

    def posts(self, name):
        """Events that were to be created, of that Service."""
        with self.store.changed:
            return [body for on, event, _, body in self.api.requests
                    if on == "event" and event.startswith(name + ".") and "regarding" in body]

    def is_told(self, name):
        with self.store.changed:
            return any(event.startswith(name + ".") for _, event in self.store.named.get("events", {}))

    def test_event_that_is_refused_holds_up_no_other(self):
        """As in a namespace that is being deleted."""
        self.api.fail(on="event", name="a-bad", status=403, times=1000)
        daemon = self.lead()
        self.put_problem("a-bad", "10.1.0.1")
        daemon.await_(lambda: self.posts("a-bad"))
        self.put_problem("web", "10.1.0.2")
        daemon.await_(lambda: self.is_told("web"), 3)
        time.sleep(2)
        self.assertEqual(len(self.posts("a-bad")), 1)

    def test_event_that_fails_for_now_holds_up_no_other(self):
        self.api.fail(on="event", name="a-bad", status=503, times=5)
        daemon = self.lead()
        self.put_problem("a-bad", "10.1.0.1")
        daemon.await_(lambda: len(self.posts("a-bad")) >= 2)
        self.put_problem("web", "10.1.0.2")
        daemon.await_(lambda: self.is_told("web"), 2)
        self.assertFalse(self.is_told("a-bad"))
        daemon.await_(lambda: self.is_told("a-bad"))

    def test_event_that_the_api_has_forgotten_is_told_anew(self):
        daemon = self.lead()
        self.put_problem("web", "10.1.0.1")
        daemon.await_(lambda: self.is_told("web"))
        put_service(self.api, "web", "10.1.0.1")  # the problem goes
        daemon.await_(lambda: not daemon.status()["problems"])
        with self.store.changed:
            self.store.named["events"].clear()
        self.put_problem("web", "10.1.0.1")  # and comes again, as a series of what is no more
        daemon.await_(lambda: self.api.count("event", self.posts("web")[0]["metadata"]["name"]) == 2)
        time.sleep(0.2)
        put_service(self.api, "idle", "10.1.0.99")  # any reason to plan
        daemon.await_(lambda: self.is_told("web"), 3)

    def test_pod_that_leads_no_longer_tells_nothing(self):
        daemon = self.lead()
        self.api.fail(on="event", status=503, times=1000)
        self.put_problem("web", "10.1.0.1")
        daemon.await_(lambda: self.posts("web"))
        with self.store.changed:
            lease = self.store.named["leases"]["coracle", "coracle"]
            lease["spec"]["holderIdentity"] = "lb-2"
            self.store.version += 1
            lease["metadata"]["resourceVersion"] = str(self.store.version)
        daemon.await_(lambda: daemon.logged("leads no longer"))
        told = len(self.posts("web"))
        time.sleep(3)
        self.assertEqual(len(self.posts("web")), told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
