"""coracle and kube-proxy: how soon a changed endpoint is where packets are sent, and what that costs."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

from world import fine_cpu_s, rss_mb

from daemon import Daemon, die_with_parent

CHANGES, GAP_S, REST_S, IDLE_S = 8, 1.0, 3, 6
SYNC_S = 600  # kube-proxy's iptables mode, 10,000 Services, a busy machine
TIMES = ("tool", "services", "round", "seconds")
COSTS = ("tool", "services", "round", "sync_s", "sync_cpu_s", "idle_ms_per_s", "cpu_ms_per_change", "rss_mb")
METRICS = "127.0.0.1:10249"
NETLINK_NETFILTER, NFNLGRP_NFTABLES, SO_RCVBUFFORCE = 12, 7, 33  # of the kernel's headers; Python has no names for them
WRITTEN = r'^kubeproxy_sync_proxy_rules_last_timestamp_seconds\{ip_family="IPv4"\} [1-9]'


class Coracle:
    """Until keepalived has its SIGHUP, keepalived's own check of the configuration included. The kernel may have no IPVS."""
    name = "coracle"

    def __init__(self, bench, directory):
        keepalived = shutil.which("keepalived", path="/usr/sbin:/usr/bin")
        self.daemon = Daemon(bench.programs, directory, pools="10.1.0.0/16",
                             flags=["--kubeconfig", str(bench.world.cluster.directory / "admin.json")],
                             environment={"CORACLE_TEST_KEEPALIVED": keepalived, "CORACLE_POD_NAME": "bench",
                                          "CORACLE_NAMESPACE": "default"})
        self.pid = self.daemon.process.pid

    def told(self):
        return self.daemon.read_log()

    def synced(self, services):
        return self.daemon.config().count("virtual_server ") == services

    def watch(self):
        pass

    def await_change(self, began, address):
        return self.daemon.await_hup(began, lambda text: f"real_server {address} 8080" in text, 60)

    def stop(self):
        self.daemon.stop()


class KubeProxy:
    """Until the kernel tells of a change of nftables' rules with the address, whichever mode has made it."""

    def __init__(self, bench, directory):
        self.directory = pathlib.Path(directory)
        config = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": self.mode,
                  "clientConnection": {"kubeconfig": str(bench.world.cluster.directory / "admin.json")},
                  "clusterCIDR": "172.16.0.0/12", "hostnameOverride": "node-1", "bindAddress": "127.0.0.1",
                  "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": METRICS,
                  "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}}
        (self.directory / "config.json").write_text(json.dumps(config))
        self.rules = None
        with open(self.directory / "log", "w", encoding="ascii") as log:
            self.process = subprocess.Popen([bench.kube_proxy, f"--config={directory}/config.json"], stderr=log, stdout=log,
                                            preexec_fn=die_with_parent, env={**os.environ, "PATH": self.path()})
        self.pid = self.process.pid

    def path(self):
        """In which kube-proxy finds iptables: the variant that is rules of nftables, whatever this machine's default is."""
        programs = self.directory / "bin"
        programs.mkdir()
        for name in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                (programs / (name + suffix)).symlink_to("/usr/sbin/xtables-nft-multi")
        return f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin"

    def told(self):
        return (self.directory / "log").read_text()[-3000:]

    def synced(self, _services):
        """It writes nothing before it knows all Services and their endpoints."""
        try:
            with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=5) as answer:
                return re.search(WRITTEN, answer.read().decode(), re.MULTILINE)
        except OSError:  # it does not listen yet
            return False

    def watch(self):
        """From now on, for the first sync is thousands of messages."""
        self.rules = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.rules.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
        self.rules.bind((0, 1 << (NFNLGRP_NFTABLES - 1)))
        self.rules.settimeout(60)

    def await_change(self, began, address):
        """The messages are not decoded: nothing else has the address's four bytes."""
        while socket.inet_aton(address) not in self.rules.recv(1 << 20):
            assert time.time() - began < 60, f"{address} is not in nftables; {self.told()}"
        return time.time()

    def stop(self):
        self.process.kill()
        self.process.wait()
        if self.rules:
            self.rules.close()
        subprocess.run(["nft", "flush", "ruleset"], check=True)


class Nftables(KubeProxy):
    name, mode = "kube-proxy nftables", "nftables"


class Iptables(KubeProxy):
    name, mode = "kube-proxy iptables", "iptables"


def measure(bench, kind, turn):
    """Rows of the delays, and one of the costs."""
    services = bench.world.services
    with tempfile.TemporaryDirectory(dir=bench.directory) as directory:
        began = time.monotonic()
        tool = kind(bench, directory)
        try:
            while not tool.synced(services):
                assert time.monotonic() - began < SYNC_S, f"{kind.name}: {tool.told()}"
                time.sleep(0.1)
            sync_s = time.monotonic() - began
            time.sleep(REST_S)
            sync_cpu = fine_cpu_s(tool.pid)
            time.sleep(IDLE_S)
            idle = (fine_cpu_s(tool.pid) - sync_cpu) / IDLE_S
            tool.watch()
            bench.world.refresh()
            before, delays = fine_cpu_s(tool.pid), []
            for _ in range(CHANGES):
                began = time.time()
                delays.append(tool.await_change(began, bench.world.change()) - began)
                time.sleep(GAP_S)
            per_change = (fine_cpu_s(tool.pid) - before - idle * CHANGES * GAP_S) / CHANGES
            return [(kind.name, services, turn, f"{delay:.4f}") for delay in delays], \
                [(kind.name, services, turn, f"{sync_s:.2f}", f"{sync_cpu:.2f}", f"{idle * 1000:.2f}",
                  f"{per_change * 1000:.1f}", f"{rss_mb(tool.pid):.1f}")]
        finally:
            tool.stop()
