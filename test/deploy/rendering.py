"""deploy/ as kubectl renders it: directories of kustomizations, and deploy/base with a component that no overlay has."""

import os
import pathlib
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBECTL = subprocess.run([ROOT / "test/kubectl"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
OPTIONAL = ("host-ip", "monitoring")  # components that no overlay has


def kustomizations(pattern):
    return sorted(path.parent for path in DEPLOY.glob(f"{pattern}/kustomization.yaml")
                  if "kind: Kustomization" in path.read_text())


def render(directory):
    done = subprocess.run([KUBECTL, "kustomize", directory], text=True, capture_output=True, check=False)
    if done.returncode or done.stderr:
        raise AssertionError(f"kubectl kustomize {directory.name}: {done.stderr}")
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def render_with(component):
    """kustomize takes relative paths only."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "kustomization.yaml").write_text(yaml.safe_dump({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [os.path.relpath(DEPLOY / "base", directory)],
            "components": [os.path.relpath(DEPLOY / "components" / component, directory)]}))
        return render(directory)
