"""keepalived is killed in an LB pod: its VIPs are withdrawn until coracle has started it again."""
import os
import signal
import time


def run(lab):
    lb1 = lab.lbs["lb1"]
    before = lb1.processes("keepalived")
    assert before, "no keepalived in lb1"
    load = lab.stream(timeout_ms=2000)
    killed = time.monotonic()
    # Both processes in one call: a checker that outlives its parent by a moment gets SIGTERM from the kernel, on which it
    # empties the table, and requests are refused until the route is withdrawn.
    os.killpg(os.getpgid(before[0]), signal.SIGKILL)
    withdrawn = lab.wait(lambda: lb1.node_address not in lab.next_hops(), 3, "lb1's route leaves the router's FIB")
    lab.wait(lab.is_settled, 20, "keepalived is back, and lb1 announced")
    back = time.monotonic() - killed
    time.sleep(1)
    load.stop()
    after = lb1.processes("keepalived")
    assert after and not set(after) & set(before), f"keepalived was not started again: {before} {after}"
    # A connection that is under way when the set of next-hops changes may be moved to the other pod, which resets
    # it. Nobody may be refused: that would be a route to a pod whose table is empty.
    refused = load.refused()
    assert not refused, f"{len(refused)} requests met an empty table, {refused[0][0] - killed:.2f} s after the kill"
    assert load.failed <= 3, f"{load.failed} connections were reset: {load.failures}"
    return (f"route withdrawn after {withdrawn:.2f} s; keepalived back, table right and announced after {back:.1f} s; "
            f"{load.failed} of {load.succeeded + load.failed} requests failed")
