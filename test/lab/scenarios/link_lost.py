"""An LB pod's link goes silent: no packet, no reset. Only BGP's hold timer can tell, of 9 s here, and 3 s as an option."""
import time

import figures
import lost

LIMIT_S, LONG_LIMIT_S = 120, 900
SLACK_S = 1


def run(lab):
    measured = []
    told = [lose(lab, hold_time_s, measured) for _ in range(5 if lab.long else 1) for hold_time_s in (9, 3)]
    figures.write("link-lost", ("hold", "seconds", "failed", "requests"), measured)
    return "; ".join(told)


def lose(lab, hold_time_s, measured):
    lb1 = lab.lbs["lb1"]
    lab.configure(holdTime=hold_time_s)
    lab.wait(lab.is_settled, 30, f"sessions with a hold time of {hold_time_s} s")
    load = lab.stream(timeout_ms=2000)
    cut, mark = time.monotonic(), lost.now()
    lb1.link(up=False)
    lab.wait(lambda: lb1.node_address not in lab.next_hops(), hold_time_s + 3, "lb1's route is gone")
    rerouted, slack = time.monotonic() - cut, lost.since(mark)
    time.sleep(2)
    load.stop()
    outage = load.outage(cut)
    assert rerouted <= hold_time_s + SLACK_S + slack, f"the FIB was clean only after {rerouted:.2f} s"
    assert 0 < outage <= hold_time_s + SLACK_S + slack, f"requests failed for {outage:.2f} s"
    lb1.link(up=True)
    back = lab.wait(lab.is_settled, 30, "lb1 is back")
    measured.append((hold_time_s, rerouted, load.failed, load.succeeded + load.failed))
    return (f"hold time {hold_time_s} s: route gone after {rerouted:.2f} s; {load.failed} of "
            f"{load.succeeded + load.failed} requests failed, the last {outage:.2f} s after the cut; back {back:.1f} s "
            f"after the link")
