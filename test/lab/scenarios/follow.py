"""A web pod is added, drained, removed: every LB pod's table follows, and no request fails."""
import time

import fig6
from cluster import DRAINING


def run(lab):
    load = lab.stream()
    web4 = fig6.add_web("web4")
    lab.service.set(web4)
    lab.service.publish()
    added = lab.tables_follow()
    time.sleep(1)

    lab.service.set(web4, DRAINING)
    lab.service.publish()
    drained = lab.tables_follow()
    during, _ = lab.requests(40)
    assert "web4" not in during.answers, f"a draining pod got new connections: {during.answers}"

    lab.service.remove(web4)
    lab.service.publish()
    removed = lab.tables_follow()
    fig6.stop_web(web4)
    time.sleep(0.5)
    load.stop()
    assert load.answers.get("web4"), f"the added pod never answered: {load.answers}"
    assert load.failed + during.failed == 0, f"{load.failed} requests failed: {load.failures}"
    return (f"tables follow {added:.2f} s after a pod is added, {drained:.2f} s drained, {removed:.2f} s removed; "
            f"0 of {load.succeeded + during.succeeded} requests failed, the slowest took {load.slowest:.2f} s")
