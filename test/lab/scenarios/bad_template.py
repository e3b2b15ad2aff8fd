"""keepalived refuses what an operator's template makes: only the service that names the template is left out."""
import os
import signal

from cluster import Service
from fig6 import TEMPLATES

SICK_VIP = "10.1.1.2"


def write_template(lab, text):
    with open(f"{TEMPLATES}/sick", "w", encoding="utf-8") as file:
        file.write(text)
    for pod in lab.lbs.values():
        os.kill(pod.pid("ipvs"), signal.SIGHUP)  # coracle reads its templates again


def run(lab):
    with open(f"{TEMPLATES}/virtual_server", encoding="utf-8") as file:
        sound = file.read()
    sick = Service("sick", SICK_VIP, {"coracle.lb/template": "sick"})
    sick.set(lab.webs["web1"])
    try:
        write_template(lab, sound.replace("protocol {{protocol}}", "protocol CARRIER_PIGEON"))
        sick.publish()
        lab.service.remove(lab.webs["web3"])
        lab.service.publish()
        followed = lab.tables_follow()
        assert lab.next_hops() == lab.expected_next_hops(), f"the sound service is no longer announced: {lab.describe()}"
        assert all(lab.table(lb, f"{SICK_VIP}:80") is None for lb in lab.lbs), "a refused virtual server is in the table"
        assert not lab.next_hops(f"{SICK_VIP}/32"), "a service is announced whose template is refused"

        write_template(lab, sound)
        cured = lab.wait(lambda: lab.next_hops(f"{SICK_VIP}/32") == lab.expected_next_hops(), 15,
                         "the cured service is announced")
    finally:
        sick.delete()
        os.unlink(f"{TEMPLATES}/sick")
    lab.wait(lambda: not lab.next_hops(f"{SICK_VIP}/32"), 10, "the deleted service is withdrawn")
    return f"the sound service follows after {followed:.2f} s; the cured one is announced after {cured:.2f} s"
