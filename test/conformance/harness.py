"""What every test of the suite begins and ends with: a cluster per program, a daemon per test."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/api"))

from cluster import Cluster  # noqa: E402
from daemon import Daemon, Programs  # noqa: E402
from objects import Account, Namespace, make_node  # noqa: E402


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--coracle", required=True)
    parser.add_argument("--keepalived-stub", required=True)
    parser.add_argument("--servers", help="a folder with other servers than build-servers makes")
    parser.add_argument("--long", action="store_true", default=bool(os.environ.get("CORACLE_TEST_LONG")))
    found, sys.argv[1:] = parser.parse_known_args()
    return found


def find_servers():
    built = subprocess.run([ROOT / "test/conformance/build-servers"], stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        sys.exit(built.returncode)  # 77, a skip, where they cannot be built
    return built.stdout.strip()


def figure(text):
    """What test/run shows although the test succeeds."""
    print(f"figure: {text}", flush=True)


OPTIONS = options()
PROGRAMS = Programs(OPTIONS.coracle, OPTIONS.keepalived_stub, str(ROOT / "templates"))
SERVERS = OPTIONS.servers or find_servers()
LONG = OPTIONS.long
LEADS = "this pod leads:"
LEADS_S = 60     # a lease of 15 s may have to run out first
RELIST_S = 270   # the slow re-list: every 300 s, give or take a tenth


def virtual_servers(text):
    """{(vip, port): {(address, port): weight}} of keepalived's configuration."""
    found, servers = {}, {}
    for line in re.finditer(r"^ *(virtual_server|real_server) (\S+) (\d+) \{(?:\n *weight (\d+))?", text, re.M):
        word, address, port, weight = line.groups()
        if word == "virtual_server":
            servers = found[address, int(port)] = {}
        else:
            servers[address, int(port)] = int(weight)
    return found


class Pod:
    """A directory with what Kubernetes mounts into an LB pod, and the daemon in it."""

    def __init__(self, cluster, account, directory, url=None, environment=None, **daemon):
        self.directory = pathlib.Path(directory)
        self.name = self.directory.name
        self.directory.mkdir(parents=True)
        self.account = account
        self.began = time.monotonic()
        self.token_file = self.directory / "token"
        self.secret = None
        self.renew_token()
        self.daemon = Daemon(PROGRAMS, self.directory, url or cluster.url, self.token_file, cluster.ca_file,
                             environment={"CORACLE_POD_NAME": self.name, "CORACLE_NAMESPACE": Account.NAMESPACE,
                                          **(environment or {})}, **daemon)

    def renew_token(self):
        """As the kubelet does: another file takes the name. Returns the secret that the one before was bound to."""
        before = self.secret
        text, self.secret = self.account.token()
        fresh = self.directory / "token.new"
        fresh.write_text(text)
        fresh.rename(self.token_file)
        return before


class ConformanceTest(unittest.TestCase):
    """`self.shop` is a namespace for the test's objects; `self.start_pod()` gives an LB pod that serves them."""

    @classmethod
    def setUpClass(cls):
        keepalived = shutil.which("keepalived", path=os.environ["PATH"] + ":/usr/sbin")
        os.environ["CORACLE_TEST_KEEPALIVED"] = keepalived or ""
        cls.temporary = tempfile.TemporaryDirectory(prefix="coracle-conformance-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.directory = pathlib.Path(cls.temporary.name)
        cls.cluster = Cluster(SERVERS, cls.directory)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.api = cls.cluster.api
        cls.account = Account(cls.api, ROOT / "deploy")
        cls.used_rights = set()
        make_node(cls.api, "node-1")

    def setUp(self):
        name = re.sub("[^a-z0-9]+", "-", self._testMethodName.lower())[:50].strip("-")
        self.began = self.cluster.audit_size()
        self.shop = Namespace(self.api, name)
        self.pods = []
        self.led_before = 0
        self.may_be_forbidden = False
        # in this order at the end: the daemons first, so that they do not see the clearing
        self.addCleanup(self.shop.clear)
        self.addCleanup(self.stop_pods)

    def start_pod(self, **options):
        pod = Pod(self.cluster, self.account, self.directory / self.shop.name / f"coracle-{len(self.pods)}", **options)
        self.pods.append(pod)
        return pod

    def start_daemon(self, **options):
        return self.start_pod(**options).daemon

    def stop_pods(self):
        for pod in self.pods:
            pod.daemon.process.send_signal(signal.SIGCONT)  # a test may have failed with one stopped
            pod.daemon.stop()
            self.assertNotIn(pod.token_file.read_text(), pod.daemon.read_log(), "a token in the log")
        if not self.may_be_forbidden:
            self.check_rights()

    def await_servers(self, daemon, wanted):
        try:
            daemon.await_config(lambda text: virtual_servers(text) == wanted)
        except AssertionError:
            self.assertEqual(virtual_servers(daemon.config()), wanted, daemon.read_log())

    def settle(self, daemon):
        """Until it leads, for then it lists the Services once more; so that a test can count lists from here on.
        Returns the place in the audit log."""
        daemon.await_(lambda: daemon.logged(LEADS), LEADS_S)
        known = -1
        while known != len(self.lists("services")):
            known = len(self.lists("services"))
            time.sleep(1)
        self.led_before = self.times_led()
        return self.cluster.audit_size()

    def times_led(self):
        return sum(pod.daemon.read_log().count(LEADS) for pod in self.pods)

    def more_lists(self, resource):
        """How many lists there may be for another reason than the test's: the slow re-list, and of Services one whenever
        the pod has lost its lease (a machine that hangs for some seconds is enough) and leads again."""
        slow = sum(int((time.monotonic() - pod.began) / RELIST_S) for pod in self.pods)
        return slow + (self.times_led() - self.led_before if resource == "services" else 0)

    def check_rights(self):
        """Every request of the daemons is covered by the shipped roles; those that were of use are added to
        `used_rights`."""
        rights = set(self.account.rights())
        for entry in self.requests(user=True):
            what = entry["objectRef"]
            resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
            of_use = {right for right in rights
                      if right[:3] == (what.get("apiGroup", ""), resource, entry["verb"])
                      and right.name in (None, what.get("name")) and right.namespace in (None, what.get("namespace"))}
            self.assertTrue(of_use, f"not in the shipped roles: {entry['verb']} {entry['requestURI']}")
            # An API server that has just started may refuse for a moment what it will allow.
            if not self.cluster.restarts:
                self.assertEqual(entry["annotations"]["authorization.k8s.io/decision"], "allow", entry["requestURI"])
            self.used_rights |= of_use

    # ---- what the API was asked ----

    def requests(self, since=None, user=False, **wanted):
        """The audit log's entries of the daemons, e.g. verb="list", resource="services"; those of a refused token
        are nobody's, and left out if a user is wanted."""
        users = {Account.USER} if user else {Account.USER, None, ""}
        for entry in self.cluster.audit(self.began if since is None else since):
            what = entry.get("objectRef", {})
            if entry.get("user", {}).get("username") in users and all(
                    {**what, **entry}.get(key) == value for key, value in wanted.items()):
                yield entry

    def lists(self, resource, since=None):
        """Lists that were begun, whatever their number of pages."""
        return [entry for entry in self.requests(since, verb="list", resource=resource)
                if "continue=" not in entry["requestURI"]]

    def assert_listed(self, times, since):
        """How often each kind was listed from its beginning, after settle()."""
        for resource in ("services", "endpointslices"):
            lists = self.lists(resource, since)
            self.assertIn(len(lists), range(times, times + self.more_lists(resource) + 1), f"{resource}: " + ", ".join(
                f"{entry['requestReceivedTimestamp']} {entry['requestURI']} {entry['responseStatus']}"
                for entry in lists) + "\n" + "\n".join(pod.daemon.read_log() for pod in self.pods))

    def refused(self, status, since=None):
        return [entry for entry in self.requests(since) if entry.get("responseStatus", {}).get("code") == status]


def main():
    # a connection per thread stays open until the end
    unittest.main(verbosity=2, warnings="ignore")
