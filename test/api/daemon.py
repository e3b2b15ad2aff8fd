"""A running `coracle controller` with an API as its source, and what the outside sees of it. keepalived is a stand-in
that counts its signals: this machine's kernel may have no IPVS (the lab has)."""

import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import exposition

PATIENCE_S = 20
POOLS = '10.1.0.0/16, "fd00:1:1::/112"'
CONFIG = """\
pools: [{name: public, prefixes: [%s]}]
bgp: {localAS: 65021, reflectors: [{address: 192.0.2.1, as: 65021}]}
"""


def die_with_parent():
    """For Popen's preexec_fn: a test that is killed leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass
class Programs:
    """What CMake built, and the templates that go with it."""

    coracle: str
    keepalived_stub: str
    templates: str

    def __post_init__(self):
        for name, path in vars(self).items():
            setattr(self, name, os.path.abspath(path))


class Daemon:
    def __init__(self, programs, directory, server=None, token_file=None, ca_file=None, flags=(), environment=None,
                 pools=POOLS, config=""):
        self.programs = programs
        self.was_killed = False
        self.directory = pathlib.Path(directory)
        (self.directory / "coracle.yaml").write_text(CONFIG % pools + config)
        self.hups_file = self.directory / "hups"
        self.hups_file.touch()
        access = ["--server", server, "--token-file", token_file, "--ca-file", ca_file] if server else []
        self.log = open(self.directory / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [programs.coracle, "controller", "--config", "coracle.yaml", "--templates", programs.templates,
             "--run-dir", "run", "--keepalived", programs.keepalived_stub,
             "--http-address", "127.0.0.1:0", *access, *flags],
            cwd=directory, stderr=self.log, env={**os.environ, **(environment or {})}, preexec_fn=die_with_parent)

    def config(self):
        try:
            return (self.directory / "run/keepalived.conf").read_text()
        except FileNotFoundError:
            return ""

    def await_config(self, holds, patience_s=PATIENCE_S):
        return self.await_(lambda: holds(self.config()), patience_s)

    def await_(self, condition, patience_s=PATIENCE_S):
        """How long it took until the condition held."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > patience_s:
                raise AssertionError("not in time; config:\n" + self.config() + "\nlog:\n" + self.read_log())
            time.sleep(0.002)
        return time.monotonic() - began

    def hups(self):
        """When keepalived was told to reload, in seconds since the epoch."""
        return [float(line) for line in self.hups_file.read_text().splitlines()]

    def await_hup(self, since, holds, patience_s=PATIENCE_S):
        """When the first reload after `since` was asked for that left a configuration which holds.
        Looks at a file's size only, so that the waiting takes little from what is waited for."""
        deadline = time.monotonic() + patience_s
        size = 0
        while time.monotonic() < deadline:
            grown = self.hups_file.stat().st_size
            if grown != size:
                size = grown
                hups = self.hups()
                if hups and hups[-1] > since and holds(self.config()):
                    return hups[-1]
            time.sleep(0.001)
        raise AssertionError("no reload in time; log:\n" + self.read_log())

    def read_log(self):
        return (self.directory / "log").read_text()

    def logged(self, *words):
        return any(all(word in line for word in words) for line in self.read_log().splitlines())

    def get(self, path):
        """Status and body of an answer of the daemon's HTTP server."""
        listening = r'module=http msg="?listening"? .*port=([0-9]+)'
        self.await_(lambda: re.search(listening, self.read_log()))
        port = re.search(listening, self.read_log())[1]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self):
        status, text = self.get("/metrics")
        assert status == 200
        return exposition.parse(text)

    def uss_mb(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

    def cpu_s(self):
        """The daemon's own, without its children."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def status(self):
        return json.loads(subprocess.run(
            [self.programs.coracle, "status", "--output", "json", "--run-dir", self.directory / "run"],
            check=True, capture_output=True).stdout)

    def kill(self):
        """As a pod dies whose node is gone; its keepalived too."""
        self.was_killed = True
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in [self.process.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self.log.close()

    def stop(self):
        """Also one that has gone by itself, or was asked to: it must have done so in peace."""
        if not self.was_killed:
            self.process.terminate()
        self.process.wait(10)
        self.log.close()
        if self.was_killed:
            return
        if self.process.returncode != 0:
            raise AssertionError(f"exit code {self.process.returncode}:\n" + self.read_log())
