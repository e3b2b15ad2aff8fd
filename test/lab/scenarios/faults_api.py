"""The API is gone (here: the directory of objects): the last good state is served, and what is new follows later."""
import os
import time

from cluster import DRAINING, OBJECTS

LIMIT_S = 60


def run(lab):
    web3 = lab.webs["web3"]
    load = lab.stream()
    os.rename(OBJECTS, f"{OBJECTS}.gone")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert lab.is_settled(), f"without an API the last state is served: {lab.describe()}"
        time.sleep(0.1)
    os.rename(f"{OBJECTS}.gone", OBJECTS)
    lab.service.set(web3, DRAINING)
    lab.service.publish()
    followed = lab.tables_follow()
    assert lab.next_hops() == lab.expected_next_hops(), "the route was touched"
    load.stop()
    assert load.failed == 0, f"{load.failed} requests failed: {load.failures}"
    return f"nothing changes for 5 s, then tables follow {followed:.2f} s after; 0 of {load.succeeded} requests failed"
