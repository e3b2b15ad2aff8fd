"""All web pods of a Service are replaced under load, as a Deployment with maxSurge 1 and maxUnavailable 0 does it: a new pod
is ready before an old one begins to end, and that one goes on for its grace of 5 s. With nat and with tunnel: no request
fails."""
import time

import downloads
import fig6
from cluster import DRAINING, Service
from load import Load
from machine import LAB

LIMIT_S = 180
VIP = "10.1.1.11"
PODS, FIRST = 3, 11  # web11 and following
GRACE_S = 5


def start(number):
    pod = fig6.add_web(f"web{number}")
    pod.output(f"{LAB}/tree/deploy/tunnel-setup", *downloads.POOLS)
    return pod


def replace(service, old, new):
    service.set(new)
    service.publish()
    service.set(old, DRAINING)
    service.publish()
    time.sleep(GRACE_S)
    fig6.stop_web(old)
    service.remove(old)
    service.publish()


def roll(lab, forwarding, first):
    service = Service("rolling", VIP, {"coracle.lb/forwarding": forwarding})
    olds = [start(number) for number in range(first, first + PODS)]
    for pod in olds:
        service.set(pod)
    service.publish()
    try:
        lab.wait(lambda: lab.next_hops(f"{VIP}/32") == lab.expected_next_hops(), 15, "the Service is announced")
        load = Load(VIP, rate=40.0)
        time.sleep(1)
        news = []
        for old in olds:
            news.append(start(first + PODS + len(news)))
            replace(service, old, news[-1])
        time.sleep(1)
        load.stop()
    finally:
        service.delete()
    assert load.failed == 0, f"{forwarding}: {load.failed} of {load.succeeded + load.failed} failed: {load.failures[:5]}"
    assert set(load.answers) == {pod.name for pod in olds + news}, f"{forwarding}: answers of {load.answers}"
    lab.wait(lambda: not lab.next_hops(f"{VIP}/32"), 10, "the Service is gone")
    return (f"{forwarding}: 0 of {load.succeeded} requests failed, the slowest was answered after {load.slowest:.2f} s; "
            f"{load.answers}")


def run(lab):
    try:
        return "; ".join(roll(lab, forwarding, FIRST + 2 * PODS * at) for at, forwarding in enumerate(("nat", "tunnel")))
    finally:
        for number in range(FIRST, FIRST + 4 * PODS):
            pod = fig6.web_pod(f"web{number}")
            if pod.exists():
                fig6.kill_pod(pod)
