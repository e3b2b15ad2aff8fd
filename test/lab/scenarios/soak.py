"""Full CPU load for long, and nobody dies: the router's route never changes.

BURNERS processes compete for the guest's one CPU with all that runs in the lab, at the same priority, while requests
go on. What would take a route away is a keepalive that comes too late: the longest pause between two on each session with
reflector1, in either direction, is printed beside the hold time.
"""
import os
import time

import fig6
import figures
from recorder import Recorder

LIMIT_S, LONG_LIMIT_S = 240, 3000
BURNERS = 4
REQUESTS_PER_S = 20
KEEPALIVE = 4


def run(lab):
    return "; ".join((soak(lab, 9, 1800 if lab.long else 60), soak(lab, 3, 600 if lab.long else 30)))


def burn():
    """A process that does nothing but compute."""
    pid = os.fork()
    if pid == 0:
        try:
            os.execv("/bin/sh", ["sh", "-c", "while :; do :; done"])
        finally:
            os._exit(127)
    return pid


def cpu_busy_share(before, after):
    """From two lines "cpu …" of /proc/stat."""
    spent = [int(b) - int(a) for a, b in zip(before.split()[1:], after.split()[1:])]
    return 1 - (spent[3] + spent[4]) / sum(spent)


def cpu_line():
    with open("/proc/stat", encoding="ascii") as file:
        return file.readline()


def soak(lab, hold_time_s, seconds):
    lab.configure(holdTime=hold_time_s)
    lab.wait(lab.is_settled, 30, f"sessions with a hold time of {hold_time_s} s")
    speakers = {pod.address: name for name, pod in lab.lbs.items()}
    with Recorder({"router": f"{fig6.VIP}/32"}, lab.lbs, f"{fig6.VIP}:80", ("reflector1", speakers)) as recorder:
        load = lab.stream(rate=REQUESTS_PER_S, timeout_ms=5000)
        cpu, burners = cpu_line(), [burn() for _ in range(BURNERS)]
        began = time.monotonic()
        try:
            while time.monotonic() - began < seconds:
                time.sleep(1)
                recorder.read()
            busy = cpu_busy_share(cpu, cpu_line())
        finally:
            for pid in burners:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
        load.stop()
    gaps, count = keepalives(recorder.records)
    rounds, pause = next(value for _, what, _, value in reversed(recorder.records) if what == "rounds")
    changes = [record for record in recorder.records if record[1] in ("fib", "withdrawn")][1:]
    said = (f"hold {hold_time_s} s, {seconds} s with {BURNERS} burners ({busy:.0%} busy): {len(changes)} route changes in "
            f"{rounds} rounds of samples (longest pause {pause:.2f} s); {count} keepalives, longest pauses {gaps}; "
            f"{load.failed} of {load.succeeded + load.failed} requests failed, slowest {load.slowest:.2f} s, "
            f"{len(load.slow)} above 0.9 s")
    print(f"   {said}")
    figures.write(f"soak-hold{hold_time_s}", ("time", "what", "who", "value"), recorder.records)
    assert busy > 0.98, f"the CPU was not fully loaded: {said}"
    assert count >= seconds / hold_time_s * 3 * 2 * len(lab.lbs) * 0.8, f"too few keepalives seen: {said}"
    if pause > hold_time_s / 2:  # a keepalive is due every third of it: nobody can be blamed
        return f"{said}; not judged, for the host has stopped the guest"
    assert not changes, f"the route changed though nobody died: {changes[:5]}; {said}"
    assert load.failed == 0, f"requests failed: {load.failures[:3]}; {said}"
    return said


def keepalives(records):
    """The longest pause between two messages of each session and direction, in seconds, and how many keepalives."""
    last, gaps, count = {}, {}, 0
    for moment, what, who, kind in records:
        if what == "bgp":
            gaps[who] = max(gaps.get(who, 0.0), moment - last.get(who, moment))
            last[who] = moment
            count += kind == KEEPALIVE
    return {who: round(gap, 2) for who, gap in sorted(gaps.items())}, count
