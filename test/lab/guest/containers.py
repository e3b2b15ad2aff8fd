"""The LB pods' containers as a cluster would run them: from the images that test/images has built, with everything that
deploy/base/deployment.yaml says of them, by an OCI runtime (crun). And those of the DaemonSets: reflectors, VRRP.

The lab adds two things: the objects, for it has no API, and its own programs, so that a scenario can try what a container
may do.
"""
import json
import os
import shutil
import subprocess
import time

import fig6
import linux
import oci
from cluster import OBJECTS
from machine import LAB, LOGS, Machine

DEVICES = {"coracle-ipvs": "/dev/ubda", "coracle-exabgp": "/dev/ubdb", "coracle-reflector": "/dev/ubdc"}
IMAGES = f"{LAB}/images"
CRUN = ["/usr/bin/crun", "--cgroup-manager=disabled"]
PASSWORD = f"{LAB}/tree/test/lab/bgp-password"


def available():
    """Whether this lab runs its LB pods from images."""
    return os.path.exists(DEVICES["coracle-ipvs"])


def load(name):
    with open(f"{LAB}/out/rendered/{name}.json", encoding="utf-8") as file:  # see lab_render in common.sh
        return json.load(file)


def pod_spec(manifest="base-deployment"):
    return load(manifest)["spec"]["template"]["spec"]


class NodePod:
    """A pod of a DaemonSet, on its node's own network. files: {ConfigMap: {file: its text}}."""

    def __init__(self, node, address, address6, manifest, files):
        self.name = self.node = node.name
        self.netns, self.home = node.netns, node.home
        self.run_dir = f"{node.home}/volumes/{manifest}"
        self.address = self.node_address = address
        self.address6 = self.node_address6 = address6
        self.spec, self.files = pod_spec(manifest), files

    def start(self):
        shutil.rmtree(self.run_dir, ignore_errors=True)
        for container in self.spec.get("initContainers", ()):
            Container(self, container["name"]).run()
        for container in self.spec["containers"]:
            Container(self, container["name"]).start()

    def ready(self):
        """What its readiness probes say."""
        for container in self.spec["containers"]:
            try:
                Container(self, container["name"]).output(*container["readinessProbe"]["exec"]["command"])
            except subprocess.CalledProcessError:
                return False
        return True

    def remove(self):
        for kind in ("initContainers", "containers"):
            for container in self.spec.get(kind, ()):
                Container(self, container["name"]).remove()
        shutil.rmtree(self.run_dir, ignore_errors=True)


def prepare(nodes):
    """Once: the images, which are ext4 because capabilities of files would not be seen on the host's; and what a node has
    for its pods: /run as systemd makes it, and a process 1."""
    linux.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    for image, device in DEVICES.items():
        os.makedirs(f"{IMAGES}/{image}")
        linux.mount(device, f"{IMAGES}/{image}", "ext4", linux.MS_RDONLY)
    for node in nodes:
        directory = f"{node.run_dir}/coracle-netns"
        os.mkdir(directory)
        linux.mount("tmpfs", directory, "tmpfs")
        linux.mount(None, directory, flags=linux.MS_SHARED)
        node.start("init", ["sleep", "infinity"])


class Container:
    def __init__(self, pod, name):
        self.pod, self.name = pod, name
        self.spec = getattr(pod, "spec", None) or pod_spec()
        self.container = next(container for kind in ("initContainers", "containers")
                              for container in self.spec.get(kind, ()) if container["name"] == name)
        self.home = f"{pod.home}/containers/{name}"

    def volume(self, volume):
        """The directory that is mounted for a volume of the pod."""
        node = Machine(self.pod.node)
        kind = next(kind for kind in volume if kind != "name")
        if kind == "hostPath":
            path = volume["hostPath"]["path"]
            return f"/proc/{node.pid('init')}/ns" if path == "/proc/1/ns" else f"{node.home}{path}"
        if kind == "emptyDir":
            directory = f"{self.pod.run_dir}/coracle"  # where the host's programs look for it too: test/lab/shell
            if not os.path.exists(directory):  # once for all containers of the pod
                os.makedirs(directory)
                group = self.spec["securityContext"].get("fsGroup")
                if group is not None:
                    os.chown(directory, -1, group)
                os.chmod(directory, 0o777 if group is None else 0o2777)
            return directory
        if volume.get("configMap", {}).get("name") == "coracle-templates":
            return fig6.TEMPLATES
        directory = f"{self.home}/volumes/{volume['name']}"
        os.makedirs(directory, exist_ok=True)
        for source in volume["projected"]["sources"] if kind == "projected" else [volume]:
            self.project(directory, source)
        return directory

    def project(self, directory, source):
        """Nothing for what is of no use without an API: a token, and the API's certificate."""
        for name, text in getattr(self.pod, "files", {}).get(source.get("configMap", {}).get("name"), {}).items():
            with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        if source.get("configMap", {}).get("name") == "coracle-config":
            with open(fig6.CONFIG, encoding="utf-8") as file:
                text = file.read().replace(PASSWORD, "/etc/coracle/bgp/password")
            with open(f"{directory}/coracle.yaml", "w", encoding="utf-8") as file:
                file.write(text)
        elif source.get("secret", {}).get("name") == "coracle-bgp":
            for item in source["secret"]["items"]:
                path = f"{directory}/{item['path']}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.copy(PASSWORD, path)

    def create(self):
        """A root of its own, as from a snapshotter: the image below, and above it what the runtime makes for mounts."""
        self.remove()
        for name in ("root", "upper", "work"):
            os.makedirs(f"{self.home}/{name}")
        linux.mount("overlay", f"{self.home}/root", "overlay",
                    options=f"lowerdir={IMAGES}/{self.container['image']},upperdir={self.home}/upper,workdir={self.home}/work")
        pod = self.pod
        fields = {"metadata.name": pod.name, "status.podIP": pod.address, "status.podIPs": f"{pod.address},{pod.address6}",
                  "status.hostIP": pod.node_address, "status.hostIPs": f"{pod.node_address},{pod.node_address6}",
                  "spec.nodeName": pod.node, "metadata.namespace": "coracle"}
        volumes = {volume["name"]: self.volume(volume) for volume in self.spec["volumes"]}
        extra = {"env": {"CORACLE_OBJECTS": "/lab/objects"},
                 "mounts": [(OBJECTS, "/lab/objects"), (f"{LAB}/out/bin", "/lab/bin")]}
        config = oci.configuration(self.spec, self.container, load(self.container["image"]), f"{self.home}/root",
                                   pod.netns, volumes, fields, extra)
        with open(f"{self.home}/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file)

    def remove(self):
        if os.path.exists(f"{self.home}/id"):
            with open(f"{self.home}/id", encoding="ascii") as file:
                subprocess.run([*CRUN, "delete", "--force", file.read()], check=True)
        if os.path.ismount(f"{self.home}/root"):
            linux.umount(f"{self.home}/root")
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, *options):
        """crun run, with the container's log as its output."""
        self.create()
        name = f"{self.pod.name}-{self.name}-{time.monotonic_ns()}"
        with open(f"{self.home}/id", "w", encoding="ascii") as file:
            file.write(name)
        with open(f"{LOGS}/{self.pod.name}-{self.name}.log", "ab") as log:
            status = subprocess.run([*CRUN, "run", *options, "--bundle", self.home, name], stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log).returncode
        if status != 0:
            raise RuntimeError(f"{name} ended with status {status}, see {log.name}")

    def start(self):
        self.run("--detach", "--pid-file", f"{self.pod.home}/pids/{self.name}")

    def output(self, *argv):
        """Runs a command in the container, with the container's user and rights, as `kubectl exec` does."""
        with open(f"{self.home}/config.json", encoding="utf-8") as file:
            process = {**json.load(file)["process"], "args": argv}
        with open(f"{self.home}/process.json", "w", encoding="utf-8") as file:
            json.dump(process, file)
        with open(f"{self.home}/id", encoding="ascii") as file:
            return subprocess.run([*CRUN, "exec", "--process", f"{self.home}/process.json", file.read()],
                                  text=True, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=20).stdout


def start_init(pod):
    for container in pod_spec()["initContainers"]:
        Container(pod, container["name"]).run()


def start(pod):
    for container in pod_spec()["containers"]:
        if not pod.pid(container["name"]):
            Container(pod, container["name"]).start()


def remove(pod):
    for kind in ("initContainers", "containers"):
        for container in pod_spec()[kind]:
            Container(pod, container["name"]).remove()
