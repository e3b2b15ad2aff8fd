"""What runs in the lab's guest for routes.py: a node that reaches the API server and the reflector on the host, and on it an LB
pod, or MetalLB's controller and speaker.

    guest.py up FILE     starts what FILE in /mnt/out/bench says; returns when the processes run
    guest.py down        ends them
As the module that the lab boots with it makes the network:

  host 10.99.0.1 ── vec0 10.99.0.2 the guest itself: the node, with MetalLB ── lb 192.168.99.2: the LB pod
                                   and every real server, 172.16.0.0/12
"""
import json
import os
import re
import subprocess
import sys

sys.path.append("/mnt/tree/test/lab/guest")
import fig6  # noqa: E402
import linux  # noqa: E402
from addresses import GUEST, POD, POOL, SERVERS  # noqa: E402
from machine import LAB, LOGS, PATH, Machine, ip_batch  # noqa: E402

lb = Machine("lb")
node = Machine("node")  # no namespace of its own: only what runs there is written down so


def start():
    lb.create()
    ip_batch(["link set lo up", "link set vec0 up", f"addr add {GUEST}/30 dev vec0", f"route add local {SERVERS} dev lo",
              f"link add lb up type veth peer name eth0 netns {lb.netns}", "addr add 192.168.99.1/24 dev lb"])
    lb.ip(["link set lo up", "link set eth0 up", f"addr add {POD}/24 dev eth0", "route add default via 192.168.99.1"])
    for setting, value in (("ipv4/ip_forward", 1), ("core/somaxconn", 16384)):
        with open(f"/proc/sys/net/{setting}", "w", encoding="ascii") as file:
            file.write(str(value))
    with open(f"{LAB}/tree/templates/exabgp.conf", encoding="utf-8") as template:
        netns = lb.run_dir + re.search(r"--node-netns /run(/[\w/-]+)", template.read())[1]
    for directory in (os.path.dirname(netns), f"{lb.run_dir}/coracle"):
        os.mkdir(directory)
    open(netns, "x", encoding="ascii").close()
    linux.mount("/proc/self/ns/net", netns, flags=linux.MS_BIND)
    with open(f"{lb.run_dir}/coracle/pools", "w", encoding="ascii") as pools:
        pools.write(f"{POOL}\n")
    lb.output(f"{LAB}/tree/deploy/netns-setup", POOL)
    conf = f"{LAB}/nginx.conf"
    with open(conf, "w", encoding="ascii") as file:
        file.write(fig6.NGINX_CONF.replace("worker_connections 512", "worker_connections 16384").replace(
            "listen 80; listen [::]:80;", "listen 8080 backlog=16384;"))
    spawn("nginx", ["nginx", "-c", conf], {})


def spawn(name, command, environment):
    """On the node; it outlives us."""
    with open(f"{LOGS}/{name}.log", "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                env={"PATH": PATH, "HOME": "/run", **environment}).pid


def up(what):
    """[[name, whether in the pod, command, environment], …]"""
    os.makedirs(f"{node.home}/pids", exist_ok=True)
    for name, in_pod, command, environment in what:
        if in_pod:
            lb.start(name, command, container=True, env=environment)
        else:
            with open(f"{node.home}/pids/{name}", "w", encoding="ascii") as file:
                file.write(str(spawn(name, command, environment)))


def down():
    for machine in (lb, node):
        if os.path.exists(machine.home):
            machine.kill(*machine.daemons())
    lb.output("ipvsadm", "-C")  # the next pod has a table of its own


def main():
    if sys.argv[1] == "down":
        down()
    else:
        with open(f"{LAB}/out/bench/{sys.argv[2]}", encoding="ascii") as file:
            up(json.load(file))


if __name__ == "__main__":
    main()
