"""Coracle and MetalLB on this machine: how soon a new Service has its address, what following N Services costs, at rest and with
each change. Of Coracle it is the controller: what else an LB pod consists of is measured by parts.py and checks.py."""
import shutil
import sys
import tempfile
import time

import metallb
import life
from addresses import POOL
from world import await_rest, fine_cpu_s, rss_mb

from daemon import Daemon
from objects import Account
from waiting import wait_for

CHANGES, SERVICES, GAP_S, IDLE_S = 8, 3, 1.0, 6
SYNC_S = 300
COSTS = ("tool", "program", "services", "round", "sync_s", "sync_cpu_s", "idle_ms_per_s", "cpu_ms_per_change", "cpu_ms_per_service",
         "rss_mb")


class Coracle:
    """With the rights of deploy/, and a stand-in for keepalived, because this machine's kernel may have no IPVS; what it
    checks is checked by the real one."""
    name = "Coracle"
    announces = False  # without a table that can be verified

    def __init__(self, bench, directory):
        self.world = bench.world
        bench.world.kubeconfig(directory, Account.NAMESPACE, "coracle")
        keepalived = shutil.which("keepalived", path="/usr/sbin:/usr/bin")
        self.daemon = Daemon(bench.programs, directory, bench.world.cluster.url, f"{directory}/coracle.token",
                             f"{directory}/ca.crt", pools=POOL,
                             environment={"CORACLE_TEST_KEEPALIVED": keepalived, "CORACLE_POD_NAME": "bench",
                                          "CORACLE_NAMESPACE": Account.NAMESPACE})

    def pids(self):
        return {"coracle": self.daemon.process.pid}

    def follows(self, services):
        return self.daemon.config().count("virtual_server ") == services and self.daemon.logged("this pod leads:")

    def told(self):
        return self.daemon.read_log()[-3000:]

    def stop(self):
        self.daemon.stop()


class MetalLB(metallb.MetalLB):
    announces = True

    def __init__(self, bench, directory):
        self.reflector = bench.reflector
        super().__init__(bench.world, directory, bench.metallb)

    def follows(self, services):
        return self.reflector.count() == services


def measure(bench, kind, turn):
    """Rows of times in the life of Services, and of what each program costs."""
    world, services = bench.world, bench.world.services
    with tempfile.TemporaryDirectory(dir=bench.directory) as directory:
        wait_for(lambda: bench.reflector.count() == 0, "no route is left", 30)
        began = time.monotonic()
        tool = kind(bench, directory)
        try:
            wait_for(lambda: tool.follows(services), f"{kind.name}: {services} Services; {tool.told()}", SYNC_S, every=0.1)
            sync_s = time.monotonic() - began
            await_rest(lambda: sum(spent(tool).values()), 0.02, SYNC_S)
            at = [spent(tool)]
            time.sleep(IDLE_S)
            at.append(spent(tool))
            world.refresh()
            began = time.monotonic()
            for _ in range(CHANGES):
                world.change()
                time.sleep(GAP_S)
            changes_s = time.monotonic() - began
            at.append(spent(tool))
            began = time.monotonic()
            reflector = bench.reflector if tool.announces else None
            found = [life.service(world, bench.statuses, reflector, lambda: tool.follows(services), GAP_S) for _ in range(SERVICES)]
            services_s = time.monotonic() - began
            at.append(spent(tool))
            return [(kind.name, services, turn, what, f"{seconds:.4f}") for times in found for what, seconds in times.items()], \
                [(kind.name, program, services, turn, f"{sync_s:.2f}",
                  *costs([of_it[program] for of_it in at], changes_s, services_s), f"{rss_mb(pid):.1f}")
                 for program, pid in tool.pids().items()]
        except Exception:
            print(tool.told(), file=sys.stderr)
            raise
        finally:
            tool.stop()
            world.restore()


def spent(tool):
    return {program: fine_cpu_s(pid) for program, pid in tool.pids().items()}


def costs(at, changes_s, services_s):
    sync, rest, changes, services = at
    idle = (rest - sync) / IDLE_S
    return (f"{sync:.2f}", f"{idle * 1000:.2f}", f"{(changes - rest - idle * changes_s) / CHANGES * 1000:.1f}",
            f"{(services - changes - idle * services_s) / SERVICES * 1000:.1f}")
