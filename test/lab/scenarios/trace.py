"""`coracle trace` names the real server that the kernel has chosen: for thousands of flows, in every LB pod's own table,
also while one real server drains. And that table is the same in all pods: in those that have seen real servers come
one after the other, and in one that is started afterwards, while one of them drains."""
import socket
import subprocess

import fig6
import linux
import observe
from cluster import DRAINING, Service
from machine import PATH

VIP, PORT = "10.1.1.8", 53
FLOWS = 6000  # three times
LATE = (4, 7)  # real servers that come later, between the others
LIMIT_S = 150


class Server:
    """No pod: only what the kernel chooses counts."""
    def __init__(self, number):
        self.name, self.address = f"nobody{number}", f"172.16.3.{100 + number}"


def send(ports):
    """A datagram from each port of the client."""
    with linux.netns("client"):
        for port in ports:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
                flow.bind(("", port))
                flow.sendto(b"?", (VIP, PORT))


def trace(pod, clients):
    return subprocess.run(["coracle", "trace", "--protocol", "UDP", "-", f"{VIP}:{PORT}"], preexec_fn=pod.enter,
                          input="\n".join(clients) + "\n", text=True, check=True, stdout=subprocess.PIPE,
                          env={"PATH": PATH}).stdout.split()


def compare(pod, ports):
    """(flows of these ports that the pod has, those whose real server is not the one that trace names)."""
    chosen = {client: server for client, server in observe.ipvs_flows(pod.name, f"{VIP}:{PORT}")
              if int(client.rpartition(":")[2]) in ports}
    answers = trace(pod, chosen)
    assert len(answers) == len(chosen)
    return len(chosen), sum(told != server for told, server in zip(answers, chosen.values()))


def meet(lab, first):
    """Sends a datagram of each of FLOWS new flows: every one has to be where trace says."""
    ports = range(first, first + FLOWS)
    send(ports)
    results = {name: compare(pod, ports) for name, pod in lab.lbs.items()}
    flows, wrong = (sum(column) for column in zip(*results.values()))
    assert flows >= 0.99 * FLOWS, f"only {flows} of {FLOWS} flows have come: {results}"
    assert wrong == 0, f"{wrong} of {flows} flows went elsewhere: {results}"
    return flows


def kernel_order(pod):
    """The real servers as mh takes turns with them."""
    return list(observe.ipvs(pod.name).get(f"{VIP}:{PORT}", {}))


def run(lab):
    service = Service("udp", VIP, {"coracle.lb/scheduler": "mh", "coracle.lb/health-check": "none"})
    service.spec = {"ports": [{"name": "dns", "protocol": "UDP", "port": PORT, "targetPort": PORT}]}
    service.ports = [{"name": "dns", "protocol": "UDP", "port": PORT}]
    servers = [Server(number) for number in range(10)]
    order = [f"{server.address}:{PORT}" for server in reversed(servers)]
    for number, server in enumerate(servers):
        if number not in LATE:
            service.set(server)
    service.publish()
    try:
        lab.wait(lambda: lab.next_hops(f"{VIP}/32") == lab.expected_next_hops(), 15, "the UDP service")
        for number in LATE:
            service.set(servers[number])
            service.publish()
            lab.wait(lambda: all(f"{servers[number].address}:{PORT}" in kernel_order(pod) for pod in lab.lbs.values()), 10,
                     "a real server comes")
        lab.wait(lambda: all(kernel_order(pod) == order for pod in lab.lbs.values()), 5, "the order is the same everywhere")
        flows = meet(lab, 10000)

        service.set(servers[3], DRAINING)
        service.publish()
        lab.wait(lambda: all(lab.table(lb, f"{VIP}:{PORT}").get(f"{servers[3].address}:{PORT}") == 0 for lb in lab.lbs),
                 10, "the weight in every table")
        draining = meet(lab, 20000)

        fig6.kill_pod(lab.lbs["lb1"])
        lab.new_lb("lb1")
        lab.wait(lambda: lab.next_hops(f"{VIP}/32") == lab.expected_next_hops(), 60, "another lb1")
        assert kernel_order(lab.lbs["lb1"]) == order, f"lb1 has {kernel_order(lab.lbs['lb1'])}"
        fresh = meet(lab, 30000)
    finally:
        service.delete()
    return (f"the kernel chose what trace names: {flows} flows; with one of ten real servers draining: {draining}; with a "
            f"new LB pod: {fresh}")
