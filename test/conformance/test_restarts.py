"""The API server is killed and comes back, again and again, while endpoints change: nothing that stands is taken away,
no change is lost, and its absence costs nothing."""

import threading
import time

from api import ApiError, Unreachable
from harness import LONG, ConformanceTest, figure, main, virtual_servers

KILLS = 20 if LONG else 5
SERVICES = 20
AWAY_S = 60 if LONG else 15
CPU_GOAL = 0.01


class Writer(threading.Thread):
    """Changes one endpoint of every service in turn, as long as it is let; `wanted` is what the API has taken."""

    def __init__(self, shop):
        super().__init__(daemon=True)
        self.shop = shop
        self.stopping = threading.Event()
        self.changes = 0
        self.wanted = {}

    @staticmethod
    def fixed(i):
        return [f"172.16.{i}.1", f"172.16.{i}.2"]

    def addresses(self, i):
        self.changes += 1
        return [*self.fixed(i), f"172.17.{self.changes // 250 % 250}.{self.changes % 250 + 1}"]

    def begin(self):
        for i in range(SERVICES):
            self.wanted[i] = self.addresses(i)
            self.shop.service(f"web-{i}", [f"10.1.0.{i + 1}"])
            self.shop.slice(f"web-{i}", *self.wanted[i])

    def run(self):
        while not self.stopping.is_set():
            i = self.changes % SERVICES
            addresses = self.addresses(i)
            while True:
                try:
                    self.shop.change_slice(f"web-{i}", *addresses)
                    break
                except (Unreachable, ApiError):
                    time.sleep(0.1)
            self.wanted[i] = addresses
            time.sleep(0.02)

    def table(self):
        return {(f"10.1.0.{i + 1}", 80): {(address, 8080): 1 for address in addresses}
                for i, addresses in self.wanted.items()}


class Guard(threading.Thread):
    """Looks at every configuration for what must never be missing."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_ = daemon
        self.stopping = threading.Event()
        self.seen = 0
        self.missing = []

    def run(self):
        last = None
        while not self.stopping.wait(0.005):
            text = self.daemon_.config()
            if text == last:
                continue
            last = text
            self.seen += 1
            table = virtual_servers(text)
            for i in range(SERVICES):
                servers = table.get((f"10.1.0.{i + 1}", 80), {})
                if len(servers) != 3 or not {(a, 8080) for a in Writer.fixed(i)} <= servers.keys():
                    self.missing.append((i, servers))


class Restarts(ConformanceTest):
    def begin(self):
        writer = Writer(self.shop)
        writer.begin()
        daemon = self.start_daemon()
        self.await_servers(daemon, writer.table())
        return writer, daemon

    def test_killed_again_and_again_during_changes(self):
        writer, daemon = self.begin()
        settled = self.settle(daemon)
        guard = Guard(daemon)
        guard.start()
        writer.start()
        away, recovery = [], []
        for _ in range(KILLS):
            time.sleep(0.5)
            away.append(self.cluster.restart_apiserver())
            changes = writer.changes
            began = time.monotonic()
            daemon.await_(lambda n=changes: writer.changes > n + SERVICES, 60)
            wanted = {(f"10.1.0.{i + 1}", 80): writer.wanted[i][2] for i in range(SERVICES)}
            daemon.await_config(lambda text, w=wanted: self.has_passed(writer, text, w), 60)
            recovery.append(time.monotonic() - began)
        writer.stopping.set()
        writer.join(60)
        self.await_servers(daemon, writer.table())
        guard.stopping.set()
        guard.join(10)
        self.assertEqual(guard.missing, [], "taken away although it was there all the time")
        lists = {}
        for resource in ("services", "endpointslices"):
            good = [entry for entry in self.lists(resource, settled) if entry["responseStatus"]["code"] == 200]
            lists[resource] = len(good)
            self.assertLessEqual(len(good), KILLS + self.more_lists(resource), f"lists of {resource}")
        codes = {}
        for entry in self.requests():
            if entry["responseStatus"]["code"] >= 400:
                key = f"{entry['responseStatus']['code']} {entry['verb']}"
                codes[key] = codes.get(key, 0) + 1
        figure(f"API server killed {KILLS} times, away for {sum(away) / KILLS:.1f} s each; {writer.changes} changes, "
              f"{guard.seen} configurations, none lost; lists again: {lists}; refused meanwhile: {codes}; caught up "
              f"at the latest {max(recovery):.1f} s after it was ready")

    @staticmethod
    def has_passed(writer, text, wanted):
        """Every service is at least as new as `wanted`: what it had then, or what it has now."""
        table = virtual_servers(text)
        now = writer.table()
        return all((address, 8080) in table.get(key, {}) or table.get(key) == now[key]
                   for key, address in wanted.items())

    def test_waiting_for_the_api_costs_nothing(self):
        writer, daemon = self.begin()
        before = daemon.config()
        self.cluster.kill("kube-apiserver")
        time.sleep(0.2)
        used, began = daemon.cpu_s(), time.monotonic()
        time.sleep(AWAY_S)
        share = (daemon.cpu_s() - used) / (time.monotonic() - began)
        self.assertEqual(daemon.config(), before)
        self.assertTrue(daemon.status()["synced"])
        self.cluster.start_apiserver()
        self.cluster.await_ready()
        ready = time.monotonic()
        self.shop.change_slice("web-0", "172.16.99.99")
        daemon.await_config(lambda text: "172.16.99.99" in text, 60)
        figure(f"without the API: {share * 100:.2f} % of a core over {AWAY_S} s (goal 1); followed "
              f"{time.monotonic() - ready:.1f} s after it was ready again")
        self.assertLessEqual(share, CPU_GOAL)


if __name__ == "__main__":
    main()
