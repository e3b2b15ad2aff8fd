"""The host's part: a control plane, the guest as its node, and what an operator would do and look at.

on_a_node.py LAB SERVERS NODE_PROGRAMS IMAGES. Prints one line for each step that went well, and stops at the first that
did not. LAB is a directory of test/lab that host.py serves (see run).
"""
import contextlib
import hashlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "conformance"), str(HERE.parent / "api")]

from api import ApiError  # noqa: E402
from cluster import Cluster  # noqa: E402

HOST = "10.99.0.1"  # the API server's address on the tap device
PODS = "/api/v1/namespaces/{}/pods"
VIP = "10.1.1.1"


class NodeCluster(Cluster):
    """With what a real node and real Deployments ask for beside that."""

    LISTEN = "0.0.0.0"
    NAMES = f"IP:127.0.0.1,IP:{HOST},IP:10.96.0.1"
    ACCESS = ["--authorization-mode=Node,RBAC", f"--advertise-address={HOST}",
              # for `kubectl exec` and `kubectl logs`
              "--kubelet-preferred-address-types=InternalIP", "--kubelet-client-certificate=admin.crt",
              "--kubelet-client-key=admin.key"]
    CONTROLLERS = Cluster.CONTROLLERS + ["deployment-controller", "replicaset-controller",
                                         "root-ca-certificate-publisher-controller", "disruption-controller"]

    def make_credentials(self):
        super().make_credentials()
        self.make_certificate("node1", "/O=system:nodes/CN=system:node:node1", "extendedKeyUsage=clientAuth\n")
        self.write_kubeconfig("node1", f"https://{HOST}:{self.port}")


class Node:
    """The guest: what lies in its /mnt/out/node, and commands in it."""

    def __init__(self, lab):
        self.lab = lab
        self.directory = lab / "node"

    def equip(self, cluster, programs, images):
        (self.directory / "images").mkdir(parents=True)
        for file in ("ca.crt", "node1.crt", "node1.key", "node1.json"):
            shutil.copy(cluster.directory / file, self.directory)
        shutil.copy(programs / "kubelet", self.directory)
        for image in ("ipvs", "exabgp"):
            shutil.copy(images / f"{image}.oci.tar", self.directory / "images")
        make_web_image(self.lab / "web", self.directory / "images/web.tar")
        # last, for the guest waits for it
        (self.directory / "server.new").write_text(f"{HOST}:{cluster.port}\n")
        (self.directory / "server.new").rename(self.directory / "server")

    def command(self, machine, command):
        return [sys.executable, HERE.parent / "lab/client.py", self.lab, "shell", machine, "sh", "-c", command]

    def run(self, machine, command, check=True):
        done = subprocess.run(self.command(machine, command), stdout=subprocess.PIPE, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{machine}: {command}: status {done.returncode}\n{done.stdout}")
        return done.stdout


def make_web_image(program, archive):
    """An image of one static program, in the format of `docker save`."""
    def add(tar, name, data, mode=0o644):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), mode
        tar.addfile(entry, io.BytesIO(data))

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        add(tar, "web", program.read_bytes(), 0o755)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    with tarfile.open(archive, "w") as tar:
        add(tar, "layer.tar", layer.getvalue())
        add(tar, "config.json", json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/web"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode())
        add(tar, "manifest.json", json.dumps([
            {"Config": "config.json", "RepoTags": ["registry.example/coracle:web"], "Layers": ["layer.tar"]}]).encode())


# What deploy/base/deployment.yaml grants, as /proc/PID/status tells it: user, permitted, effective and bounding
# capabilities, no_new_privs, seccomp (2: a filter).
NET_ADMIN, NET_RAW, SYS_ADMIN = 1 << 12, 1 << 13, 1 << 21
GRANTED = {
    "coracle": (0, NET_ADMIN | NET_RAW, NET_ADMIN | NET_RAW, NET_ADMIN | NET_RAW, 1, 2),
    "keepalived": (0, NET_ADMIN | NET_RAW, NET_ADMIN | NET_RAW, NET_ADMIN | NET_RAW, 1, 2),
    "exabgp": (65534, 0, 0, NET_ADMIN | SYS_ADMIN, 0, 2),
    # it has entered the node's namespace and given SYS_ADMIN up
    "coracle-announc": (65534, NET_ADMIN, NET_ADMIN, NET_ADMIN | SYS_ADMIN, 0, 2),
}


class Test:
    def __init__(self, cluster, node, programs):
        self.cluster, self.api, self.node, self.programs = cluster, cluster.api, node, programs
        self.began = time.monotonic()

    def say(self, what):
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", flush=True)

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while True:
            self.schedule()
            found = condition()
            if found:
                self.say(what)
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}")
            time.sleep(0.5)

    def schedule(self):
        """There is one node to choose from."""
        for pod in self.api.get("/api/v1/pods?fieldSelector=spec.nodeName=")["items"]:
            meta = pod["metadata"]
            try:
                self.api.create(PODS.format(meta["namespace"]) + f"/{meta['name']}/binding",
                                {"metadata": {"name": meta["name"]}, "target": {"kind": "Node", "name": "node1"}})
            except ApiError as error:
                if error.status not in (404, 409):
                    raise

    def pods(self, namespace):
        return self.api.get(PODS.format(namespace))["items"]

    def ready_pods(self, namespace):
        return [pod["metadata"]["name"] for pod in self.pods(namespace)
                if "deletionTimestamp" not in pod["metadata"]
                and {"type": "Ready", "status": "True"}.items() <= next(
                    (c for c in pod["status"].get("conditions", []) if c["type"] == "Ready"), {}).items()]

    def kubectl(self, *words):
        return subprocess.run([self.programs / "kubectl", f"--kubeconfig={self.cluster.directory}/admin.json", *words],
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    def node_is_ready(self):
        try:
            node = self.api.get("/api/v1/nodes/node1")
        except ApiError:
            return False
        return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])

    def vip(self):
        ingress = self.api.get("/api/v1/namespaces/default/services/web")["status"]["loadBalancer"].get("ingress")
        return ingress and ingress[0]["ip"]

    def request(self):
        return self.node.run("client", f"curl -s -m 5 http://{VIP}/", check=False).strip()

    def check_first_look(self):
        """What docs/install.md has a new user look at."""
        status = self.kubectl("--namespace=coracle", "exec", "deployment/coracle", "--container=ipvs", "--", "coracle",
                              "status")
        for line in ("coracle [0-9.]+: synced, keepalived up, kernel table as planned",
                     "announcer: connected, 2 of 2 BGP sessions up, 1 routes announced",
                     f"{VIP} +announced +2 +0 +0 +[0-9]+  default/web"):
            assert re.search(f"^{line}$", status, re.M), status
        log = self.kubectl("--namespace=coracle", "logs", self.ready_pods("coracle")[0], "--container=ipvs")
        assert "msg=synced" in log, log
        self.say("`kubectl exec` and `kubectl logs` show what docs/install.md says")

    def check_rights(self):
        names = "coracle|keepalived|(python3-)?exabgp|coracle-announc"
        found = {}
        status = self.node.run("guest", f"cat $(grep -lxE 'Name:.({names})' /proc/[0-9]*/status)")
        for block in status.split("Name:\t")[1:]:
            name, _, rest = block.partition("\n")
            values = dict(line.split(":\t", 1) for line in rest.splitlines() if ":\t" in line)
            rights = (int(values["Uid"].split()[1]), *(int(values[key], 16) for key in ("CapPrm", "CapEff", "CapBnd")),
                      int(values["NoNewPrivs"]), int(values["Seccomp"]))
            found.setdefault(name.removeprefix("python3-"), set()).add(rights)
        wanted = {name: {rights} for name, rights in GRANTED.items()}
        assert found == wanted, f"rights of the containers' processes\n{found}, not\n{wanted}"
        self.say("user, capabilities, no_new_privs and seccomp of every process are the manifest's")

    @contextlib.contextmanager
    def requests(self):
        """They come all the time, and all are answered."""
        load = subprocess.Popen(self.node.command("client", f"load -n 0 -r 5 -w 10000 {VIP} 80"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        yield
        self.node.run("guest", "kill $(pidof load)")
        said = load.communicate(timeout=60)[0]
        _, answered, failed, *_ = said.splitlines()[-1].split()
        assert int(answered) > 0 and failed == "0", f"requests failed:\n{said}"
        self.say(f"{answered} of {answered} requests were answered meanwhile")

    def have_gone(self, pods):
        return not pods & {pod["metadata"]["name"] for pod in self.pods("coracle")}

    def leave(self):
        """One of two LB pods is told to go."""
        leaver = self.ready_pods("coracle")[0]
        with self.requests():
            self.kubectl("--namespace=coracle", "delete", "pod", "--wait=false", leaver)
            self.wait(lambda: self.have_gone({leaver}), 180, "one LB pod was told to go, and has gone")
        self.wait(lambda: len(self.ready_pods("coracle")) == 2, 180, "another LB pod has taken its place and is Ready")

    def roll_out(self):
        """All are replaced one by one: a new one is ready when it is announced, and only then an old one goes."""
        old = set(self.ready_pods("coracle"))
        with self.requests():
            self.kubectl("--namespace=coracle", "rollout", "restart", "deployment/coracle")
            self.wait(lambda: self.have_gone(old) and len(self.ready_pods("coracle")) == 2, 400,
                      "both LB pods are replaced by a rollout")

    def run(self):
        self.kubectl("apply", "--server-side", "-k", str(HERE / "overlay"))
        self.kubectl("create", "secret", "generic", "coracle-bgp", "--namespace=coracle",
                     f"--from-file=password={HERE.parent / 'lab/bgp-password'}")
        self.say("the API server has the manifests, and the BGP password")
        self.wait(self.node_is_ready, 600, "the kubelet's Node is Ready")
        self.wait(lambda: len(self.ready_pods("default")) == 2, 240, "both web pods are Ready")
        self.wait(lambda: len(self.ready_pods("coracle")) == 2, 300, "both LB pods are Ready")
        self.wait(lambda: self.vip() == VIP, 30, f"the Service has {VIP}")
        self.wait(self.request, 60, "a request to it is answered by a pod")
        self.check_first_look()
        self.check_rights()
        self.leave()
        self.roll_out()


def main():
    lab, servers, programs, images = map(pathlib.Path, sys.argv[1:])
    directory = lab / "control-plane"
    directory.mkdir()
    cluster = NodeCluster(servers, directory)
    try:
        cluster.start()
        node = Node(lab)
        node.equip(cluster, programs, images)
        test = Test(cluster, node, programs)
        try:
            test.run()
        except AssertionError:
            print(test.kubectl("get", "pods,events", "--all-namespaces"))
            print(node.run("guest", "for log in /var/log/pods/*/*/*.log; do echo \"--- $log\"; tail -n 40 $log; done"),
                  flush=True)
            raise
    finally:
        cluster.stop()


main()
