"""The guest's part: a Kubernetes node in the lab's node network, with the lab's routers and client around it.

 client ── router 10.0.0.110 ── node network ──┬── reflector1 10.0.0.109, reflector2 10.0.0.111
                                              └── the guest itself, 10.0.0.106: containerd and kubelet
                                                    └── cni0 172.16.1.0/24: pods, made by the kubelet
The API server is on the host, at the other end of vec0. What the host knows (addresses, credentials) lies in
/mnt/out/node.
"""
import json
import os
import subprocess

import fig6
import linux
from machine import LAB, LOGS, PATH, Machine, ip_batch

OUT = f"{LAB}/out/node"
CONTAINERD = "/run/containerd/containerd.sock"
MODULES = ["overlay"]

CONTAINERD_CONFIG = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  # there is no registry here
  sandbox_image = "registry.example/coracle:web"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{LAB}/cni"
"""

# Pods keep their addresses on their way out: the reflector knows the way to them, and admits no other.
NETWORK = {
    "cniVersion": "0.4.0", "name": "pods", "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "172.16.1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}

KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": False},
                       "x509": {"clientCAFile": f"{OUT}/ca.crt"}},
    "authorization": {"mode": "AlwaysAllow"},
    "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
    "cgroupDriver": "cgroupfs",
    "enforceNodeAllocatable": [],
    "clusterDNS": ["10.96.0.10"],  # nobody is there, and nobody asks
    "volumePluginDir": "/var/lib/kubelet/volume-plugins",
}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start_daemon(name, *argv):
    """On the guest itself, in its own namespaces."""
    with open(f"{LOGS}/{name}.log", "ab") as log:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                env={"PATH": PATH, "HOME": "/run"})


def mount_as_on_a_node():
    linux.mount(None, "/", flags=linux.MS_REC | linux.MS_SHARED)  # as systemd does
    linux.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    for path in ("/var/lib", "/opt"):
        linux.mount("tmpfs", path, "tmpfs")
    # The kubelet does not start without the processor's clock, which User-Mode Linux does not tell.
    with open("/proc/cpuinfo", encoding="ascii") as file:
        linux.mount(write("/run/cpuinfo", file.read().rstrip() + "\ncpu MHz\t\t: 1000.000\n"), "/proc/cpuinfo",
                    flags=linux.MS_BIND)


def start_network():
    """The lab's, but that this node is the guest itself."""
    client, router = Machine("client"), Machine("router")
    reflectors = [Machine(name) for name in fig6.REFLECTORS]
    for machine in (client, router, *reflectors):
        machine.create()
    ip_batch(["link set lo up", "link add br0 up type bridge", f"addr add {fig6.NODES[1]}/24 dev br0",
              *(f"link add {host.name} master br0 up type veth peer name eth0 netns {host.netns}"
                for host in (router, *reflectors)),
              f"link add eth0 netns {client.netns} type veth peer name eth1 netns {router.netns}",
              "link set vec0 up", "addr add 10.99.0.2/30 dev vec0", f"route add default via {fig6.ROUTER}"])
    client.ip([fig6.LOOPBACK, "link set eth0 up", f"addr add {fig6.CLIENT}/24 dev eth0",
               "route add default via 192.168.1.1"])
    router.ip([fig6.LOOPBACK, "link set eth0 up", "link set eth1 up", f"addr add {fig6.ROUTER}/24 dev eth0",
               "addr add 192.168.1.1/24 dev eth1"])
    router.sysctl({"net.ipv4.ip_forward": 1, "net.ipv4.ip_unprivileged_port_start": 179})
    for reflector in reflectors:
        reflector.ip([fig6.LOOPBACK, "link set eth0 up", f"addr add {fig6.REFLECTORS[reflector.name]}/24 dev eth0",
                      f"route add 172.16.1.0/24 via {fig6.NODES[1]}"])
    write("/proc/sys/net/ipv4/ip_forward", "1")
    return router, reflectors


def stand_in_for_kube_proxy(server):
    """The one Service that pods need and that Coracle does not serve: `kubernetes`."""
    subprocess.run(["iptables-legacy", "-t", "nat", "-A", "PREROUTING", "-d", "10.96.0.1/32", "-p", "tcp", "--dport",
                    "443", "-j", "DNAT", "--to-destination", server], check=True, env={"PATH": PATH})
    # a host-local pod network has no masquerading, and the host no way back
    subprocess.run(["iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-o", "vec0", "-j", "MASQUERADE"],
                   check=True, env={"PATH": PATH})


def start_containerd():
    write(f"{LAB}/cni/10-pods.conf", json.dumps(NETWORK))
    start_daemon("containerd", "containerd", "-c", write("/run/containerd.toml", CONTAINERD_CONFIG))
    fig6.wait_for(lambda: os.path.exists(CONTAINERD), 60, "containerd listens")
    for image in ("web", "ipvs.oci", "exabgp.oci"):
        # an OCI archive tells the tag only
        subprocess.run(["ctr", "-n", "k8s.io", "images", "import", "--base-name", "registry.example/coracle",
                        f"{OUT}/images/{image}.tar"], check=True, env={"PATH": PATH})


def start_kubelet():
    start_daemon("kubelet", f"{OUT}/kubelet", f"--config={write('/run/kubelet.json', json.dumps(KUBELET))}",
                 f"--kubeconfig={OUT}/node1.json", f"--node-ip={fig6.NODES[1]}", "--hostname-override=node1", "--v=1")


def start():
    mount_as_on_a_node()
    linux.load_modules(f"/usr/lib/uml/modules/{os.uname().release}", MODULES)
    router, reflectors = start_network()
    fig6.wait_for(lambda: os.path.exists(f"{OUT}/server"), 300, "the control plane runs")
    with open(f"{OUT}/server", encoding="ascii") as file:
        stand_in_for_kube_proxy(file.read().strip())
    for reflector in reflectors:
        fig6.start_reflector(reflector)
    fig6.start_router(router)
    start_containerd()
    start_kubelet()
