"""What keepalived takes for N service addresses of three checked real servers each: checks.py PROGRAMS CORACLE FIGURES [VIPS…]

In the emulated machine of the data path, whose kernel has IPVS and whose clock counts instructions: keepalived's own time, at
rest and for reading its configuration anew, is so many instructions, whatever else this machine does. The checks are those of
deploy/base: TCP, every 2 s. `keepalived -t` needs no IPVS and runs in both, so that it tells how many instructions are a
millisecond here. PROGRAMS is what CMake's target bench_datapath builds. FIGURES gets control_checks.csv.
"""
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

from world import ROOT, write

sys.path[:0] = [f"{ROOT}/test/bench/datapath"]
import rig  # noqa: E402

VIPS, ENDPOINTS = (10, 100, 1000), 3
REST_S = 10  # as the script in the guest has it
TRIES = 5
HEADER = ("vips", "real_servers", "rss_mb", "peak_mb", "idle_million_per_s", "reload_million", "check_million", "check_ms_here")


def objects(vips):
    for i in range(vips):
        meta = {"name": f"web-{i}", "namespace": "shop"}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": meta,
               "spec": {"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp", "ports": [{"port": 80}]},
               "status": {"loadBalancer": {"ingress": [{"ip": f"10.1.{i // 200}.{i % 200 + 1}", "ipMode": "Proxy"}]}}}
        yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": [{"port": 80}],
               "metadata": {**meta, "labels": {"kubernetes.io/service-name": meta["name"]}},
               "endpoints": [{"addresses": [f"172.{16 + j}.{i // 250}.{i % 250 + 1}"]} for j in range(ENDPOINTS)]}


def write_plan(plan, coracle, sizes):
    os.makedirs(f"{plan}/plan")
    shutil.copy(f"{ROOT}/test/bench/control/checks", f"{plan}/guest")  # over the data path's own
    with open(f"{plan}/coracle.yaml", "w", encoding="ascii") as file:
        with open(f"{ROOT}/deploy/base/coracle.yaml", encoding="utf-8") as base:
            file.write(base.read().replace("10.1.1.0/24", "10.1.0.0/16"))
    for vips in sizes:
        with open(f"{plan}/objects.json", "w", encoding="ascii") as file:
            json.dump({"apiVersion": "v1", "kind": "List", "items": list(objects(vips))}, file)
        with open(f"{plan}/plan/{vips}.conf", "w", encoding="utf-8") as file:
            subprocess.run([coracle, "render", "--config", f"{plan}/coracle.yaml", "--templates", f"{ROOT}/templates",
                            "--objects", f"{plan}/objects.json"], stdout=file, check=True)
    os.remove(f"{plan}/objects.json")
    with open(f"{plan}/plan/list", "w", encoding="ascii") as file:
        file.writelines(f"{vips} {vips * ENDPOINTS}\n" for vips in sizes)


def figures(said):
    """{(vips, step): (million instructions, MB in memory, at most)}, keepalived's processes together."""
    found = {}
    for line in re.findall(r"^figure (.*)$", said, re.MULTILINE):
        vips, step, _, *numbers = line.split()
        so_far = found.get((int(vips), step), (0, 0, 0))
        nanoseconds, peak, size = map(int, numbers)
        found[int(vips), step] = (so_far[0] + nanoseconds / 1e6, so_far[1] + size / 1024, so_far[2] + peak / 1024)
    return found


def check_ms(config):
    """The CPU of `keepalived -t` on this machine; the least of several, for other work only adds."""
    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (usage.ru_utime + usage.ru_stime) * 1000

    found = []
    for _ in range(TRIES):
        before = spent()
        subprocess.run(["/usr/sbin/keepalived", "-t", "-C", "-f", config], check=True, capture_output=True)
        found.append(spent() - before)
    return min(found)


def main():
    programs, coracle, target, *sizes = sys.argv[1:]
    sizes = [int(word) for word in sizes] or VIPS
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work, tempfile.TemporaryDirectory(dir="/var/tmp") as plan:
        machine = rig.Rig(work, programs, ["keepalived"])
        write_plan(plan, coracle, sizes)
        said = machine.boot(plan, 1)
        checks = {int(vips): (float(after) - float(before)) * 1000
                  for vips, before, after in re.findall(r"^check (\d+) (\S+) (\S+)$", said, re.MULTILINE)}
        here = {vips: check_ms(f"{plan}/plan/{vips}.conf") for vips in sizes}
    rows, found = [], figures(said)
    for vips in sizes:
        started, rest, reloaded = (found[vips, step] for step in ("started", "rest", "reloaded"))
        idle = (rest[0] - started[0]) / REST_S
        rows.append((vips, vips * ENDPOINTS, f"{rest[1]:.1f}", f"{reloaded[2]:.1f}", f"{idle:.2f}",
                     f"{reloaded[0] - rest[0] - idle * 15:.1f}", f"{checks[vips]:.0f}", f"{here[vips]:.1f}"))
        print(*rows[-1], flush=True)
    write(target, "control_checks", HEADER, rows)


main()
