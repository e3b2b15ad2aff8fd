"""A file of objects is cut off in its middle: what it said stays in force, and other services still follow."""
import os
import time

from cluster import OBJECTS, Service

OTHER_VIP = "10.1.1.3"


def run(lab):
    path = f"{OBJECTS}/endpointslice-web.json"
    with open(path, encoding="utf-8") as file:
        whole = file.read()
    os.replace(_write(f"{OBJECTS}/.cut", whole[:len(whole) // 2]), path)
    other = Service("other", OTHER_VIP)
    other.set(lab.webs["web2"])
    other.publish()
    try:
        followed = lab.wait(lambda: lab.next_hops(f"{OTHER_VIP}/32") == lab.expected_next_hops(), 15,
                            "another service is announced in spite of the broken file")
        time.sleep(0.5)
        assert lab.is_settled(), f"the broken file changed a running table: {lab.describe()}"
    finally:
        other.delete()
    return f"another service is announced after {followed:.2f} s, the table of the broken one stays"


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path
