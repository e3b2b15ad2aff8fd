"""Kubernetes objects as the tests make them. What a kubelet would say of a Pod is patched into its status."""

import itertools
import re
from typing import NamedTuple

from api import ApiError

CLASS, ADDRESS = "coracle.lb/ecmp", "coracle.lb/address"
SERVICES = "/api/v1/namespaces/{}/services"
PODS = "/api/v1/namespaces/{}/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
READY = {"type": "Ready", "status": "True"}

# The resources of the manifests in deploy/: of the cluster, or of a namespace.
CLUSTER_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
NAMESPACE_PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
}


def manifests(path):
    """(kind, name, text) of each document of a file in deploy/. The API reads YAML by itself."""
    for text in re.split(r"^---$", path.read_text(), flags=re.M):
        kind = re.search(r"^kind: (\w+)", text, re.M)
        name = re.search(r"^  name: ([\w-]+)", text, re.M)
        yield kind[1], name[1], text


def apply_manifest(api, namespace, kind, text, query=""):
    """As kustomize would: it adds the namespace, to the subject of a binding too."""
    if kind == "RoleBinding" and "namespace:" not in text:
        text = text.rstrip() + f"\n    namespace: {namespace}\n"
    path = CLUSTER_PATHS.get(kind) or NAMESPACE_PATHS[kind].format(namespace)
    return api.create(path + query, text, "application/yaml")


class Namespace:
    """A namespace of the tests' own, and what stands in it."""

    def __init__(self, api, name):
        self.api, self.name = api, name
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})

    def path(self, template, name=None):
        path = template.format(self.name)
        return f"{path}/{name}" if name else path

    # ---- Services ----

    def service(self, name, addresses=(), selector=False, annotations=None, **spec):
        """With its addresses, if any, as the leader would write them."""
        body = {"metadata": {"name": name, "annotations": dict(annotations or {})},
                "spec": {"type": "LoadBalancer", "loadBalancerClass": CLASS, "allocateLoadBalancerNodePorts": False,
                         "ports": [{"port": 80, "targetPort": 8080}],
                         **({"selector": {"app": name}} if selector else {}), **spec}}
        if addresses:
            body["metadata"]["annotations"][ADDRESS] = ",".join(addresses)
        self.api.create(self.path(SERVICES), body)
        if addresses:
            self.set_addresses(name, *addresses)

    def set_addresses(self, name, *addresses, mode="Proxy"):
        ingress = [{"ip": address, "ipMode": mode} for address in addresses]
        self.api.patch(self.path(SERVICES, name) + "/status", {"status": {"loadBalancer": {"ingress": ingress}}})

    def addresses(self, name):
        """What `kubectl get service` shows as EXTERNAL-IP."""
        status = self.api.get(self.path(SERVICES, name))["status"]["loadBalancer"]
        return [ingress["ip"] for ingress in status.get("ingress", [])]

    def events(self, service):
        """{reason: Event} about it, of coracle's: the API server has its own, of cluster addresses it comes to know late."""
        items = self.api.get(f"/apis/events.k8s.io/v1/namespaces/{self.name}/events")["items"]
        return {item["reason"]: item for item in items
                if item["regarding"]["name"] == service and item.get("reportingController") == "coracle.lb/controller"}

    def delete_service(self, name):
        self.api.delete(self.path(SERVICES, name))

    # ---- EndpointSlices by hand, of Services without selector ----

    def slice_body(self, service, addresses, name=None):
        return {"metadata": {"name": name or f"{service}-1",
                             "labels": {"kubernetes.io/service-name": service,
                                        "endpointslice.kubernetes.io/managed-by": "coracle-test"}},
                "addressType": "IPv6" if ":" in addresses[0] else "IPv4", "ports": [{"port": 8080}],
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]}

    def slice(self, service, *addresses, name=None):
        self.api.create(self.path(SLICES), self.slice_body(service, addresses, name))

    def change_slice(self, service, *addresses):
        self.api.replace(self.path(SLICES, f"{service}-1"), self.slice_body(service, addresses))

    # ---- Pods by hand ----

    def pod(self, name, app, *addresses, ready=True):
        self.api.create(self.path(PODS), {
            "metadata": {"name": name, "labels": {"app": app}},
            "spec": {"nodeName": "node-1", "terminationGracePeriodSeconds": 600,
                     "containers": [{"name": "web", "image": "web"}]}})
        self.set_pod_status(name, *addresses, ready=ready)

    def set_pod_status(self, name, *addresses, ready=True):
        self.api.patch(self.path(PODS, name) + "/status", {"status": {
            "phase": "Running", "podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses],
            "conditions": [{**READY, "status": "True" if ready else "False"}]}})

    def delete_pod(self, name):
        """Asked to go: without a kubelet it stays, terminating."""
        self.api.delete(self.path(PODS, name))

    def pod_is_gone(self, name):
        self.api.delete(self.path(PODS, name), gracePeriodSeconds=0)

    # ---- the end ----

    def clear(self):
        for template in (SERVICES, SLICES, PODS):
            self.api.delete(self.path(template), gracePeriodSeconds=0)
        self.api.delete(f"/api/v1/namespaces/{self.name}")


def make_node(api, name):
    api.create("/api/v1/nodes", {"metadata": {"name": name}})
    api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [READY]}})


class Right(NamedTuple):
    group: str
    resource: str
    verb: str
    name: str | None
    namespace: str | None

    def __str__(self):
        return f"{self.verb} {self.resource}" + (f" {self.name}" if self.name else "")


class Account:
    """The service account of an LB pod, with the rights that deploy/ ships, and its token file."""

    NAMESPACE = "coracle"
    USER = "system:serviceaccount:coracle:coracle"
    PATH = NAMESPACE_PATHS["ServiceAccount"].format(NAMESPACE)
    SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"

    def __init__(self, api, deploy):
        self.api = api
        self.deploy = deploy
        self.tokens = 0
        for file in ("namespace.yaml", "rbac.yaml"):
            for kind, _, text in manifests(deploy / "base" / file):
                apply_manifest(api, self.NAMESPACE, kind, text)

    def token(self):
        """(text, id): a token of the shortest life that the API grants, 600 s. It is bound to a Secret of its own,
        so that `revoke` can end it earlier."""
        self.tokens += 1
        secret = f"token-{self.tokens}"
        uid = self.api.create(self.SECRETS, {"metadata": {"name": secret}})["metadata"]["uid"]
        answer = self.api.create(f"{self.PATH}/coracle/token", {"spec": {
            "expirationSeconds": 600,
            "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": uid}}})
        return answer["status"]["token"], secret

    def revoke(self, secret):
        """The API server may go on for the 10 s that it remembers a good token."""
        self.api.delete(f"{self.SECRETS}/{secret}")

    def rights(self):
        """What the shipped roles allow."""
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        for path, namespace in ((f"{rbac}/clusterroles/coracle", None),
                                (f"{rbac}/namespaces/{self.NAMESPACE}/roles/coracle", self.NAMESPACE)):
            for rule in self.api.get(path)["rules"]:
                for words in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"],
                                               rule.get("resourceNames", [None])):
                    yield Right(*words, namespace)

    def delete(self):
        self.api.delete(f"{self.PATH}/coracle")

    def restore(self):
        try:
            self.api.create(self.PATH, {"metadata": {"name": "coracle"}})
        except ApiError as error:
            if error.status != 409:
                raise
