"""The machines of the paper's Fig. 6, and what runs on them.

 client 192.168.1.2 ── router 10.0.0.110 ── node network 10.0.0.0/24 ──┬── reflector 10.0.0.109
                                                                      ├── node1 10.0.0.106 ── lb1, web1
                                                                      ├── node2 10.0.0.107 ── lb2, web2
                                                                      └── node3 10.0.0.108 ── web3
Pods live in 172.16.N.0/24 of node N. Nodes and the reflector have routes to all of it, the router to none of it.
"""
import os
import shutil
import signal
import time

import linux
import observe
from cluster import OBJECTS, Service
from machine import LAB, Machine, ip_batch

NODES = {1: "10.0.0.106", 2: "10.0.0.107", 3: "10.0.0.108"}
ROUTER, REFLECTOR, CLIENT = "10.0.0.110", "10.0.0.109", "192.168.1.2"
VIP = "10.1.1.1"

LBS = ("lb1", "lb2")
WEBS = ("web1", "web2", "web3")

CONFIG = f"{LAB}/tree/test/lab/coracle.yaml"
RENDERED = f"{LAB}/out/rendered"             # the routers' configurations, made by lab_build in common.sh
TEMPLATES = f"{LAB}/templates"              # a copy of the project's, for scenarios to edit

LOOPBACK = "link set lo up"


class Pod(Machine):
    def __init__(self, name, node, number):
        super().__init__(name)
        self.node, self.node_address = f"node{node}", NODES[node]
        self.address, self.gateway = f"172.16.{node}.{number}", f"172.16.{node}.1"
        # Made from the address, as Docker does: a new pod at an old address is not sought where the old one was
        self.mac = f"02:42:ac:10:{node:02x}:{number:02x}"

    def connect(self):
        """What a CNI plugin does: one end of a veth pair on the node's bridge, the other is the pod's eth0."""
        self.create()
        Machine(self.node).ip([f"link add {self.name} master cni0 up type veth "
                               f"peer name eth0 address {self.mac} netns {self.netns}"])
        self.ip([LOOPBACK, "link set eth0 up", f"addr add {self.address}/24 dev eth0",
                 f"route add default via {self.gateway}"])

    def destroy(self):
        if os.path.exists(f"{self.run_dir}/netns/node"):
            linux.umount(f"{self.run_dir}/netns/node")
        Machine(self.node).ip([f"link del {self.name}"])
        super().destroy()

    def link(self, up):
        """Without its link the pod is silent: the node drops what it sends, and nobody tells its peers."""
        Machine(self.node).ip([f"link set {self.name} {'up' if up else 'down'}"])


def lb_pod(name):
    """lb1 and lb4 are on node1, lb2 on node2, lb3 on node3."""
    number = int(name.removeprefix("lb"))
    return Pod(name, (number - 1) % 3 + 1, 10 + number)


def web_pod(name):
    number = int(name.removeprefix("web"))
    return Pod(name, (number - 1) % 3 + 1, 20 + number)


def start_hosts():
    """The machines that are not pods, cabled and with their routes."""
    hosts = [Machine(name) for name in ("client", "router", "reflector", *(f"node{n}" for n in NODES))]
    for host in hosts:
        host.create()
    client, router, reflector, *nodes = hosts
    ip_batch(["link add br0 up type bridge",
              *(f"link add {host.name} master br0 up type veth peer name eth0 netns {host.netns}" for host in hosts[1:]),
              f"link add eth0 netns {client.netns} type veth peer name eth1 netns {router.netns}"])
    client.ip([LOOPBACK, "link set eth0 up", f"addr add {CLIENT}/24 dev eth0", "route add default via 192.168.1.1"])
    router.ip([LOOPBACK, "link set eth0 up", "link set eth1 up", f"addr add {ROUTER}/24 dev eth0",
               "addr add 192.168.1.1/24 dev eth1"])
    # 1 = spread by the 5-tuple; the kernel's default looks at addresses only, and one client would meet one LB pod
    router.sysctl({"net.ipv4.ip_forward": 1, "net.ipv4.fib_multipath_hash_policy": 1,
                   "net.ipv4.ip_unprivileged_port_start": 179})
    overlay = {n: f"route add 172.16.{n}.0/24 via {address}" for n, address in NODES.items()}
    reflector.ip([LOOPBACK, "link set eth0 up", f"addr add {REFLECTOR}/24 dev eth0", *overlay.values()])
    for n, node in zip(NODES, nodes):
        node.ip([LOOPBACK, "link set eth0 up", f"addr add {NODES[n]}/24 dev eth0", f"route add default via {ROUTER}",
                 "link add cni0 up type bridge", f"addr add 172.16.{n}.1/24 dev cni0",
                 *(route for other, route in overlay.items() if other != n)])
        node.sysctl({"net.ipv4.ip_forward": 1})
    return router, reflector


def rendered(machine, name):
    """Copies a configuration to the machine, where its daemon may read it, whatever its user."""
    with open(f"{RENDERED}/{name}", encoding="utf-8") as file:
        return machine.write(name, file.read())


def start_routers(router, reflector):
    reflector.start("gobgpd", ["gobgpd", "-f", rendered(reflector, "gobgpd-reflector.yml"), "-t", "yaml"])
    os.mkdir(f"{router.run_dir}/frr")
    shutil.chown(f"{router.run_dir}/frr", "frr", "frr")
    router.start("zebra", ["/usr/lib/frr/zebra", "-f", rendered(router, "zebra.conf")])
    wait_for(lambda: os.path.exists(f"{router.run_dir}/frr/zserv.api"), 20, "zebra listens")
    router.start("gobgpd", [f"{LAB}/trixie/usr/bin/gobgpd", "-f", rendered(router, "gobgpd-router.yml"),
                            "-t", "yaml"], user="frr")


def start_web(name):
    pod = web_pod(name)
    pod.connect()
    start_nginx(pod)
    return pod


def start_nginx(pod):
    pod.start("nginx", ["nginx", "-c", pod.write("nginx.conf", NGINX_CONF.replace("NAME", pod.name))])


def add_web(name):
    """A web pod that comes later, and is ready when it has a Service's attention."""
    pod = start_web(name)
    wait_for(lambda: observe.listens(pod.name, 80), 10, f"{name} listens")
    return pod


def stop_web(pod):
    pod.kill("nginx", number=signal.SIGQUIT)
    pod.destroy()


def connect_lb(name):
    """The pod's network, and the node's, which the announcer keeps a route in."""
    pod = lb_pod(name)
    pod.connect()
    os.mkdir(f"{pod.run_dir}/netns")
    os.mkdir(f"{pod.run_dir}/coracle")  # the emptyDir that both containers mount
    open(f"{pod.run_dir}/netns/node", "x", encoding="ascii").close()
    linux.mount(f"/run/netns/{pod.node}", f"{pod.run_dir}/netns/node", flags=linux.MS_BIND)
    return pod


def start_lb(pod):
    """What the node's kubelet does with deploy/: the init container, then the two others."""
    with open(f"{RENDERED}/pools", encoding="ascii") as pools:
        pod.output(f"{LAB}/tree/deploy/netns-setup", *pools.read().split())
    start_containers(pod)


def start_containers(pod):
    if not pod.pid("exabgp"):
        pod.start("exabgp", ["sh", "-c", EXABGP, "exabgp", pod.address, pod.node_address], container=True,
                  env={"exabgp_daemon_drop": "false", "exabgp_daemon_user": "root",
                       "exabgp_log_destination": "stdout", "exabgp_api_cli": "false"})
    if not pod.pid("ipvs"):
        pod.start("ipvs", ["coracle", "controller", "--config", CONFIG, "--objects", OBJECTS,
                           "--templates", TEMPLATES], container=True)


EXABGP = f"""coracle render --config {CONFIG} --templates {TEMPLATES} --output exabgp \\
    --pod-address $1 --node-address $2 > /run/coracle/exabgp.conf
exec exabgp /run/coracle/exabgp.conf"""


def kill_pod(pod):
    """All processes at once, then the network, as when a node's runtime loses a pod."""
    pod.kill(*pod.daemons())
    pod.destroy()


NGINX_CONF = """daemon off; master_process off; pid /run/nginx.pid; error_log stderr;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path /run/body; proxy_temp_path /run/proxy; fastcgi_temp_path /run/fastcgi;
    uwsgi_temp_path /run/uwsgi; scgi_temp_path /run/scgi;
    keepalive_timeout 0;
    server { listen 80; location / { return 200 "NAME\\n"; } }
}
"""


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def web_service():
    service = Service("web", VIP)
    for name in WEBS:
        service.set(web_pod(name))
    return service


def serves():
    """The router's kernel has a next-hop for every LB pod."""
    return observe.routes("router").get(f"{VIP}/32") == sorted({lb_pod(name).node_address for name in LBS})


def start():
    def say(what):
        print(f"{time.monotonic():5.1f} s  {what}")

    say("the guest's kernel and its agent run")
    router, reflector = start_hosts()
    lbs = [connect_lb(name) for name in LBS]
    for name in WEBS:
        start_web(name)
    web_service().publish()
    say("machines and web pods run")
    wait_for(lambda: os.path.exists(f"{LAB}/out/built"), 300, "the project is built")
    say("the project is built")
    shutil.copytree(f"{LAB}/tree/templates", TEMPLATES)
    for pod in lbs:
        start_lb(pod)
    say("LB pods started")
    start_routers(router, reflector)
    say("routers started")
    wait_for(serves, 60, "the router has a route over every LB pod")
    say("the router has a route over every LB pod")
