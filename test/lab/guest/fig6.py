"""The machines of the paper's Fig. 6, and what runs on them.

 client 192.168.1.2 ── router 10.0.0.110 ── node network 10.0.0.0/24 ──┬── reflector1 10.0.0.109, reflector2 10.0.0.111
                                                                      ├── node1 10.0.0.106 ── lb1, web1
                                                                      ├── node2 10.0.0.107 ── lb2, web2
                                                                      └── node3 10.0.0.108 ── web3
Pods live in 172.16.N.0/24 of node N. Nodes and reflectors have routes to all of it, the router to none of it.
IPv6 is beside it: fd00:192::/64 of the client, fd00:10::/64 of the nodes, fd00:16:N::/64 of node N's pods; the last
group of an address is the last number of the IPv4 address. BGP runs over IPv4.
"""
import os
import re
import shutil
import signal
import time

import containers
import linux
import observe
from cluster import OBJECTS, Service
from machine import LAB, LOGS, Machine, ip_batch

NODES = {1: "10.0.0.106", 2: "10.0.0.107", 3: "10.0.0.108"}
REFLECTORS = {"reflector1": "10.0.0.109", "reflector2": "10.0.0.111"}
ROUTER, CLIENT = "10.0.0.110", "192.168.1.2"
VIP, VIP6 = "10.1.1.1", "fd00:1:1::1"

LBS = ("lb1", "lb2")
WEBS = ("web1", "web2", "web3")

CONFIG = f"{LAB}/coracle.yaml"              # a copy of test/lab's, for scenarios to edit
RENDERED = f"{LAB}/out/rendered"             # the routers' configurations, made by lab_build in common.sh
TEMPLATES = f"{LAB}/templates"              # a copy of the project's, for scenarios to edit

# Debian 13's, see templates/README.md. Its API, which listens everywhere unless told otherwise, takes orders from anybody.
ROUTER_RUNS = linux.kernel_words()["lab_router"]
GOBGPD = [f"{LAB}/trixie/usr/bin/gobgpd", "--api-hosts", "127.0.0.1:50051", "-t", "yaml"]

LOOPBACK = "link set lo up"
FORWARDING = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}


def ipv6(address):
    """The IPv6 address beside an IPv4 one."""
    network, _, number = address.rpartition(".")
    if network.startswith("172.16."):
        return f"fd00:16:{network.removeprefix('172.16.')}::{number}"
    return f"fd00:{network.partition('.')[0]}::{number}"


def addresses(address, device="eth0"):
    """nodad: an address that waits to be the only one could not be used for a second or two."""
    return [f"addr add {address}/24 dev {device}", f"addr add {ipv6(address)}/64 dev {device} nodad"]


def default_route(gateway):
    return [f"route add default via {gateway}", f"route add default via {ipv6(gateway)}"]


class Pod(Machine):
    def __init__(self, name, node, number):
        super().__init__(name)
        self.node, self.node_address = f"node{node}", NODES[node]
        self.address, self.gateway = f"172.16.{node}.{number}", f"172.16.{node}.1"
        self.address6, self.node_address6 = ipv6(self.address), ipv6(self.node_address)
        # Made from the address, as Docker does: a new pod at an old address is not sought where the old one was
        self.mac = f"02:42:ac:10:{node:02x}:{number:02x}"

    def connect(self):
        """What a CNI plugin does: one end of a veth pair on the node's bridge, the other is the pod's eth0."""
        self.create()
        Machine(self.node).ip([f"link add {self.name} master cni0 up type veth "
                               f"peer name eth0 address {self.mac} netns {self.netns}"])
        self.ip([LOOPBACK, "link set eth0 up", *addresses(self.address), *default_route(self.gateway)])

    def destroy(self):
        if containers.available():
            containers.remove(self)
        if os.path.exists(f"{self.run_dir}/coracle-netns/node"):
            linux.umount(f"{self.run_dir}/coracle-netns/node")
        Machine(self.node).ip([f"link del {self.name}"])
        super().destroy()

    def link(self, up):
        """Without its link the pod is silent: the node drops what it sends, and nobody tells its peers."""
        with linux.netns(self.node):
            linux.set_link(self.name, up)


def lb_pod(name):
    """lb1 and lb4 are on node1, lb2 on node2, lb3 on node3."""
    number = int(name.removeprefix("lb"))
    return Pod(name, (number - 1) % 3 + 1, 10 + number)


def web_pod(name):
    number = int(name.removeprefix("web"))
    return Pod(name, (number - 1) % 3 + 1, 20 + number)


def start_hosts():
    """The machines that are not pods, cabled and with their routes."""
    hosts = [Machine(name) for name in ("client", "router", *REFLECTORS, *(f"node{n}" for n in NODES))]
    for host in hosts:
        host.create()
    client, router, *others = hosts
    reflectors, nodes = others[:len(REFLECTORS)], others[len(REFLECTORS):]
    ip_batch(["link add br0 up type bridge",
              *(f"link add {host.name} master br0 up type veth peer name eth0 netns {host.netns}" for host in hosts[1:]),
              f"link add eth0 netns {client.netns} type veth peer name eth1 netns {router.netns}"])
    client.ip([LOOPBACK, "link set eth0 up", *addresses(CLIENT), *default_route("192.168.1.1")])
    router.ip([LOOPBACK, "link set eth0 up", "link set eth1 up", *addresses(ROUTER), *addresses("192.168.1.1", "eth1")])
    # 1 = spread by the 5-tuple; the kernel's default looks at addresses only, and one client would meet one LB pod
    router.sysctl({**FORWARDING, "net.ipv4.fib_multipath_hash_policy": 1, "net.ipv6.fib_multipath_hash_policy": 1,
                   "net.ipv4.ip_unprivileged_port_start": 179})
    for reflector in reflectors:
        reflector.ip([LOOPBACK, "link set eth0 up", *addresses(REFLECTORS[reflector.name]), *overlay(NODES)])
    for n, node in zip(NODES, nodes):
        set_up_node(n, node)
    if containers.available():
        containers.prepare(nodes)
    return router, reflectors


def overlay(nodes):
    """Routes to the pods of those nodes."""
    return [line for n in nodes for line in (f"route add 172.16.{n}.0/24 via {NODES[n]}",
                                             f"route add fd00:16:{n}::/64 via {ipv6(NODES[n])}")]


def set_up_node(n, node):
    # A MAC address of its own, as from the CNI's bridge plugin: otherwise it changes with the pods that come and go, and
    # these go on sending to the old one, over IPv6 for 10 s.
    node.ip([LOOPBACK, "link set eth0 up", *addresses(NODES[n]), *default_route(ROUTER),
             f"link add cni0 address 02:42:ac:10:{n:02x}:01 up type bridge", *addresses(f"172.16.{n}.1", "cni0"),
             *overlay(other for other in NODES if other != n)])
    # as for the router: one client is to meet both LB pods of a node
    node.sysctl({**FORWARDING, "net.ipv4.fib_multipath_hash_policy": 1, "net.ipv6.fib_multipath_hash_policy": 1})


def add_node(n, address):
    """One more than those of Fig. 6, until remove_node()."""
    node = Machine(f"node{n}")
    node.create()
    ip_batch([f"link add {node.name} master br0 up type veth peer name eth0 netns {node.netns}"])
    NODES[n] = address
    set_up_node(n, node)
    for name in (*REFLECTORS, *(f"node{other}" for other in NODES if other != n)):
        Machine(name).ip(overlay([n]))


def remove_node(n):
    for name in (*REFLECTORS, *(f"node{other}" for other in NODES if other != n)):
        Machine(name).ip([line.replace("add", "del") for line in overlay([n])])
    del NODES[n]
    ip_batch([f"link del node{n}"])
    Machine(f"node{n}").destroy()


def rendered(machine, name):
    """Copies a configuration to the machine, where its daemon may read it, whatever its user."""
    with open(f"{RENDERED}/{name}", encoding="utf-8") as file:
        return machine.write(name, file.read())


def start_reflector(reflector):
    """-r: it has restarted, so that the router keeps what it had from it until it has told everything again."""
    reflector.start("gobgpd", [*GOBGPD, "-r", "-f", rendered(reflector, f"{reflector.name}.yml")])


def start_router(router):
    os.mkdir(f"{router.run_dir}/frr")
    shutil.chown(f"{router.run_dir}/frr", "frr", "frr")
    router.start("zebra", ["/usr/lib/frr/zebra", "--log", "stdout", "-f", rendered(router, "zebra.conf")])
    wait_for(lambda: os.path.exists(f"{router.run_dir}/frr/zserv.api"), 20, "zebra listens")
    if ROUTER_RUNS == "frr":
        router.start("bgpd", ["/usr/lib/frr/bgpd", "--log", "stdout", "-f", "/dev/null"])
        wait_for(lambda: os.path.exists(f"{router.run_dir}/frr/bgpd.vty"), 20, "bgpd listens")
        router.output("vtysh", "-f", rendered(router, "frr.conf"))
    else:
        router.start("gobgpd", [*GOBGPD, "-f", rendered(router, "gobgpd-router.yml")], user="frr")


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
    return connect(lb_pod(name))


def connect(pod):
    """An LB pod's network, and the node's, which the announcer keeps a route in."""
    pod.connect()
    if containers.available():
        return pod
    os.mkdir(f"{pod.run_dir}/coracle-netns")
    os.mkdir(f"{pod.run_dir}/coracle")  # the emptyDir that both containers mount
    open(f"{pod.run_dir}/coracle-netns/node", "x", encoding="ascii").close()
    linux.mount(f"/run/netns/{pod.node}", f"{pod.run_dir}/coracle-netns/node", flags=linux.MS_BIND)
    return pod


def configure(**bgp):
    """Writes the LB pods' configuration, with some of bgp's keys set; returns whether it is another one than before."""
    with open(f"{LAB}/tree/test/lab/coracle.yaml", encoding="utf-8") as file:
        text = file.read()
    for key, value in bgp.items():
        text = re.sub(rf"^  {key}: .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("bgp:\n", f"bgp:\n  {key}: {value}\n")
    if os.path.exists(CONFIG):
        with open(CONFIG, encoding="utf-8") as file:
            if file.read() == text:
                return False
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def start_lb(pod):
    """What the node's kubelet does with deploy/: the init container, then the two others."""
    if containers.available():
        containers.start_init(pod)
    else:
        shutil.copyfile(f"{RENDERED}/pools", f"{pod.run_dir}/coracle/pools")
        with open(f"{RENDERED}/pools", encoding="ascii") as pools:
            pod.output(f"{LAB}/tree/deploy/netns-setup", *pools.read().split())
    start_containers(pod)


def start_containers(pod):
    if containers.available():
        containers.start(pod)
        return
    if not pod.pid("exabgp"):
        pod.start("exabgp", ["sh", "-c", EXABGP, "exabgp", f"{pod.address},{pod.address6}",
                             f"{pod.node_address},{pod.node_address6}"], container=True,
                  env=EXABGP_ENVIRONMENT)
    if not pod.pid("ipvs"):
        start_ipvs(pod)


def reconfigure(pod):
    """Starts exabgp anew with what its configuration is now; in a cluster it is the init container that renders it."""
    pod.kill("exabgp")
    if containers.available():
        containers.start_init(pod)
    start_containers(pod)


def start_ipvs(pod, objects=OBJECTS, **environment):
    pod.start("ipvs", ["coracle", "controller", "--config", CONFIG, "--objects", objects, "--templates", TEMPLATES],
              container=True, env={"CORACLE_HTTP_ADDRESS": f"{pod.address}:9090", **environment})


EXABGP_ENVIRONMENT = {"exabgp_daemon_drop": "false", "exabgp_daemon_user": "root",
                      "exabgp_log_destination": "stdout", "exabgp_api_cli": "false"}
EXABGP = f"""coracle render --config {CONFIG} --templates {TEMPLATES} --output exabgp \\
    --pod-address $1 --node-address $2 > /run/coracle/exabgp.conf
exec exabgp /run/coracle/exabgp.conf"""


def begin_stop(pod):
    """What the kubelet does when the pod is to go: its containers get SIGTERM all at once, but one that has a preStop gets
    it after that."""
    with open(f"{LAB}/tree/deploy/base/deployment.yaml", encoding="utf-8") as manifest:
        hooks = re.findall(r"preStop: \{exec: \{command: \[(.*)\]\}\}", manifest.read())
    assert len(hooks) == 1, f"preStop hooks: {hooks}"
    pod.start("prestop", [word.strip('" ') for word in hooks[0].split(",")])
    os.kill(pod.pid("ipvs"), signal.SIGTERM)


def end_stop(pod, seconds):
    """Waits until the containers have ended, and removes the pod."""
    wait_for(lambda: not pod.pid("prestop"), seconds, f"{pod.name}: the preStop returns")
    pod.kill("exabgp", number=signal.SIGTERM, timeout=15)
    wait_for(lambda: not pod.pid("ipvs"), 5, f"{pod.name}: coracle ends")
    pod.destroy()


def leave_log(pod):
    """(phase, flows left, milliseconds since it began) of every step of leaving that the pod's coracle has told."""
    with open(f"{LOGS}/{pod.name}-ipvs.log", encoding="utf-8", errors="replace") as file:
        return [(phase, int(flows), int(passed)) for phase, flows, passed
                in re.findall(r"module=leave .*phase=(\w+) flows_left=(\d+) passed_ms=(\d+)", file.read())]


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
    server { listen 80; listen [::]:80; location / { return 200 "NAME\\n"; } }
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
    router, reflectors = start_hosts()
    lbs = [connect_lb(name) for name in LBS]
    for name in WEBS:
        start_web(name)
    web_service().publish()
    say("machines and web pods run")
    wait_for(lambda: os.path.exists(f"{LAB}/out/built"), 300, "the project is built")
    say("the project is built")
    shutil.copytree(f"{LAB}/tree/templates", TEMPLATES)
    configure()
    for reflector in reflectors:
        start_reflector(reflector)
    start_router(router)
    say("routers started")
    for pod in lbs:
        start_lb(pod)
    say("LB pods started")
    wait_for(serves, 60, "the router has a route over every LB pod")
    say("the router has a route over every LB pod")
