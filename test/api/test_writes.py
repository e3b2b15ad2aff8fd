"""What the real `coracle controller` writes as leader, to an API that misbehaves: an address belongs to one Service
whatever becomes of a write, and one write that fails holds up no other."""

import sys
import tempfile
import time
import unittest

from daemon import Daemon, Programs
from fake_api import FakeApi, put_service

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
