"""How long a changed endpoint takes to keepalived's SIGHUP, debounce and keepalived's own check included: from before
the request that changes the slice until the signal is there, at 100 services."""

import os
import random
import statistics
import time

from harness import LONG, ConformanceTest, figure, main

SERVICES = 100
ENDPOINTS = 3
CHANGES = 500 if LONG else 100
# Goals for a machine that does nothing else; the limits tell a slow machine from a broken daemon.
MEDIAN_GOAL_MS, P99_GOAL_MS = 60, 250
MEDIAN_LIMIT_MS, P99_LIMIT_MS = 150, 600
PAUSES = random.Random(os.environ.get("CORACLE_TEST_SEED"))


def verdict(figure, goal):
    return f"{figure:.0f} ms (goal {goal}{'' if figure <= goal else ': MISSED'})"


class Delay(ConformanceTest):
    def measure(self, daemon):
        delays, writes = [], []
        for i in range(CHANGES):
            time.sleep(PAUSES.uniform(0, 0.05))
            name, number = f"web-{i % SERVICES}", self.next_address()
            began = time.time()
            self.shop.change_slice(name, *self.fixed(i % SERVICES), number)
            writes.append(time.time() - began)
            delays.append(daemon.await_hup(began, lambda text, a=number: f"real_server {a} 8080" in text) - began)
        return sorted(delay * 1000 for delay in delays), statistics.median(writes) * 1000

    def next_address(self):
        self.addresses += 1
        return f"172.17.{self.addresses // 250}.{self.addresses % 250 + 1}"

    @staticmethod
    def fixed(i):
        return [f"172.16.{i}.{j + 1}" for j in range(ENDPOINTS - 1)]

    def test_changed_endpoint_to_sighup(self):
        self.addresses = 0
        for i in range(SERVICES):
            self.shop.service(f"web-{i}", [f"10.1.0.{i + 1}"])
            self.shop.slice(f"web-{i}", *self.fixed(i), self.next_address())
        checks = [("no check of keepalived's", "")]
        if os.environ["CORACLE_TEST_KEEPALIVED"]:
            checks.insert(0, ("keepalived -t", os.environ["CORACLE_TEST_KEEPALIVED"]))
        for words, program in checks:
            pod = self.start_pod(environment={"CORACLE_TEST_KEEPALIVED": program})
            took = pod.daemon.await_config(lambda text: text.count("virtual_server ") == SERVICES)
            time.sleep(1)
            delays, write_ms = self.measure(pod.daemon)
            median, p99 = statistics.median(delays), delays[len(delays) * 99 // 100 - 1]
            figure(f"endpoint change → SIGHUP ({words}): median {verdict(median, MEDIAN_GOAL_MS)}, "
                  f"p99 {verdict(p99, P99_GOAL_MS)}, longest {delays[-1]:.0f} ms; {CHANGES} changes at {SERVICES} "
                  f"services of {ENDPOINTS} endpoints, {write_ms:.0f} ms of it the API's own write; first sync "
                  f"{took * 1000:.0f} ms")
            pod.daemon.stop()
            self.assertLess(median, MEDIAN_LIMIT_MS)
            self.assertLess(p99, P99_LIMIT_MS)


if __name__ == "__main__":
    main()
