"""What the measurements of the control plane share: a control plane of one's own with Services in it, and what processes cost."""
import concurrent.futures
import csv
import json
import os
import pathlib
import re
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/api"), str(ROOT / "test/conformance"), str(ROOT / "test")]
from addresses import HERE, HOST  # noqa: E402
from cluster import Cluster  # noqa: E402
from objects import ADDRESS, SERVICES, Namespace, make_node  # noqa: E402

ENDPOINTS = 3
TICK = os.sysconf("SC_CLK_TCK")
REST_WINDOW_S = 2


def cpu_s(pid):
    """Of a process and of those it has started and that have ended (keepalived -t, nft)."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / TICK


def fine_cpu_s(pid):
    """The same, but of the process itself by the scheduler's clock instead of by ticks; without threads that have ended."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9 + \
        sum(map(int, words[13:15])) / TICK


def await_rest(spent, most, patience_s):
    """Waits until what spent() tells, seconds of CPU, grows by less than `most` a second, in two windows one after the other.
    A tool that has all it needs may still be at work."""
    deadline, quiet, before = time.monotonic() + patience_s, 0, spent()
    while quiet < 2 and time.monotonic() < deadline:
        time.sleep(REST_WINDOW_S)
        now = spent()
        quiet = quiet + 1 if now - before < most * REST_WINDOW_S else 0
        before = now


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def write(directory, name, header, rows):
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/{name}.csv", "w", encoding="ascii", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


class OpenCluster(Cluster):
    """The lab's guest reaches it too."""

    LISTEN = "0.0.0.0"
    NAMES = f"IP:127.0.0.1,IP:{HOST}"
    CONTROLLERS = ["serviceaccount-controller"]


class World:
    """Services web-N of three endpoints each, with their addresses, for whoever follows them."""

    def __init__(self, servers, directory):
        self.cluster = OpenCluster(servers, directory)
        self.cluster.start()
        self.api = self.cluster.api
        make_node(self.api, "node-1")
        self.api.patch("/api/v1/nodes/node-1/status", {"status": {"addresses": [{"type": "InternalIP", "address": HERE}]}})
        self.shop = Namespace(self.api, "shop")
        self.directory, self.services, self.changes = directory, 0, 0
        self.last = {}  # of each changed service, the address that changes

    def stop(self):
        self.cluster.stop()

    def grow(self, services):
        def make(number):
            self.shop.service(f"web-{number}", [f"10.1.{number // 200}.{number % 200 + 1}"])
            self.shop.slice(f"web-{number}", *self.addresses(number))

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(self.services, services)))
        self.services = services

    def restore(self):
        """What a tool has written into the Services is not for the next to find: with another ipMode it has other work."""
        self.refresh()
        for item in self.api.get(self.shop.path(SERVICES))["items"]:
            name, notes = item["metadata"]["name"], item["metadata"]["annotations"]
            addresses, modes = zip(*((ingress["ip"], ingress["ipMode"]) for ingress in item["status"]["loadBalancer"]["ingress"]))
            foreign = {key: None for key in notes if key != ADDRESS}
            if foreign:
                self.api.patch(self.shop.path(SERVICES, name), {"metadata": {"annotations": foreign}})
            if set(modes) != {"Proxy"}:
                self.shop.set_addresses(name, *addresses)

    def addresses(self, number):
        fixed = [f"172.{16 + number // 5000 * 4 + i}.{number % 5000 // 250}.{number % 250 + 1}" for i in range(ENDPOINTS)]
        return fixed[:-1] + [self.last.get(number, fixed[-1])]

    def change(self):
        """Another address in the place of one endpoint of one Service; returns it."""
        self.changes += 1
        number = self.changes * 7 % self.services
        self.last[number] = f"172.31.{self.changes // 250}.{self.changes % 250 + 1}"
        self.shop.change_slice(f"web-{number}", *self.addresses(number))
        return self.last[number]

    def refresh(self):
        """The tests' connection may have rested for longer than the server keeps it."""
        self.api.local.connection = None

    def kubeconfig(self, directory, namespace, account, host="127.0.0.1"):
        """For a service account, whose token lies beside it too; returns its path."""
        directory = pathlib.Path(directory)
        self.refresh()
        token = self.api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
                                {"spec": {"expirationSeconds": 86400}})["status"]["token"]
        (directory / f"{account}.token").write_text(token)
        (directory / "ca.crt").write_bytes((self.cluster.directory / "ca.crt").read_bytes())
        path = directory / f"{account}.json"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": f"https://{host}:{self.cluster.port}",
                                                       "certificate-authority": "ca.crt"}}],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": account}}]}))
        return path
