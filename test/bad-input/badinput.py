"""What the tests of bad input share: a scratch directory, the program, and what it must have said."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TEMPLATES = f"{TOP}/templates"
CONFIG = """pools:
  - {name: public, prefixes: [10.1.1.0/24, "fd00:1:1::/112"]}
bgp:
  localAS: 65021
  reflectors: [{address: 10.0.0.109, as: 65021}]
"""


def service(name, annotations="", spec=""):
    return (f"---\napiVersion: v1\nkind: Service\nmetadata: {{namespace: shop, name: {name}, "
            f"annotations: {{{annotations}}}}}\n"
            f"spec: {{type: LoadBalancer, loadBalancerClass: coracle.lb/ecmp, ports: [{{port: 80}}]{spec}}}\n")


def endpoints(name, *addresses):
    listed = ", ".join(f"{{addresses: [{address}]}}" for address in addresses)
    return (f"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"
            f"metadata: {{namespace: shop, name: {name}-1, labels: {{kubernetes.io/service-name: {name}}}}}\n"
            f"ports: [{{port: 8080}}]\nendpoints: [{listed}]\n")


def served(name, *addresses, annotations="", spec=""):
    return service(name, annotations, spec) + endpoints(name, *addresses)


class Failed(Exception):
    pass


def keepalived_is_here():
    """Whether it can be asked for its own opinion. CI has to."""
    os.environ["PATH"] += ":/usr/sbin"  # not everybody's
    if shutil.which("keepalived"):
        return True
    if os.environ.get("CI") == "true":
        sys.exit("keepalived is not installed, and CI has to ask it")
    print("keepalived is not installed: its own opinion is not asked")
    return False


class Scratch:
    """A directory of one test's own, with a good configuration and the shipped templates."""

    def __init__(self, coracle):
        self.coracle = coracle
        self.path = tempfile.mkdtemp(prefix="coracle-bad-")
        self.write("coracle.yaml", CONFIG)
        shutil.copytree(TEMPLATES, f"{self.path}/templates")

    def write(self, name, text):
        path = f"{self.path}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.tmp", "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.rename(f"{path}.tmp", path)
        return path

    def read(self, name):
        try:
            with open(f"{self.path}/{name}", encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def run(self, *arguments, **more):
        return subprocess.run([self.coracle, *arguments], cwd=self.path, capture_output=True, timeout=60,
                              check=False, text=True, errors="replace", **more)

    def render(self, *objects):
        return self.run("render", "--config", "coracle.yaml", "--templates", "templates", "--objects", *objects)

    def check(self, *arguments):
        return self.run("check", "--config", "coracle.yaml", "--templates", "templates", *arguments)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def expect_failure(result, code, message):
    """That exit code, nothing on stdout, and one line on stderr that says (a regular expression) `message`."""
    lines = result.stderr.splitlines()
    if result.returncode != code:
        raise Failed(f"exit code {result.returncode} instead of {code}\n{result.stderr[:2000]}")
    if result.stdout:
        raise Failed(f"it wrote {len(result.stdout)} bytes to standard output")
    if len(lines) != 1 or len(lines[0]) > 1000:
        raise Failed(f"{len(lines)} lines instead of one short one\n{result.stderr[:2000]}")
    if not re.match(message, lines[0]):
        raise Failed(f"it says      {lines[0]}\ninstead of   {message}")


def run_one(coracle, test):
    scratch = Scratch(coracle)
    try:
        test(scratch)
    except (Failed, AssertionError, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as failure:
        trace = "" if isinstance(failure, Failed) else traceback.format_exc()
        return f"{failure}\n{trace}"
    finally:
        scratch.remove()
    return None


def main(tests, at_once=1):
    """Runs all functions of a module that take one `scratch`, named by what they show."""
    chosen = sys.argv[2:]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        named = [(name, test) for name, test in tests.items()
                 if callable(test) and "_" in name and getattr(test, "__module__", None) == "__main__"
                 and test.__code__.co_varnames[:test.__code__.co_argcount] == ("scratch",)
                 and (not chosen or name in chosen)]
        outcomes = [(name, pool.submit(run_one, os.path.abspath(sys.argv[1]), test)) for name, test in named]
        for name, outcome in outcomes:
            fault = outcome.result()
            failed += fault is not None
            print(f"{'not ok' if fault else 'ok'} {name}" + (f"\n{fault}" if fault else ""), flush=True)
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not outcomes else 0)
