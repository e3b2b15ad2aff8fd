"""What a load balancer costs in instructions: datapath.py [--second] DOCS [PROGRAMS], or datapath.py --short PROGRAMS

With PROGRAMS, the directory of what CMake's target bench_datapath builds: boots the machine of datapath/rig.py several
times, each time with the configurations in another order, and writes DOCS/evaluation/datapath-{boots,functions,versions}.csv.
Then, from these, the section `datapath` of DOCS/evaluation.md. --second: a run with other seeds, datapath-second.csv, which
the section sets beside the first. --short: a test, which boots twice with two modes, compares, and writes nothing.
CORACLE_BENCH_BOOTS: how many boots, instead of 5; the large configurations have at most 3.
"""
import os
import random
import re
import sys
import tempfile

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{ROOT}/datapath")
# pylint: disable=wrong-import-position
import functions  # noqa: E402
import modes  # noqa: E402
import page  # noqa: E402
import report  # noqa: E402
import rig  # noqa: E402

BOOTS, LARGE_BOOTS = 5, 3
REQUESTS, WARM = 400, 150
SMALL = (1, 3)  # services, real servers
SIZES = ((100, 3), (1000, 3), (1, 100), (1, 1000))
GROWING = ("iptables", "nft", "nat", "tunnel", "nginx-http", "nginx-stream", "haproxy")
SMALL_ONES = [(mode, *SMALL) for mode in modes.MODES]
LARGE_ONES = [(mode, *size) for mode in GROWING for size in SIZES]
PROFILED = ("routed", "nft", "nat")
AGREE = 0.02  # two boots
SECOND_SEED = 100


def write_plan(plan, configurations):
    """The files of the guest's directory /plan. A measurement meets every service and every real server at least once."""
    os.makedirs(f"{plan}/plan")
    lines = []
    for mode, services, servers in configurations:
        name, most = f"{mode}:{services}:{servers}", max(services, servers)
        modes.write(f"{plan}/plan", name, {**modes.MODES[mode](services, servers),
                                           "addresses": " ".join(modes.addresses(mode, services, servers))})
        keep = REQUESTS if (services, servers) == SMALL else 0
        lines.append(f"{name} {WARM} {max(REQUESTS, most)} {keep}\n")
    with open(f"{plan}/plan/list", "w", encoding="ascii") as file:
        file.writelines(lines)


def check(mode, services, what, by_server, packets, conntracks, connections):
    """That what was measured is what the mode stands for: all were answered, each server had its part, by that way."""
    count = sum(by_server)
    made = count if what == "close" else 1  # connections, at least
    way = {"iptables": conntracks >= made and connections == 0,
           "nft": conntracks >= made and connections == 0,
           "nat": conntracks >= made and connections >= made,
           "nat-overlay": conntracks >= made and connections >= made,
           "tunnel": connections >= made}.get(mode, conntracks == 0 and connections == 0)
    assert way, f"{mode} {what}: {conntracks} conntrack entries, {connections} connections of IPVS"
    assert packets < count / 10 if mode == "direct" else packets >= count, \
        f"{mode} {what}: {packets} packets to the load balancer for {count} requests"
    # a service that is asked once asks its first server
    assert what == "keep" or services > 1 or min(by_server) > count / 6, f"{mode} {what}: {by_server} answers"


def figures(said):
    """From what the guest says; each as (mode, services, servers, what, instructions, packets to the load balancer)."""
    for line in re.findall(r"^figure (.*)$", said, re.MULTILINE):
        name, what, instructions, *numbers = line.split()
        mode, services, servers = name.split(":")
        assert len(numbers) == 12, line
        answered, *rest = map(int, numbers)
        by_server, before, after = rest[:3], rest[3:7], rest[7:]
        assert answered == sum(by_server), line
        assert after[3] - before[3] <= 1, f"{name} {what}: the machine was idle"  # its clock would have counted that
        check(mode, int(services), what, by_server, after[0] - before[0], after[1], after[2])
        yield mode, int(services), int(servers), what, float(instructions), round((after[0] - before[0]) / answered, 2)


def boot(machine, configurations, seed, prepare=lambda plan: (), options=()):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as plan:
        order = list(configurations)
        random.Random(seed).shuffle(order)
        write_plan(plan, order)
        prepare(plan)
        found = list(figures(machine.boot(plan, seed, *options)))
    expected = len(configurations) + sum(tuple(size) == SMALL for _, *size in configurations)
    assert len(found) == expected, f"{len(found)} figures, {expected} expected"
    return found


def profile(machine, target):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        configurations = [(mode, *SMALL) for mode in PROFILED]
        found = boot(machine, configurations, 1, functions.prepare, functions.options(machine.programs, work))
        page.write(target, ("mode", "function", "module", "instructions"),
                   functions.read(work, [row[0] for row in found], REQUESTS))


def measure(machine, target, first_seed):
    rows = []
    boots = int(os.environ.get("CORACLE_BENCH_BOOTS", BOOTS))
    for seed, configurations in enumerate([LARGE_ONES] * min(boots, LARGE_BOOTS) + [SMALL_ONES] * boots, first_seed):
        rows += [(seed, *row) for row in boot(machine, configurations, seed)]
        page.write(target, ("boot", "mode", "services", "servers", "what", "instructions", "lb_packets"), rows)
        print(f"boot {seed}: done", flush=True)


def short(machine):
    """That the rig still measures: two boots agree, and what a load balancer does costs something."""
    configurations = [("routed", *SMALL), ("nat", *SMALL)]
    first, second = ({row[0]: row[4] for row in boot(machine, configurations, seed) if row[3] == "close"}
                     for seed in (1, 2))
    for mode, instructions in first.items():
        assert abs(second[mode] / instructions - 1) <= AGREE, f"{mode}: two boots differ: {instructions}, {second[mode]}"
    assert first["routed"] < first["nat"] < 2 * first["routed"], first
    print(f"figure: a request costs {first['routed']:.0f} instructions, by nat {first['nat']:.0f}; in another boot "
          f"{second['routed']:.0f} and {second['nat']:.0f}")


def run(words):
    second = words[0] == "--second"
    docs, *programs = words[second:]
    target = f"{docs}/evaluation/datapath"
    page.begin(docs, "datapath", bool(programs) and not second)
    if programs:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            machine = rig.Rig(work, *programs)
            if second:
                measure(machine, f"{target}-second.csv", SECOND_SEED)
            else:
                page.tell("linux-image-cloud-amd64", machine.version)
                profile(machine, f"{target}-functions.csv")
                measure(machine, f"{target}-boots.csv", 0)
    report.write(docs)


if __name__ == "__main__":
    if sys.argv[1] == "--short":
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            short(rig.Rig(directory, sys.argv[2]))
    else:
        run(sys.argv[1:])
