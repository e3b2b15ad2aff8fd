"""The gobgpd that hears of routes, and when it hears of them: the reflector of templates/, peer of whoever connects from here
or from the lab's guest."""
import json
import subprocess
import threading
import time

from addresses import HOST
from world import ROOT

from daemon import die_with_parent
from waiting import run, wait_for

AS = 65021
# test/bgp/site.yaml's keys; who may come and what they may say is wider, for MetalLB's speaker is no pod.
SITE = {"as": AS, "hold_time": 9, "keepalive_interval": 3, "password": False, "max_prefixes": 20000, "max_paths": 100000,
        "stale_time": 120, "reflectors": [{"address": HOST}], "router": {"name": "router", "address": "10.0.0.110"},
        "pod_ranges": ["10.0.0.0/8", "192.168.99.0/24"],
        "ipv4": {"node_network": "10.0.0.0/8", "pools": [{"prefix": "10.1.0.0/16", "lengths": "24..32", "min_length": 24,
                                                           "max_length": 32}]},
        "ipv6": False}


class Reflector:
    def __init__(self, coracle, directory):
        values, config = f"{directory}/site.json", f"{directory}/gobgpd.yml"
        with open(values, "w", encoding="ascii") as file:
            json.dump(SITE, file)
        with open(config, "w", encoding="utf-8") as file:
            file.write(run(coracle, "render", "--values", values, f"{ROOT}/templates/gobgpd-reflector.yml",
                           f"reflector.address={HOST}"))
        self.log = open(f"{directory}/gobgpd.log", "w", encoding="ascii")
        self.processes = [self.start("gobgpd", "-t", "yaml", "-f", config, "--api-hosts", "127.0.0.1:50051", stdout=self.log)]
        wait_for(lambda: subprocess.run(["gobgp", "neighbor"], capture_output=True, check=False).returncode == 0, "gobgpd")
        self.routes = {}   # prefix → (whether there is a path to it, since when)
        self.changed = threading.Condition()
        monitor = self.start("gobgp", "monitor", "global", "rib", "-j", stdout=subprocess.PIPE, text=True)
        self.processes.append(monitor)
        threading.Thread(target=self.read, args=[monitor.stdout], daemon=True).start()

    def start(self, *command, **options):
        return subprocess.Popen(command, stderr=self.log, preexec_fn=die_with_parent, **options)

    def read(self, lines):
        for line in lines:
            now = time.monotonic()
            with self.changed:
                for path in json.loads(line):
                    self.routes[path["nlri"]["prefix"]] = (not path.get("withdrawal", False), now)
                self.changed.notify_all()

    def count(self):
        with self.changed:
            return sum(there for there, _ in self.routes.values())

    def await_route(self, address, there, since, patience_s=60):
        """Seconds from then until there was a path, or none any more."""
        def reached():
            known = self.routes.get(f"{address}/32", (False, 0))
            return known[0] == there and known[1] >= since

        with self.changed:
            if not self.changed.wait_for(reached, patience_s):
                raise AssertionError(f"{address}: {'no path' if there else 'still a path'} after {patience_s} s")
            return self.routes[f"{address}/32"][1] - since

    def stop(self):
        for process in reversed(self.processes):  # or the monitor would tell of gobgpd's end
            process.kill()
            process.wait()
        self.log.close()
