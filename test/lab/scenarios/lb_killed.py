"""An LB pod is lost, all its processes and its network at once: requests fail for a moment, others carry on."""
import time

import fig6


def run(lab):
    lb1 = lab.lbs["lb1"]
    load = lab.stream(timeout_ms=2000)
    killed = time.monotonic()
    fig6.kill_pod(lb1)
    rerouted = lab.wait(lambda: lb1.node_address not in lab.next_hops(), 5, "lb1's route leaves the router's FIB")
    time.sleep(2)
    load.stop()
    outage = load.outage(killed)
    assert outage <= 1.0, f"requests failed for {outage:.2f} s: {load.failures}"

    began = time.monotonic()
    lab.new_lb("lb1")
    lab.wait(lab.is_settled, 25, "a new lb1 serves")
    back = time.monotonic() - began
    again, by_lb = lab.requests(200)
    assert again.failed == 0, f"{again.failed} requests failed after lb1 was back: {again.failures[:3]}"
    assert by_lb["lb1"] >= 50, f"lb1 does not get its share again: {by_lb}"
    return (f"route gone after {rerouted:.2f} s; {load.failed} of {load.succeeded + load.failed} requests failed, "
            f"the last {outage:.2f} s after the kill; a new pod serves after {back:.1f} s, then {by_lb}")
