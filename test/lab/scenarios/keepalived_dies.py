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
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    withdrawn = lab.wait(lambda: lb1.node_address not in lab.next_hops(), 5, "lb1's route leaves the router's FIB")
    lab.wait(lab.is_settled, 20, "keepalived is back, and lb1 announced")
    back = time.monotonic() - killed
    time.sleep(1)
    load.stop()
    after = lb1.processes("keepalived")
    assert after and not set(after) & set(before), f"keepalived was not started again: {before} {after}"
    outage = load.outage(killed)
    assert outage <= 1.0, f"requests failed for {outage:.2f} s: {load.failures}"
    return (f"route withdrawn after {withdrawn:.2f} s; keepalived back, table right and announced after {back:.1f} s; "
            f"{load.failed} of {load.succeeded + load.failed} requests failed, the last {outage:.2f} s after the kill")
