"""What deploy/ ships: what its pods may do, whether its configuration is good, and whether alerts, dashboard and the page
that explains them speak of metrics that exist."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

from rendering import DEPLOY, KUBECTL, OPTIONAL, ROOT, kustomizations, render, render_with

sys.path.insert(0, str(ROOT / "test/api"))

from daemon import Daemon, Programs  # noqa: E402
from fake_api import FakeApi  # noqa: E402

CORACLE, ANNOUNCER, RESILIENT, STUB, VERSION = (sys.argv.pop(1) for _ in range(5))
CORACLE = os.path.abspath(CORACLE)
PROGRAMS = Programs(CORACLE, STUB, str(ROOT / "templates"))
PRIVILEGED = {"netns-setup", "tunnel-setup"}  # init containers, both
CAPABILITIES = {"ipvs": {"NET_ADMIN", "NET_RAW"}, "exabgp": {"NET_ADMIN", "SYS_ADMIN"},
                "gobgpd": {"NET_BIND_SERVICE"}, "vrrp": {"NET_ADMIN", "NET_RAW", "SETGID"}}
ESCALATES = {"exabgp"}  # its child takes capabilities from its file
HOST_NETWORK = {"coracle-reflector", "coracle-vrrp"}
METRICS = ROOT / "controller/core/metrics.c"
MONITORING = DEPLOY / "components/monitoring"


def ours(container):
    return "coracle-" in container["image"]


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rendered = {str(directory.relative_to(DEPLOY)): render(directory) for directory in kustomizations("*/*")}
        for component in OPTIONAL:
            cls.rendered[f"components/{component}"] = render_with(component)

    def pods(self):
        for name, objects in self.rendered.items():
            for item in objects:
                if item["kind"] in ("Deployment", "DaemonSet"):
                    yield f"{name}: {item['metadata']['name']}", item["metadata"]["name"], item["spec"]["template"]

    def containers(self):
        for where, name, template in self.pods():
            spec = template["spec"]
            for kind in ("initContainers", "containers"):
                for container in filter(ours, spec.get(kind, [])):
                    yield f"{where}: {container['name']}", kind, container

    def test_no_container_but_the_init_is_privileged(self):
        seen = set()
        for where, kind, container in self.containers():
            if container["securityContext"].get("privileged"):
                self.assertEqual(kind, "initContainers", where)
                self.assertIn(container["name"], PRIVILEGED, where)
                seen.add(container["name"])
        self.assertEqual(seen, PRIVILEGED)

    def test_containers_have_what_they_need_and_no_more(self):
        for where, _, container in self.containers():
            rights = container["securityContext"]
            self.assertTrue(rights["readOnlyRootFilesystem"], where)
            self.assertIn("memory", container["resources"]["limits"], where)
            self.assertIn("cpu", container["resources"]["requests"], where)
            self.assertNotIn("cpu", container["resources"]["limits"], where)
            if rights.get("privileged"):
                continue
            self.assertEqual(rights["capabilities"]["drop"], ["ALL"], where)
            self.assertLessEqual(set(rights["capabilities"].get("add", ())),
                                 CAPABILITIES.get(container["name"], set()), where)
            self.assertEqual(rights["allowPrivilegeEscalation"], container["name"] in ESCALATES, where)

    def test_pods_of_ours_are_confined(self):
        for where, name, template in self.pods():
            if not name.startswith("coracle"):
                continue
            spec = template["spec"]
            self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"}, where)
            self.assertIs(spec["automountServiceAccountToken"], False, where)
            self.assertEqual(spec.get("hostNetwork", False), name in HOST_NETWORK, where)
            mounts = {container["name"] for container in spec.get("initContainers", []) + spec["containers"]
                      for mount in container["volumeMounts"] if mount["name"] == "api"}
            self.assertLessEqual(mounts, {"ipvs"}, where)

    def test_selectors_agree(self):
        for name, objects in self.rendered.items():
            for item in objects:
                if item["metadata"]["name"] != "coracle" or item["kind"] not in (
                        "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
                    continue
                selector = item["spec"].get("selector") or item["spec"]["podSelector"]
                deployment = [other for other in objects if other["kind"] == "Deployment"
                              and other["metadata"]["name"] == "coracle"][0]
                self.assertEqual(selector, deployment["spec"]["selector"], f"{name}: {item['kind']}")

    def test_second_fleet_has_nothing_in_common_with_the_first(self):
        def identity(item):
            return item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]
        first, second = self.rendered["overlays/dev"], self.rendered["overlays/second-fleet"]
        self.assertEqual({identity(item) for item in first} & {identity(item) for item in second}, set())
        roles = {item["metadata"]["name"] for item in second if item["kind"].endswith("Role")}
        for item in second:
            if item["kind"].endswith("Binding"):
                self.assertEqual([subject["namespace"] for subject in item["subjects"]], ["coracle-internal"])
                self.assertIn(item["roleRef"]["name"], roles)
        classes = {yaml.safe_load(item["data"]["coracle.yaml"])["loadBalancerClass"] for item in first + second
                   if item["kind"] == "ConfigMap" and "coracle.yaml" in item["data"]}
        self.assertEqual(len(classes), 2)

    def test_version_is_the_projects(self):
        labels = self.rendered["overlays/dev"][0]["metadata"]["labels"]
        self.assertEqual(labels["app.kubernetes.io/version"], VERSION)

    def test_configuration_of_every_overlay_is_good(self):
        for name, objects in self.rendered.items():
            for item in objects:
                if item["kind"] != "ConfigMap" or "coracle.yaml" not in item["data"]:
                    continue
                with self.subTest(name), tempfile.TemporaryDirectory() as directory:
                    config = pathlib.Path(directory, "coracle.yaml")
                    config.write_text(item["data"]["coracle.yaml"].replace("passwordFile: /etc", "passwordFile: " + directory))
                    secret = pathlib.Path(directory, "coracle/bgp/password")
                    secret.parent.mkdir(parents=True)
                    secret.write_text("secret\n")
                    out = self.coracle("render", "--config", config, "--templates", ROOT / "templates", "--output",
                                       "exabgp", "--pod-address", "10.244.1.5", "--node-address", "198.51.100.31")
                    self.assertEqual(out.count("\nneighbor "), len(yaml.safe_load(config.read_text())["bgp"]["reflectors"]))

    def test_old_kubernetes_gets_fields_that_it_knows(self):
        for name, field in (("overlays/dev", "status.hostIPs"), ("components/host-ip", "status.hostIP")):
            fields = {entry["valueFrom"]["fieldRef"]["fieldPath"] for item in self.rendered[name]
                      if item["kind"] == "Deployment" for container in item["spec"]["template"]["spec"]["initContainers"]
                      for entry in container["env"] if entry["name"] == "CORACLE_NODE_ADDRESS"}
            self.assertEqual(fields, {field})

    def test_vrrp_speaks_of_the_pools_there_are(self):
        values = {}
        for item in self.rendered["overlays/vrrp"]:
            if item["kind"] == "ConfigMap":
                values.update({name: yaml.safe_load(text) for name, text in item["data"].items() if name.endswith(".yaml")})
        self.assertEqual(values["vrrp.yaml"]["pools"],
                         [prefix for pool in values["coracle.yaml"]["pools"] for prefix in pool["prefixes"]])

    def test_reflectors_values_fit_their_template(self):
        for name, objects in self.rendered.items():
            for item in objects:
                if item["kind"] == "ConfigMap" and "site.yaml" in item["data"]:
                    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as site:
                        site.write(item["data"]["site.yaml"])
                        site.flush()
                        for template in ("gobgpd-reflector.yml", "gobgpd-router.yml", "frr.conf"):
                            out = self.coracle("render", "--values", site.name, ROOT / "templates" / template,
                                               "reflector.address=198.51.100.21")
                            self.assertIn("64512", out, f"{name}: {template}")

    def test_examples_are_served_as_they_ask(self):
        """Without pods there are no real servers, but the routes and the problems show what is made of them."""
        files = sorted((DEPLOY / "examples").glob("*.yaml")) + [DEPLOY / "examples/tunnel/web.yaml",
                                                                DEPLOY / "examples/own-template/service.yaml"]
        with tempfile.TemporaryDirectory() as directory:
            shutil.copytree(ROOT / "templates", f"{directory}/templates")
            shutil.copy(DEPLOY / "examples/own-template/patient", f"{directory}/templates")
            config = pathlib.Path(directory, "coracle.yaml")
            config.write_text("pools: [{name: public, prefixes: [192.0.2.0/25, \"2001:db8:1::/112\"]}]\n"
                              "bgp: {localAS: 64512, reflectors: [{address: 198.51.100.9, as: 64512}]}\n")
            slices = pathlib.Path(directory, "slices.yaml")
            slices.write_text("".join(SLICE % {"name": name, "port": port} for name, port in (
                ("web", 80), ("web-direct", 80), ("web-dual", 80), ("reports", 8080))))
            out, said = self.run_coracle("render", "--config", config, "--templates", f"{directory}/templates",
                                         "--objects", *files, slices)
        self.assertEqual(said, "")
        for words in ("lb_kind TUN", "lb_kind NAT", "connect_timeout 20", "path /health"):
            self.assertIn(words, out)

    def test_own_template_differs_from_ours_in_its_times_only(self):
        """What ours has learned since, a copy should have as well."""
        def without_times(path):
            text = re.sub(r"\A\{\{!.*?\}\}\n", "", path.read_text(), flags=re.DOTALL)
            return re.sub(r"(connect_timeout|retry|delay_before_retry|delay_loop) \S+", r"\1", text)
        self.assertEqual(without_times(DEPLOY / "examples/own-template/patient"), without_times(ROOT / "templates/virtual_server"))

    def run_coracle(self, *words):
        done = subprocess.run([CORACLE, *words], text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, done.stderr

    def coracle(self, *words):
        return self.run_coracle(*words)[0]


SLICE = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: default, name: %(name)s-1, labels: {kubernetes.io/service-name: %(name)s}}
addressType: IPv4
ports: [{name: http, port: %(port)d}]
endpoints: [{addresses: [10.244.1.7]}]
"""


class Manual(unittest.TestCase):
    def check(self, page, *command):
        text = (ROOT / page).read_text().replace("\\-", "-")
        told = subprocess.run([*command, "--help"], text=True, capture_output=True, check=True).stdout
        flags = re.findall(r"^  (--[\w-]+)", told, re.M)
        self.assertGreater(len(flags), 3)
        for flag in flags:
            self.assertRegex(text, rf"(?m)^\.B\w* {flag}\b")

    def test_manuals_know_every_flag(self):
        for command in ("controller", "render", "check", "status", "trace"):
            self.check("controller/coracle.8", CORACLE, command)
        self.check("controller/coracle-announcer.8", ANNOUNCER)
        self.check("routers/resilient/coracle-resilient.8", RESILIENT)


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rules = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]
        cls.alerts = {rule["alert"]: rule for group in cls.rules["groups"] for rule in group["rules"]}
        cls.dashboard = json.loads((MONITORING / "coracle.json").read_text())

    def test_every_metric_that_is_spoken_of_exists(self):
        with tempfile.TemporaryDirectory() as directory:
            api = FakeApi(directory)
            api.start()
            daemon = Daemon(PROGRAMS, directory, f"https://127.0.0.1:{api.client_port}", api.token_file, api.ca_file)
            try:
                daemon.metrics()  # strict
                kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", daemon.get("/metrics")[1], re.M))
            finally:
                daemon.stop()
                api.stop()
        exist = set(kinds) | {f"{name}_{part}" for name, kind in kinds.items() if kind == "histogram"
                              for part in ("bucket", "sum", "count")}
        if not pathlib.Path("/proc/net/ip_vs").exists():
            # counted in the kernel's table, which this machine has not
            exist |= {"coracle_real_servers"} & {
                f"coracle_{name}" for name in re.findall(r'family\(w, "(\w+)"', METRICS.read_text())}
        queries = [rule["expr"] for rule in self.alerts.values()]
        queries += [target["expr"] for panel in self.dashboard["panels"] for target in panel["targets"]]
        self.assertGreater(len(queries), 25)
        for query in queries:
            names = set(re.findall(r"\bcoracle_\w+", query))
            self.assertTrue(names and names <= exist, f"{query}: {names - exist}")
        page = (ROOT / "docs/operate.md").read_text()
        for name in set(re.findall(r"`(?:coracle_)?(\w+)`", page)):
            if re.search(rf"\bcoracle_{name}\b", page):
                self.assertIn(f"coracle_{name}", exist)

    def test_every_alert_is_explained(self):
        page = (ROOT / "docs/operate.md").read_text()
        for name in self.alerts:
            self.assertIn(f"`{name}`", page)
        for name in re.findall(r"`(Coracle\w+)`", page):
            self.assertIn(name, self.alerts)

    def test_rules_fire_when_they_should_and_only_then(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("no promtool here")
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "rules.yaml").write_text(yaml.safe_dump(self.rules))
            shutil.copy(ROOT / "test/deploy/rules_test.yaml", directory)
            for words in (("check", "rules", "rules.yaml"), ("test", "rules", "rules_test.yaml")):
                done = subprocess.run([promtool, *words], cwd=directory, text=True, capture_output=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        tested = set(re.findall(r"alertname: (\w+)", (ROOT / "test/deploy/rules_test.yaml").read_text()))
        self.assertEqual(tested, set(self.alerts), "alerts without a test")


if __name__ == "__main__":
    if not KUBECTL:
        print("no kubectl here, see test/kubectl")
        sys.exit(77)
    unittest.main(verbosity=2)
