#!/usr/bin/env python3
"""What one changed endpoint costs the daemon, in instructions, beside how many Services there are: the decoding of the one
slice that has changed, and one plan. Counted by callgrind, so that neither the machine nor what else runs on it matters.
Prints figures; fails if a change costs more than that.

    change_cost.py CORACLE KEEPALIVED-STUB TEMPLATES
"""

import dataclasses
import os
import pathlib
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "api"))
from daemon import Daemon, Programs  # noqa: E402
from fake_api import FakeApi  # noqa: E402
from soak import address, fill, put_slice  # noqa: E402

SIZES = (100, 1000)
ENDPOINTS = 10
FEW, MANY = 2, 12      # changes; the difference of two runs is what they cost, without the start
QUIET_S = 0.5          # after each, so that no two are planned together
PATIENCE_S = 300
DECODE, PLAN = "kube_decode_object", "plan_build"
CALLS_MAX = 1.1        # of either, for one change
DECODE_MAX = 1.2       # a call's instructions where there are ten times the Services
TOTAL_MAX = 13         # likewise, of all that a change costs: a plan is linear


def counted(path):
    """({function: [calls, instructions with all that they call]}, instructions altogether) of a file of callgrind's."""
    names, found, total = {}, {DECODE: [0, 0], PLAN: [0, 0]}, 0
    callee, calls = None, None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if calls is not None:  # the line after "calls=": where from, and what they have cost
            if callee in found:
                found[callee][0] += calls
                found[callee][1] += int(line.split()[1])
            calls = None
        elif name := re.match(r"(c?fn)=\((\d+)\)(?: (.*))?$", line):
            if name[3]:
                names[name[2]] = name[3]
            if name[1] == "cfn":
                callee = names[name[2]]
        elif line.startswith("calls="):
            calls = int(line[6:].split()[0])
        elif line.startswith("totals: "):
            total = int(line.split()[1])
    return found, total


def run(programs, services, changes):
    with tempfile.TemporaryDirectory() as directory:
        api = FakeApi(directory)
        fill(api.store, services, ENDPOINTS)
        api.start()
        traced = pathlib.Path(directory, "traced")
        traced.write_text(f"#!/bin/sh\nexec valgrind -q --tool=callgrind --callgrind-out-file={directory}/out.%p "
                          f"'{programs.coracle}' \"$@\"\n")
        traced.chmod(0o755)
        daemon = Daemon(dataclasses.replace(programs, coracle=str(traced)), directory, f"https://127.0.0.1:{api.client_port}",
                        api.token_file, api.ca_file)
        daemon.await_config(lambda text: text.count("virtual_server ") == services, PATIENCE_S)
        time.sleep(QUIET_S)
        for change in range(changes):
            service = change * 7 % services
            come = address(service, 100 + change)
            put_slice(api.store, service, [come, *(address(service, i) for i in range(1, ENDPOINTS))])
            daemon.await_config(lambda text, a=come: f"real_server {a} 8080" in text, PATIENCE_S)
            time.sleep(QUIET_S)
        lists = daemon.metrics()['coracle_lists_total{resource="endpointslices"}']
        assert lists == 1, f"{lists:.0f} lists"
        pid = daemon.process.pid
        daemon.process.terminate()
        daemon.process.wait(PATIENCE_S)
        daemon.stop()
        api.stop()
        return counted(pathlib.Path(directory, f"out.{pid}"))


def cost_of_a_change(programs, services):
    """{function: (calls for one change, instructions of a call)}; under "all": instructions altogether."""
    (few, few_total), (many, many_total) = (run(programs, services, changes) for changes in (FEW, MANY))
    # a call's cost from all calls: jansson's hashes are salted, and the start's thousands of calls differ by more than ten cost
    cost = {name: [(many[name][0] - few[name][0]) / (MANY - FEW), many[name][1] / many[name][0]] for name in (DECODE, PLAN)}
    cost["all"] = [1, (many_total - few_total) / (MANY - FEW)]
    print(f"figure: one change of {services} Services: {cost['all'][1] / 1000:.0f} thousand instructions; {DECODE} "
          f"{cost[DECODE][0]:.2f} times, {cost[DECODE][1] / 1000:.1f} thousand; {PLAN} {cost[PLAN][0]:.2f} times, "
          f"{cost[PLAN][1] / 1000:.0f} thousand", flush=True)
    return cost


def main():
    programs = Programs(*sys.argv[1:4])
    small, large = (cost_of_a_change(programs, services) for services in SIZES)
    for cost in (small, large):
        for name in (DECODE, PLAN):
            assert 0.9 <= cost[name][0] <= CALLS_MAX, f"{name}: {cost[name][0]:.2f} times for one change"
    assert large[DECODE][1] <= small[DECODE][1] * DECODE_MAX, "what is decoded grows with the number of Services"
    assert large["all"][1] <= small["all"][1] * TOTAL_MAX, "a change costs more than linear in the number of Services"


if __name__ == "__main__":
    os.environ["CORACLE_TEST_KEEPALIVED"] = ""
    main()
