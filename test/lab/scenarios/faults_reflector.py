"""Both reflectors' gobgpd are killed again and again, then their packets vanish: each time the LB pods are back soon."""
import time

import fig6
import observe
from machine import Machine

HOLD_TIME_S = 9
LIMIT_S = 180
BGP = ("-p", "tcp", "-s", "172.16.0.0/16", "--dport", "179", "-j", "DROP")


def run(lab):
    return f"{restarts(lab)}; {silence(lab)}"


def reflectors():
    return [Machine(name) for name in fig6.REFLECTORS]


def connected(lab):
    """How many connections LB pods have with reflectors."""
    pods = {pod.address for pod in lab.lbs.values()}
    return sum(len(pods & observe.connected(name, 179)) for name in fig6.REFLECTORS)


def all_connected(lab):
    return connected(lab) == len(fig6.REFLECTORS) * len(lab.lbs)


def restarts(lab):
    """exabgp waits longer each time before it connects again, if nobody makes it forget that."""
    took = []
    for _ in range(5):
        for machine in reflectors():
            machine.kill("gobgpd")
        lab.wait(lambda: not connected(lab), 10, "no session is left")
        for machine in reflectors():
            fig6.start_reflector(machine)
        lab.wait(lambda: all(observe.listens(name, 179) for name in fig6.REFLECTORS), 15, "both listen")
        took.append(lab.wait(lambda: all_connected(lab), 10, "every LB pod has its sessions again"))
        lab.wait(lab.is_settled, 20, "every route is back")
    return "both gobgpd restarted: sessions " + " ".join(f"{seconds:.1f}" for seconds in took) + " s after they listen"


def silence(lab):
    """TCP's own retransmissions of the first packet are soon a minute apart."""
    for machine in reflectors():
        machine.output("iptables-legacy", "-A", "INPUT", *BGP)
    try:
        lab.wait(lambda: not connected(lab), HOLD_TIME_S + 8, "the sessions are down")
        time.sleep(20)
    finally:
        for machine in reflectors():
            machine.output("iptables-legacy", "-D", "INPUT", *BGP)
    back = lab.wait(lambda: all_connected(lab), 8, "every LB pod has its sessions again")
    lab.wait(lab.is_settled, 20, "every route is back")
    return f"packets dropped for half a minute: sessions {back:.1f} s after"
