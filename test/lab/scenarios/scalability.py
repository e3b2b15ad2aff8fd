"""One to eight LB pods, each on its own node and behind a link of the same rate, as the paper's machines had links of 1 Gb/s:
what they pass together. Forwarding is nat, so that the answers go through the LB pods; everything else is uncapped.

wrk keeps CONNECTIONS open for each LB pod, which the router's hash spreads, and fetches over each as fast as it gets answers. The set of pods grows to the largest and
shrinks again, so that what drifts in the guest falls on all of them.
"""
import os
import re
import subprocess

import fig6
import figures
import observe
from cluster import Service
from load import Load
from machine import PATH, Machine

LIMIT_S, LONG_LIMIT_S = 300, 1800
SHORT, LONG = (1, 2, 4), (1, 2, 3, 4, 5, 6, 7, 8)
SHORT_S, LONG_S = 8, 20   # how long each is measured
LONG_ROUNDS = 2
RATE_MBIT = 8
CONNECTIONS = 12          # for each LB pod: enough that its link never rests, too few to overflow its queue
ANSWER = 16384            # bytes
VIP, PORT = "10.1.1.8", 8081
NODES = {number: f"10.0.0.{108 + number}" for number in range(4, 9)}  # beside the three of Fig. 6
LEAST = 0.9               # of the ideal speed-up: the bench tells how much it is, this only tells that it spreads at all

NGINX_CONF = f"""daemon off; master_process off; pid /run/bulk.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000; sendfile on;
    client_body_temp_path /run/body8; proxy_temp_path /run/proxy8; fastcgi_temp_path /run/fastcgi8;
    uwsgi_temp_path /run/uwsgi8; scgi_temp_path /run/scgi8;
    server {{ listen {PORT}; root /run/bulk; }}
}}
"""


def lb_pod(number):
    return fig6.Pod(f"lb{number}", number, 10 + number)


def serve_bulk(web):
    os.makedirs(f"{web.run_dir}/bulk", exist_ok=True)
    with open(f"{web.run_dir}/bulk/answer", "wb") as file:
        file.write(bytes(ANSWER))
    web.start("bulk", ["nginx", "-c", web.write("bulk.conf", NGINX_CONF)])


def cap(pod):
    """tbf on what the pod sends. Its burst lets whole segments of TCP through (GSO): cut into frames, each of them would wait
    for a timer of its own, and eight pods' timers are more than the guest can bear."""
    pod.output("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", f"{RATE_MBIT}mbit", "burst", "128kb",
               "latency", "1s")


class Fleet:
    def __init__(self, lab):
        self.lab = lab
        self.pods = [lab.lbs["lb1"]]
        fig6.kill_pod(lab.lbs["lb2"])
        self.settle()

    def settle(self):
        expected = sorted(pod.node_address for pod in self.pods)
        self.lab.wait(lambda: observe.routes("router").get(f"{VIP}/32") == expected, 60, f"the router's route has {expected}")

    def become(self, count):
        while len(self.pods) < count:
            pod = fig6.connect(lb_pod(len(self.pods) + 1))
            fig6.start_lb(pod)
            cap(pod)
            self.pods.append(pod)
        while len(self.pods) > count:
            fig6.kill_pod(self.pods.pop())
        self.settle()

    def end(self):
        if self.pods[0].exists():
            self.pods[0].output("tc", "qdisc", "del", "dev", "eth0", "root")
        for number in range(3, 9):
            if lb_pod(number).exists():
                fig6.kill_pod(lb_pod(number))


def fetch(seconds, count):
    """Bytes of answers in a second, by the client."""
    argv = ["wrk", "-t", "1", "-c", str(count * CONNECTIONS), "-d", f"{seconds}s", "--timeout", "30s",
            f"http://{VIP}:{PORT}/answer"]
    wrk = subprocess.Popen(argv, preexec_fn=Machine("client").enter, env={"PATH": PATH}, stdout=subprocess.PIPE, text=True)
    Load.running.add(wrk)
    output, _ = wrk.communicate(timeout=seconds + 60)
    Load.running.discard(wrk)
    assert wrk.returncode == 0 and "Non-2xx" not in output, f"wrk: {output}"
    answers, took = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    return int(answers) * ANSWER / float(took)


def run(lab):
    counts, seconds, rounds = (LONG, LONG_S, LONG_ROUNDS) if lab.long else (SHORT, SHORT_S, 1)
    service = Service("bulk", VIP)
    service.ports = [{"name": "bulk", "protocol": "TCP", "port": PORT}]
    service.spec["ports"] = [{**port, "targetPort": PORT} for port in service.ports]
    measured = []
    for number, address in NODES.items():
        fig6.add_node(number, address)
    try:
        for web in lab.webs.values():
            serve_bulk(web)
            service.set(web)
        service.publish()
        fleet = Fleet(lab)
        uncapped = fetch(seconds, 8)
        measured.append((0, uncapped))  # what the guest itself can do
        cap(fleet.pods[0])
        for _ in range(rounds):
            for count in (*counts, *reversed(counts)):
                fleet.become(count)
                measured.append((count, fetch(seconds, count)))
                print(f"   {count} LB pods: {measured[-1][1] / 1e6:.3f} MB/s")
    finally:
        figures.write("scalability", ("pods", "bytes_per_s"), measured)
        service.delete()
        fleet.end()
        for web in lab.webs.values():
            web.kill("bulk")
        for number in NODES:
            fig6.remove_node(number)
    by_count = {count: figures.percentile([rate for pods, rate in measured if pods == count], 50) for count in counts}
    speed_up = {count: rate / by_count[1] for count, rate in by_count.items()}
    said = ", ".join(f"{count}: {ratio:.2f}" for count, ratio in speed_up.items())
    assert all(ratio > LEAST * count for count, ratio in speed_up.items()), f"speed-up {said}"
    assert uncapped > 1.25 * by_count[counts[-1]], f"the guest is as slow as the links: {uncapped / 1e6:.2f} MB/s; {said}"
    return f"uncapped {uncapped / 1e6:.2f} MB/s; {by_count[1] / 1e6:.3f} MB/s through one LB pod with {RATE_MBIT} Mbit/s; speed-up {said}"
