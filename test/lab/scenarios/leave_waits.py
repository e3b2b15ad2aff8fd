"""With nat a download lives in one LB pod. One that leaves beside another on its node keeps those it has, for the router and
the node go on sending them there; it is over when they have ended, and not before."""
import time

import downloads
import fig6
import observe

LIMIT_S = 120
VIP, POOL = "10.1.1.13", "10.1.1.0/24"
COUNT = 100
DEADLINE_MS = 20000  # coracle's default


def flows(pod):
    return len(list(observe.ipvs_flows(pod.name, f"{VIP}:{downloads.PORT}")))


def wait_and_leave(lab, lb4):
    lab.wait(lambda: lab.next_hops(f"{VIP}/32") == lab.expected_next_hops(), 15, "the Service is announced")
    lab.wait(lambda: lb4.address in observe.routes(lb4.node).get(POOL, []), 60, "lb4 serves beside lb1")
    lab.wait(lambda: lab.table(lb4.name, f"{VIP}:{downloads.PORT}"), 15, "lb4 has the Service")
    under_way = downloads.Downloads(VIP, COUNT)
    lab.wait(under_way.opened, 30, "downloads under way")
    own, seen = flows(lb4), len(fig6.leave_log(lb4))
    assert own, "lb4 has no download"
    fig6.begin_stop(lb4)
    lab.wait(lambda: len(fig6.leave_log(lb4)) > seen + 1, 10, "lb4 has withdrawn its routes")
    time.sleep(5)
    under_way.finish()
    broken = under_way.broken
    assert not broken, f"{len(broken)} of {COUNT} downloads broke, {own} were lb4's: {broken[:5]}"
    fig6.end_stop(lb4, 30)
    phases = fig6.leave_log(lb4)[seen:]
    (*_, at_first, withdrawn_ms), (*_, at_last, over_ms) = phases[1:]
    assert at_first >= own and at_last == 0 and over_ms < DEADLINE_MS, f"{own} downloads were lb4's: {phases}"
    return (f"{own} of {COUNT} downloads were lb4's: withdrawn after {withdrawn_ms / 1000:.1f} s it keeps them, 0 broken, "
            f"and is over after {over_ms / 1000:.1f} s, when all have ended")


def run(lab):
    service = downloads.service("waits", VIP, "nat", lab.webs.values())
    downloads.serve(*lab.webs.values())
    service.publish()
    lb4 = fig6.connect_lb("lb4")
    fig6.start_lb(lb4)
    try:
        return wait_and_leave(lab, lb4)
    finally:
        service.delete()
        if lb4.exists():
            fig6.kill_pod(lb4)
        for web in lab.webs.values():
            web.kill("slow")
