"""What deploy/ ships, rendered by kubectl and applied as an operator would: the API server takes every field (strict
validation), Pod Security says which level the pods need, and the account may do what it must and no more."""

import pathlib
import re
import sys
import tempfile
import time
import unittest

import yaml
from api import ApiError
from harness import ROOT, SERVERS, Cluster, figure, main

sys.path.insert(0, str(ROOT / "test/deploy"))

from rendering import DEPLOY, KUBECTL, OPTIONAL, kustomizations, render, render_with  # noqa: E402

ACCOUNT = "system:serviceaccount:coracle:coracle"
OF_THE_CLUSTER = ("Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IPPool")
# What Pod Security has against our workloads at the level `baseline`.
OBJECTIONS = {
    "coracle": ["privileged (container \"netns-setup\"", "hostPath volumes (volumes \"node-init-ns\", \"node-netns\")",
                "non-default capabilities (containers \"ipvs\", \"exabgp\""],
    "coracle-reflector": ["host namespaces (hostNetwork=true)", "hostPort (container \"gobgpd\""],
    "coracle-vrrp": ["host namespaces (hostNetwork=true)", "non-default capabilities (container \"vrrp\""],
    "web-direct": ["privileged (container \"tunnel-setup\""],
}
# Kinds of other projects: only that they stand where these look for them.
FOREIGN = {"PodMonitor": "monitoring.coreos.com/v1", "PrometheusRule": "monitoring.coreos.com/v1",
           "IPPool": "projectcalico.org/v3"}


def applied():
    return kustomizations("overlays/*") + kustomizations("examples/*")


def plural(kind):
    return kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + "s"


def path_of(item, name=None):
    version, kind = item["apiVersion"], item["kind"]
    start = f"/apis/{version}" if "/" in version else f"/api/{version}"
    if kind not in OF_THE_CLUSTER:
        start += f"/namespaces/{item['metadata'].get('namespace', 'default')}"
    return f"{start}/{plural(kind)}/{name or item['metadata']['name']}"


def definition(kind, version):
    group, _, number = version.partition("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural(kind)}.{group}"},
            "spec": {"group": group, "scope": "Cluster" if kind in OF_THE_CLUSTER else "Namespaced",
                     "names": {"plural": plural(kind), "singular": kind.lower(), "kind": kind},
                     "versions": [{"name": number, "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": schema}}]}}


class Deploy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="coracle-deploy-")
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)
        cls.cluster = Cluster(SERVERS, cls.directory)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.api = cls.cluster.api
        for kind, version in FOREIGN.items():
            cls.apply(definition(kind, version))
        cls.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for kind, version in FOREIGN.items():
            cls.await_kind(version, plural(kind))

    @classmethod
    def await_kind(cls, version, resource):
        deadline = time.monotonic() + 60
        while True:
            try:
                cls.api.get(f"/apis/{version}/{resource}")
                return
            except ApiError as error:
                if error.status not in (404, 429) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    @classmethod
    def apply(cls, item):
        """Returns what the server has to object to."""
        cls.api.apply(path_of(item), item)
        return cls.api.warnings

    def apply_quietly(self, name, objects):
        for item in sorted(objects, key=lambda item: item["kind"] != "Namespace"):
            self.assertEqual(self.apply(item), [], f"{name}: {item['kind']} {item['metadata']['name']}")

    def apply_all(self, name, objects):
        self.apply_quietly(name, objects)
        kinds = sorted({item["kind"] for item in objects})
        figure(f"{name}: {len(objects)} objects taken: {', '.join(kinds)}")

    def test_every_overlay_and_example_is_taken_with_strict_validation(self):
        found = applied()
        self.assertGreaterEqual(len(found), 8)
        for directory in found:
            with self.subTest(directory.name):
                self.apply_all(directory.name, render(directory))
        for component in OPTIONAL:
            with self.subTest(component):
                self.apply_all(component, render_with(component))

    def test_plain_examples_are_taken(self):
        for path in sorted((DEPLOY / "examples").glob("*.yaml")):
            with self.subTest(path.name):
                self.apply_all(path.name, list(yaml.safe_load_all(path.read_text())))

    def test_a_field_that_does_not_exist_is_refused(self):
        """Else the tests above would show nothing."""
        policy = yaml.safe_load((DEPLOY / "base/disruption.yaml").read_text())
        policy["spec"]["maxUnavailible"] = 1
        with self.assertRaisesRegex(ApiError, "maxUnavailible"):
            self.apply({**policy, "metadata": {"name": "wrong", "namespace": "shop"}})

    def test_pod_security_says_what_it_must(self):
        """The namespaces admit the pods of every overlay as they are. At the level `baseline` they would object to what
        deploy/README.md gives reasons for, and to nothing else; at `restricted` to no more than that and root."""
        said = {}
        for directory in applied():
            objects = render(directory)
            self.apply_quietly(directory.name, objects)
            for item in objects:
                if item["kind"] in ("Deployment", "DaemonSet"):
                    with self.subTest(f"{directory.name}: {item['metadata']['name']}"):
                        self.admit(item)
                        for level, text in self.objections(item):
                            said.setdefault((item["metadata"]["name"], level, text), []).append(directory.name)
        for (name, level, text), overlays in sorted(said.items()):
            figure(f"{name}, level {level}: {text} ({', '.join(overlays)})")
        self.assertEqual({name for name, _, _ in said}, set(OBJECTIONS))

    def admit(self, item):
        """With its priority class, and at the level that is enforced."""
        template, namespace = item["spec"]["template"], item["metadata"].get("namespace", "default")
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
               "metadata": {"name": f"{item['metadata']['name']}-1", "namespace": namespace,
                            "labels": template["metadata"]["labels"]}}
        self.api.create(path_of(pod).rpartition("/")[0] + "?dryRun=All&fieldValidation=Strict", pod)

    def objections(self, item):
        """Yields (level, what Pod Security would object to)."""
        name, namespace = item["metadata"]["name"], item["metadata"].get("namespace", "default")
        for level in ("baseline", "restricted"):
            self.warn_at(namespace, level)
            text = self.await_warning(item, rf'would violate PodSecurity \\"{level}:[^"]+": (.*)"')
            if level == "baseline":
                for objection in re.split(r"(?<=\)), ", text):
                    self.assertTrue(objection.startswith(tuple(OBJECTIONS[name])), objection)
            yield level, text
        self.warn_at(namespace, None)
        self.await_warning(item, "^()$")

    def await_warning(self, item, pattern):
        """Admission sees a namespace's new label after a moment only."""
        deadline = time.monotonic() + 20
        while True:
            annotations = {"applied-at": str(time.monotonic())}
            warnings = " ".join(self.apply({**item, "metadata": {**item["metadata"], "annotations": annotations}}))
            found = re.search(pattern, warnings)
            if found:
                return found[1].replace('\\"', '"')
            self.assertLess(time.monotonic(), deadline, f"no warning like {pattern}: {warnings}")
            time.sleep(0.1)

    def warn_at(self, namespace, level):
        self.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": {
            "pod-security.kubernetes.io/warn": level}}})

    def may(self, verb, resource, namespace=None, name=None, subresource=None):
        group, _, resource = resource.rpartition("/")
        return self.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": {
            "user": ACCOUNT, "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name,
                "subresource": subresource}}})["status"]["allowed"]

    def test_fleet_of_one_namespace_has_no_rights_in_others(self):
        self.apply_all("namespaced", render(DEPLOY / "overlays/namespaced"))
        try:
            self.api.delete("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/coracle")
        except ApiError as error:  # no test before this one has made it
            self.assertEqual(error.status, 404)
        for verb, resource, subresource in (
                ("list", "services", None), ("watch", "services", None), ("patch", "services", "status"),
                ("list", "discovery.k8s.io/endpointslices", None), ("watch", "discovery.k8s.io/endpointslices", None),
                ("create", "events.k8s.io/events", None), ("patch", "events.k8s.io/events", None)):
            with self.subTest(f"{verb} {resource}"):
                self.assertTrue(self.may(verb, resource, "shop", subresource=subresource))
                self.assertFalse(self.may(verb, resource, "default", subresource=subresource))
                self.assertFalse(self.may(verb, resource, subresource=subresource))
        # and reads of its own namespace what it compares itself with, which of Services there is nothing
        self.assertTrue(self.may("list", "discovery.k8s.io/endpointslices", "coracle"))
        self.assertTrue(self.may("watch", "discovery.k8s.io/endpointslices", "coracle"))
        self.assertFalse(self.may("list", "services", "coracle"))
        for verb, resource in (("get", "secrets"), ("patch", "services"), ("delete", "services"), ("list", "pods")):
            self.assertFalse(self.may(verb, resource, "shop"), f"{verb} {resource}")
        self.assertTrue(self.may("update", "coordination.k8s.io/leases", "coracle", "coracle"))
        self.assertFalse(self.may("update", "coordination.k8s.io/leases", "coracle", "other"))


if __name__ == "__main__":
    if not KUBECTL:
        print("no kubectl here, see test/kubectl", file=sys.stderr)
        sys.exit(77)
    main()
