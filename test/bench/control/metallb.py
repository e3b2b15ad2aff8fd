"""MetalLB as its manifests install it, but for what a machine without nodes cannot have: its objects in the API, and how its
two programs are started. The path of BGP is the native one, without FRR."""
import os
import re
import shutil
import subprocess

from addresses import HERE, HOST
from reflector import AS
from api import ApiError
from daemon import die_with_parent
from objects import CLASS

NAMESPACE = "metallb-system"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
    "ConfigMap": f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    "Secret": f"/api/v1/namespaces/{NAMESPACE}/secrets",
}
# What runs pods, and the webhook, which is a Service that nobody here carries packets to: --webhook-mode says so to MetalLB.
LEFT_OUT = ("Deployment", "DaemonSet", "Service", "ValidatingWebhookConfiguration")
OURS = f"/apis/metallb.io/{{}}/namespaces/{NAMESPACE}/{{}}"


def install(world, manifests, source=None):
    """`source`: the address that the speaker's session comes from, if not the one that the routes say."""
    with open(manifests, encoding="utf-8") as file:
        documents = re.split(r"^---$", file.read(), flags=re.MULTILINE)
    for text in documents:
        kind = re.search(r"^kind: (\w+)", text, re.MULTILINE)
        if kind and kind[1] not in LEFT_OUT:
            world.api.create(PATHS[kind[1]], text, "application/yaml")
    for name in ("controller", "speaker"):
        world.api.create(f"/api/v1/namespaces/{NAMESPACE}/pods", {
            "metadata": {"name": f"{name}-0"},
            "spec": {"nodeName": "node-1", "containers": [{"name": name, "image": name}]}})
    peer = {"myASN": AS, "peerASN": AS, "peerAddress": HOST, "holdTime": "9s"}
    if source:
        peer.update(sourceAddress=source, routerID=source)
    for version, kind, spec in (("v1beta1", "IPAddressPool", {"addresses": ["10.1.0.0/16"]}),
                                ("v1beta2", "BGPPeer", peer),
                                ("v1beta1", "BGPAdvertisement", {})):
        create(world.api, OURS.format(version, kind.lower() + "s"),
               {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": {"name": "bench"}, "spec": spec})


def create(api, path, body):
    """A kind that was defined a moment ago is not served yet."""
    for _ in range(100):
        try:
            api.create(path, body)
            return
        except ApiError as error:
            if error.status != 404:
                raise
            last = error
    raise last


def commands(directory, programs):
    """{program: its argv} as the manifests' are, with ports that do not meet; the kubeconfigs are in `directory`. Without the
    webhook, which only refuses bad configuration, and would need a certificate."""
    return {name: [f"{programs}/{name}", f"--kubeconfig={directory}/{name}.json", f"--port={port}",
                   f"--health-probe-port={port + 1}", "--log-level=info", f"--lb-class={CLASS}",
                   *(["--webhook-mode=disabled"] if name == "controller" else [])]
            for name, port in (("controller", 9120), ("speaker", 9130))}


def environment(name):
    return {"METALLB_NAMESPACE": NAMESPACE, "METALLB_POD_NAME": f"{name}-0", "METALLB_DEPLOYMENT": "controller",
            "METALLB_NODE_NAME": "node-1", "METALLB_HOST": HERE, "METALLB_BGP_TYPE": "native"}


class MetalLB:
    """On this machine."""
    name = "MetalLB"

    def __init__(self, world, directory, programs):
        self.directory, self.processes = directory, {}
        for name, command in commands(directory, programs).items():
            world.kubeconfig(directory, NAMESPACE, name)
            with open(f"{directory}/{name}.log", "w", encoding="ascii") as log:
                self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent,
                                                        env={**os.environ, **environment(name)})

    def pids(self):
        return {name: process.pid for name, process in self.processes.items()}

    def told(self):
        return "".join(open(f"{self.directory}/{name}.log", encoding="utf-8").read()[-2000:] for name in self.processes)

    def keep_logs(self, where):
        for name in self.processes:
            shutil.copy(f"{self.directory}/{name}.log", f"{where}/metallb-{name}.log")

    def stop(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
