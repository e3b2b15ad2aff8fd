#!/usr/bin/env python3
"""The daemon's memory and its first sync, beside the size of what the API holds: 1,000 Services of 100 endpoints, then
changes without end. Prints figures; fails beyond hard limits.

    soak.py CORACLE KEEPALIVED-STUB TEMPLATES [CHANGES]     5,000 by default, 100,000 with CORACLE_TEST_LONG
"""

import json
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "api"))
from daemon import Daemon, Programs  # noqa: E402
from fake_api import FakeApi  # noqa: E402

ENDPOINTS = 100
SIZES = (250, 500, 1000)
BATCH = 500  # changes between two waits for the daemon
TIMES_JSON_MAX = 3.0
FLAT_MAX = 1.10  # the highest of the last fifth of the samples beside that of the first, once warm
GROWTH_MAX = 5  # for 4x the services; 16 would be quadratic
FOLLOW_S = 120  # a batch of changes, on a slow machine


def address(service, endpoint):
    return f"172.{16 + service // 256}.{service % 256}.{endpoint + 1}"


def put_slice(store, service, endpoints):
    """With all that a real controller's slices carry (test/fixtures/kube-1.36)."""
    name, uid = f"web-{service}", f"356a97a5-8fe9-4f2e-b353-{service:06d}"
    store.put("EndpointSlice", f"{name}-abcde", labels={"kubernetes.io/service-name": name},
              addressType="IPv4", ports=[{"name": "http", "protocol": "TCP", "port": 8080}],
              endpoints=[{"addresses": [a], "conditions": {"ready": True, "serving": True, "terminating": False},
                          "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"{name}-7c9d8b6f5-{i:05d}",
                                        "uid": f"{uid}{i:06d}"},
                          "nodeName": f"node{i % 5}", "zone": f"zone-{i % 3}"}
                         for i, a in enumerate(endpoints)])


def fill(store, services, endpoints=ENDPOINTS):
    for service in range(services):
        store.put("Service", f"web-{service}",
                  status={"loadBalancer": {"ingress": [{"ip": f"10.1.{service // 200}.{service % 200 + 1}",
                                                        "ipMode": "Proxy"}]}},
                  spec={"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp",
                        "ports": [{"name": "http", "port": 80}]})
        put_slice(store, service, [address(service, i) for i in range(endpoints)])
    store.history.clear()


def json_mb(store):
    return sum(len(json.dumps(obj, separators=(",", ":"))) for kind in store.objects.values()
               for obj in kind.values()) / 2**20


def rss_mb(daemon, what="VmRSS"):
    for line in pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(what)


def take_peak_mb(daemon):
    """The highest RSS since the last call: how much of it the allocator has given back just now comes and goes."""
    peak = rss_mb(daemon, "VmHWM")
    pathlib.Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5")
    return peak


def start(programs, api, directory, services):
    daemon = Daemon(programs, directory, f"https://127.0.0.1:{api.client_port}", api.token_file, api.ca_file)
    took = daemon.await_config(lambda text: text.count("virtual_server ") == services, patience_s=120)
    return daemon, took


def first_syncs(programs):
    """CPU seconds of the daemon until everything is in keepalived's configuration, by size: the best of three, since
    other work on the machine can only add."""
    costs = {}
    for services in SIZES * 3:
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            fill(api.store, services)
            api.start()
            daemon, took = start(programs, api, directory, services)
            time.sleep(1)
            cost = daemon.cpu_s()
            costs[services] = min(cost, costs.get(services, cost))
            print(f"{services:5d} services x {ENDPOINTS}: JSON {json_mb(api.store):5.1f} MB, first sync {took:5.2f} s, "
                  f"CPU {cost:5.2f} s, RSS {rss_mb(daemon):5.1f} MB "
                  f"({rss_mb(daemon) / json_mb(api.store):.2f}x)", flush=True)
            daemon.stop()
            api.stop()
    growth = costs[SIZES[-1]] / costs[SIZES[0]]
    print(f"figure: CPU grows {growth:.2f}x for {SIZES[-1] / SIZES[0]:.0f}x the services")
    return growth


def soak(programs, changes):
    samples = []
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as directory:
        api = FakeApi(directory)
        services = SIZES[-1]
        fill(api.store, services)
        api.start()
        daemon, _ = start(programs, api, directory, services)
        first = take_peak_mb(daemon)
        began = time.monotonic()
        for done in range(0, changes, BATCH):
            for _ in range(BATCH):
                service = rng.randrange(services)
                gone = rng.randrange(ENDPOINTS)  # a pod goes, another comes
                come = address(service, ENDPOINTS + rng.randrange(100))
                put_slice(api.store, service, [address(service, i) if i != gone else come for i in range(ENDPOINTS)])
            with api.store.changed:
                target = api.store.version
                if not api.store.changed.wait_for(lambda: api.sent.get("EndpointSlice", 0) >= target, FOLLOW_S):
                    raise AssertionError(f"the watch does not follow after {done} changes:\n{daemon.read_log()[-3000:]}")
                api.store.history.clear()
            daemon.await_config(lambda text, a=come: f"real_server {a} 8080" in text, FOLLOW_S)
            samples.append(take_peak_mb(daemon))
            if done // BATCH % max(1, changes // BATCH // 10) == 0:
                print(f"{done + BATCH:7d} changes, {time.monotonic() - began:6.0f} s: peak {samples[-1]:5.1f} MB", flush=True)
        ratio = max(first, *samples) / json_mb(api.store)
        fifth = max(1, len(samples) // 5)
        warm = samples[fifth:] if len(samples) > fifth else samples
        flat = max(warm[-fifth:]) / max(warm[:fifth])
        print(f"figure: {changes} changes: peak {first:.1f} MB at the first sync, {max(samples):.1f} MB afterwards, "
              f"{ratio:.2f}x the compact JSON at most (wanted: {TIMES_JSON_MAX:.0f}); "
              f"end beside beginning {flat:.3f} (wanted: 1)")
        daemon.stop()
        api.stop()
    return ratio, flat


def main():
    programs = Programs(*sys.argv[1:4])
    growth = first_syncs(programs)
    usual = 100000 if os.environ.get("CORACLE_TEST_LONG") else 5000
    ratio, flat = soak(programs, int(sys.argv[4]) if len(sys.argv) > 4 else usual)
    return growth > GROWTH_MAX or ratio > TIMES_JSON_MAX or flat > FLAT_MAX


if __name__ == "__main__":
    sys.exit(main())
