"""An LB pod's link goes silent: no packet, no reset. Only BGP's hold timer (9 s here) can tell."""
import time

HOLD_TIME_S = 9
LIMIT_S = 60


def run(lab):
    lb1 = lab.lbs["lb1"]
    load = lab.stream(timeout_ms=2000)
    cut = time.monotonic()
    lb1.link(up=False)
    rerouted = lab.wait(lambda: lb1.node_address not in lab.next_hops(), HOLD_TIME_S + 3, "lb1's route is gone")
    time.sleep(2)
    load.stop()
    outage = load.outage(cut)
    assert 0 < outage <= HOLD_TIME_S + 1, f"requests failed for {outage:.2f} s"
    lb1.link(up=True)
    back = lab.wait(lab.is_settled, 30, "lb1 is back")
    return (f"route gone after {rerouted:.2f} s; {load.failed} of {load.succeeded + load.failed} requests failed, "
            f"the last {outage:.2f} s after the cut; back {back:.1f} s after the link")
