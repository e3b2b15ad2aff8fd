"""coracle beside kube-proxy and MetalLB, with a real API server:

    beside.py SERVERS KUBE-PROXY METALLB CORACLE KEEPALIVED-STUB FIGURES [SERVICES…]

To be run in a network namespace of its own (control/namespace), for kube-proxy writes its rules there. Each tool in its turn
follows the same Services of three endpoints each, in two rounds; 10,000 Services in one, and not all. FIGURES gets
control_{delay,cost,balancers,balancers_cost}.csv. A tool that fails is left out of them, and named at the end.
"""
import os
import sys
import tempfile
import time
import traceback

import balancers
import life
import metallb
import proxies
from addresses import HERE
from reflector import Reflector
from world import ROOT, World, write

from daemon import Programs
from objects import Account

SIZES = (10, 100, 1000, 10000)
ROUNDS, MANY = 2, 10000  # so many Services take minutes: one round, of those that are done with it in one or two
WITH_MANY = (proxies.Coracle, proxies.Nftables)
PROXIES, BALANCERS = (*WITH_MANY, proxies.Iptables), (balancers.Coracle, balancers.MetalLB)


def kinds(services):
    if services >= MANY:
        return [(proxies, kind) for kind in WITH_MANY]
    return [(proxies, kind) for kind in PROXIES] + [(balancers, kind) for kind in BALANCERS]


class Bench:
    def __init__(self, servers, kube_proxy, metallb_programs, coracle, stub, directory):
        self.kube_proxy, self.metallb, self.directory = kube_proxy, metallb_programs, directory
        self.programs = Programs(coracle, stub, str(ROOT / "templates"))
        self.world = World(servers, directory)
        Account(self.world.api, ROOT / "deploy")
        metallb.install(self.world, f"{metallb_programs}/metallb-native.yaml", HERE)
        self.reflector = Reflector(self.programs.coracle, directory)
        self.statuses = life.Statuses(self.world)

    def stop(self):
        self.reflector.stop()
        self.world.stop()


def main():
    servers, kube_proxy, metallb_programs, coracle, stub, figures = sys.argv[1:7]
    sizes = [int(word) for word in sys.argv[7:]] or SIZES
    rows, failed = {proxies: ([], []), balancers: ([], [])}, []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(os.path.abspath(servers), kube_proxy, metallb_programs, coracle, stub, directory)
        try:
            for services in sizes:
                bench.world.grow(services)
                print(f"{services} Services after {time.monotonic() - began:.0f} s", flush=True)
                for turn in range(ROUNDS if services < MANY else 1):
                    for module, kind in kinds(services):
                        try:
                            for so_far, more in zip(rows[module], module.measure(bench, kind, turn)):
                                so_far += more
                            print(*rows[module][1][-1], f"after {time.monotonic() - began:.0f} s", flush=True)
                        except Exception:  # the others' figures are still wanted
                            traceback.print_exc()
                            failed.append(f"{kind.name} with {services} Services")
                        write(figures, "control_delay", proxies.TIMES, rows[proxies][0])
                        write(figures, "control_cost", proxies.COSTS, rows[proxies][1])
                        write(figures, "control_balancers", life.TIMES, rows[balancers][0])
                        write(figures, "control_balancers_cost", balancers.COSTS, rows[balancers][1])
        finally:
            bench.stop()
    if failed:
        sys.exit(f"beside.py: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
