"""keepalived's parent dies alone, then its checker alone: nobody is refused, and the pod recovers by itself."""
import os
import signal
import time

LIMIT_S = 90
CUT_MAX = 6  # flows that are under way when the set of next-hops changes, which it does twice: 100 requests a second


def run(lab):
    lb1 = lab.lbs["lb1"]
    return "; ".join(kill(lab, lb1, which) for which in ("parent", "checker"))


def kill(lab, lb1, which):
    before = sorted(lb1.processes("keepalived"))
    assert len(before) == 2, f"keepalived's processes: {before}"
    load = lab.stream(rate=100.0, timeout_ms=2000)
    killed = time.monotonic()
    os.kill(before[which == "checker"], signal.SIGKILL)
    withdrawn = lab.wait(lambda: lb1.node_address not in lab.next_hops(), 3, f"{which}: lb1's route is withdrawn")
    lab.wait(lab.is_settled, 20, f"{which}: keepalived is back, and lb1 announced")
    back = time.monotonic() - killed
    time.sleep(1)
    load.stop()
    refused = load.refused()
    # Moved to the other pod in their middle: that resets. Refused: that would be a route to an empty table.
    assert not refused, f"{which}: {len(refused)} requests met an empty table, {refused[0][0] - killed:.2f} s after the kill"
    assert load.failed <= CUT_MAX, f"{which}: {load.failed} connections were reset: {load.failures}"
    assert not set(lb1.processes("keepalived")) & set(before), f"{which}: a process of the old keepalived lives on"
    return (f"{which} killed: withdrawn {withdrawn:.2f} s, back {back:.1f} s, {load.failed} of "
            f"{load.succeeded + load.failed} requests cut by the moves")
