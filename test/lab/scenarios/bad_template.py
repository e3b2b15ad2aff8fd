"""An operator's broken template harms only the service that names it."""
import os

from cluster import Service
from fig6 import TEMPLATES

SICK_VIP = "10.1.1.2"


def run(lab):
    with open(f"{TEMPLATES}/sick", "w", encoding="utf-8") as file:
        file.write("virtual_server {{no_such_name}} {\n")
    sick = Service("sick", SICK_VIP, {"coracle.lb/template": "sick"})
    sick.set(lab.webs["web1"])
    try:
        sick.publish()
        web3 = lab.webs["web3"]
        lab.service.remove(web3)
        lab.service.publish()
        followed = lab.tables_follow()
        assert lab.next_hops() == lab.expected_next_hops(), f"the sound service is no longer announced: {lab.describe()}"
        assert not lab.next_hops(f"{SICK_VIP}/32"), "a service is announced whose template is broken"

        sick.annotations = {}
        sick.publish()
        cured = lab.wait(lambda: lab.next_hops(f"{SICK_VIP}/32") == lab.expected_next_hops(), 10,
                         "the cured service is announced")
    finally:
        sick.delete()
        os.unlink(f"{TEMPLATES}/sick")
    lab.wait(lambda: not lab.next_hops(f"{SICK_VIP}/32"), 5, "the deleted service is withdrawn")
    return f"the sound service follows after {followed:.2f} s; the cured one is announced after {cured:.2f} s"
