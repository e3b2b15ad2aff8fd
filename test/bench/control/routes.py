"""Coracle and MetalLB in the lab's guest, where both are whole: how soon a new Service has its address and its route, how soon
the route goes with the last endpoint, comes back with the first, and goes with the Service.

    routes.py LAB SERVERS METALLB CORACLE FIGURES [SERVICES…]

LAB is a directory of test/lab that host.py serves, its guest booted with guest.py. Everything else (API server, reflector, the
watching) runs on the host, by one clock, in the namespace that control/namespace makes. FIGURES gets control_routes.csv.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import metallb
import life
from addresses import GUEST, HOST, POD, POOL
from reflector import AS, Reflector
from world import ROOT, World, await_rest, cpu_s, write

from objects import Account
from waiting import run, wait_for

SIZES = (10, 1000)
ROUNDS, SERVICES, GAP_S = 2, 3, 1.5
SYNC_S = 300
# Checks are rare, or the guest's one CPU would do nothing else.
CONFIG = f"""pools: [{{name: public, prefixes: [{POOL}]}}]
bgp: {{localAS: {AS}, reflectors: [{{address: {HOST}, as: {AS}}}]}}
defaults: {{healthCheck: {{type: tcp, interval: 30, timeout: 1, retries: 1}}}}
"""
TREE, OUT = "/mnt/tree", "/mnt/out/bench"  # as the guest sees them
# as test/lab/guest/fig6.py has it, and the exabgp image
EXABGP = {"exabgp_daemon_drop": "false", "exabgp_daemon_user": "root", "exabgp_log_destination": "stdout", "exabgp_api_cli": "false"}


class Guest:
    def __init__(self, lab):
        self.lab, self.out = pathlib.Path(lab), pathlib.Path(lab) / "bench"
        self.out.mkdir(exist_ok=True)

    def run(self, *words):
        done = subprocess.run([sys.executable, ROOT / "test/lab/client.py", self.lab, "shell", "guest",
                               "python3", "-E", "-s", "-S", f"{TREE}/test/bench/control/guest.py", *words],
                              stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"guest.py {words}: {done.stdout}")

    def cpu_s(self):
        """Of all of the guest's processes, which are a session of the host's."""
        host = (self.lab / "pid").read_text().strip()
        guest = pathlib.Path(f"/proc/{host}/task/{host}/children").read_text().split()[0]
        spent = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getsid(int(pid)) == int(guest):
                    spent += cpu_s(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended meanwhile: its time is its parent's by now
        return spent

    def tell(self, name, what):
        (self.out / name).write_text(json.dumps(what))


def equip(guest, world, coracle, programs):
    """What either of them needs, where the guest finds it; the names are those that `guest.py up` takes."""
    world.kubeconfig(guest.out, Account.NAMESPACE, "coracle", HOST)
    for name in ("controller", "speaker"):
        world.kubeconfig(guest.out, metallb.NAMESPACE, name, HOST)
    config = guest.out / "coracle.yaml"
    config.write_text(CONFIG)
    (guest.out / "exabgp.conf").write_text(run(coracle, "render", "--config", config, "--templates", ROOT / "templates",
                                               "--output", "exabgp", "--pod-address", POD, "--node-address", GUEST))
    guest.tell("Coracle", [
        ("exabgp", True, ["exabgp", f"{OUT}/exabgp.conf"], EXABGP),
        ("ipvs", True, ["coracle", "controller", "--config", f"{OUT}/coracle.yaml", "--templates", f"{TREE}/templates",
                        "--server", f"https://{HOST}:{world.cluster.port}", "--token-file", f"{OUT}/coracle.token",
                        "--ca-file", f"{OUT}/ca.crt", "--pod-name", "lb", "--namespace", Account.NAMESPACE], {})])
    guest.tell("MetalLB", [(name, False, command, metallb.environment(name))
                           for name, command in metallb.commands(OUT, programs).items()])


def measure(world, guest, reflector, statuses, tool, turn):
    services = world.services
    wait_for(lambda: reflector.count() == 0, "no route is left", 60)
    began = time.monotonic()
    guest.run("up", tool)
    try:
        wait_for(lambda: reflector.count() == services, f"{tool}: {services} routes, there are {reflector.count()}", SYNC_S,
                 every=0.1)
        print(f"{tool}, {services} Services: all routes after {time.monotonic() - began:.1f} s", flush=True)
        await_rest(guest.cpu_s, 0.3, 60)
        print(f"{tool}, {services} Services: at rest after {time.monotonic() - began:.1f} s", flush=True)
        return [(tool, services, turn, what, f"{seconds:.4f}") for _ in range(SERVICES)
                for what, seconds in life.service(world, statuses, reflector, lambda: reflector.count() == services,
                                                   GAP_S).items()]
    finally:
        guest.run("down")
        world.restore()


def main():
    lab, servers, programs, coracle, figures = sys.argv[1:6]
    sizes = [int(word) for word in sys.argv[6:]] or SIZES
    rows, guest = [], Guest(lab)
    with tempfile.TemporaryDirectory() as directory:
        world = World(servers, directory)
        try:
            Account(world.api, ROOT / "deploy")
            metallb.install(world, f"{programs}/metallb-native.yaml")
            equip(guest, world, coracle, programs)
            reflector, statuses = Reflector(coracle, directory), life.Statuses(world)
            try:
                for services in sizes:
                    world.grow(services)
                    for turn in range(ROUNDS):
                        for tool in ("Coracle", "MetalLB"):
                            rows += measure(world, guest, reflector, statuses, tool, turn)
                            write(figures, "control_routes", life.TIMES, rows)
                            print(*(" ".join(row[3:]) for row in rows[-5:]), flush=True)
            finally:
                reflector.stop()
        finally:
            world.stop()


if __name__ == "__main__":
    main()
