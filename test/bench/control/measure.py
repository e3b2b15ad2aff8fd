"""coracle and kube-proxy beside a real API server: how soon a changed endpoint is where packets are sent, and what that costs.

    measure.py SERVERS KUBE-PROXY CORACLE KEEPALIVED-STUB FIGURES [SERVICES…]

To be run in a network namespace of its own, for kube-proxy writes its rules there. Each in its turn follows the same
Services of three endpoints each, in two rounds; FIGURES gets control_delay.csv and control_cost.csv.
"""
import concurrent.futures
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/api"), str(ROOT / "test/conformance")]
from cluster import Cluster  # noqa: E402
from daemon import Daemon, Programs, die_with_parent  # noqa: E402
from objects import Namespace, make_node  # noqa: E402

SIZES = (10, 100, 1000, 10000)
ENDPOINTS, ROUNDS, CHANGES, GAP_S, IDLE_S = 3, 2, 8, 1.0, 3
COSTS = ("tool", "services", "round", "sync_s", "sync_cpu_s", "idle_ms_per_s", "cpu_ms_per_change", "rss_mb")
TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """Of a process and of those it has started and that have ended (keepalived -t, nft)."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / TICK


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Coracle:
    """Until keepalived has its SIGHUP, keepalived's own check of the configuration included. The kernel may have no IPVS."""
    name = "coracle"

    def __init__(self, bench, directory):
        keepalived = shutil.which("keepalived", path="/usr/sbin:/usr/bin")
        self.daemon = Daemon(bench.programs, directory, pools="10.1.0.0/16",
                             flags=["--kubeconfig", str(bench.cluster.directory / "admin.json")],
                             environment={"CORACLE_TEST_KEEPALIVED": keepalived, "CORACLE_POD_NAME": "bench",
                                          "CORACLE_NAMESPACE": "default"})
        self.pid = self.daemon.process.pid

    def told(self):
        return self.daemon.read_log()

    def synced(self, services):
        return self.daemon.config().count("virtual_server ") == services

    def await_change(self, began, address):
        return self.daemon.await_hup(began, lambda text: f"real_server {address} 8080" in text, 60)

    def stop(self):
        self.daemon.stop()


class KubeProxy:
    """Until nftables tells of the rule."""
    name = "kube-proxy"

    def __init__(self, bench, directory):
        directory = pathlib.Path(directory)
        config = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
                  "clientConnection": {"kubeconfig": str(bench.cluster.directory / "admin.json")},
                  "clusterCIDR": "172.16.0.0/12", "hostnameOverride": "node-1", "bindAddress": "127.0.0.1",
                  "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
                  "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}}
        (directory / "config.json").write_text(json.dumps(config))
        self.seen = {}
        self.monitor = subprocess.Popen(["stdbuf", "-oL", "nft", "monitor"], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        threading.Thread(target=self.watch, daemon=True).start()
        with open(directory / "log", "w", encoding="ascii") as log:
            self.process = subprocess.Popen([bench.kube_proxy, f"--config={directory}/config.json"], stderr=log, stdout=log,
                                            preexec_fn=die_with_parent)
        self.pid = self.process.pid
        self.log = directory / "log"

    def watch(self):
        for line in self.monitor.stdout:
            now = time.time()
            for address in re.findall(r"\b(172\.\d+\.\d+\.\d+) \. 8080", line):
                self.seen[address] = now

    def told(self):
        return self.log.read_text()

    def synced(self, services):
        return len(self.seen) >= services * ENDPOINTS

    def await_change(self, began, address):
        while address not in self.seen:
            if time.time() - began > 60:
                raise AssertionError(f"{address} is not in nftables; {self.told()[-3000:]}")
            time.sleep(0.001)
        return self.seen[address]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.monitor.kill()
        self.monitor.wait()
        subprocess.run(["nft", "flush", "ruleset"], check=True)


class Bench:
    def __init__(self, servers, kube_proxy, coracle, stub, directory):
        self.kube_proxy, self.programs = kube_proxy, Programs(coracle, stub, str(ROOT / "templates"))
        self.cluster = Cluster(servers, directory)
        self.cluster.CONTROLLERS = ["serviceaccount-controller"]
        self.cluster.start()
        make_node(self.cluster.api, "node-1")
        self.cluster.api.patch("/api/v1/nodes/node-1/status",
                               {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}})
        self.shop = Namespace(self.cluster.api, "shop")
        self.directory, self.services, self.changes = directory, 0, 0
        self.last = {}  # of each changed service, the address that changes

    def grow(self, services):
        def make(number):
            self.shop.service(f"web-{number}", [f"10.1.{number // 200}.{number % 200 + 1}"])
            self.shop.slice(f"web-{number}", *self.addresses(number))

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(self.services, services)))
        self.services = services

    def addresses(self, number):
        fixed = [f"172.{16 + number // 5000 * 4 + i}.{number % 5000 // 250}.{number % 250 + 1}" for i in range(ENDPOINTS)]
        return fixed[:-1] + [self.last.get(number, fixed[-1])]

    def change(self, tool):
        """Seconds from before the request that changes a slice until the tool has done what follows from it."""
        self.changes += 1
        number = self.changes * 7 % self.services
        self.last[number] = f"172.31.{self.changes // 250}.{self.changes % 250 + 1}"
        began = time.time()
        self.shop.change_slice(f"web-{number}", *self.addresses(number))
        return tool.await_change(began, self.last[number]) - began

    def run(self, kind, turn):
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            began = time.monotonic()
            tool = kind(self, directory)
            try:
                while not tool.synced(self.services):
                    assert time.monotonic() - began < 120, f"{kind.name}: {tool.told()[-3000:]}"
                    time.sleep(0.05)
                sync_s = time.monotonic() - began
                time.sleep(3)
                sync_cpu = cpu_s(tool.pid)
                time.sleep(IDLE_S)
                idle = (cpu_s(tool.pid) - sync_cpu) / IDLE_S
                self.cluster.api.local.connection = None  # it may have rested for longer than the server keeps it
                before, delays = cpu_s(tool.pid), []
                for _ in range(CHANGES):
                    delays.append(self.change(tool))
                    time.sleep(GAP_S)
                per_change = (cpu_s(tool.pid) - before - idle * CHANGES * GAP_S) / CHANGES
                cost = (kind.name, self.services, turn, f"{sync_s:.2f}", f"{sync_cpu:.2f}", f"{idle * 1000:.1f}",
                        f"{per_change * 1000:.1f}", f"{rss_mb(tool.pid):.1f}")
                return [(kind.name, self.services, turn, f"{delay:.4f}") for delay in delays], cost
            finally:
                tool.stop()


def write(path, header, rows):
    with open(path, "w", encoding="ascii", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main():
    servers, kube_proxy, coracle, stub, figures = sys.argv[1:6]
    sizes = [int(word) for word in sys.argv[6:]] or SIZES
    delays, costs = [], []
    os.makedirs(figures, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(servers, kube_proxy, coracle, stub, directory)
        try:
            for services in sizes:
                bench.grow(services)
                for turn in range(ROUNDS):
                    for kind in (Coracle, KubeProxy):
                        some, cost = bench.run(kind, turn)
                        delays += some
                        costs.append(cost)
                        write(f"{figures}/control_delay.csv", ("tool", "services", "round", "seconds"), delays)
                        write(f"{figures}/control_cost.csv", COSTS, costs)
                        print(*cost, "median", sorted(float(row[3]) for row in some)[len(some) // 2], flush=True)
        finally:
            bench.cluster.stop()


main()
