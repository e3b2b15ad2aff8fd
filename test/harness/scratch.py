"""A tree with little more than one of the scripts of test/ in it, and stand-ins for the tools that it calls."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent


class Scratch(unittest.TestCase):
    SCRIPT = ""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="coracle-harness-")
        self.addCleanup(directory.cleanup)
        self.tree = pathlib.Path(directory.name)
        (self.tree / "bin").mkdir()
        (self.tree / "test").mkdir()
        shutil.copy(TESTS / self.SCRIPT, self.tree / "test")

    def write(self, path, text):
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def program(self, path, *lines):
        self.write(path, "\n".join(("#!/bin/sh", *lines, ""))).chmod(0o755)

    def run_script(self, *words, **environment):
        """(exit code, lines of its output)"""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("CI", "GIT_", "CORACLE_"))}
        done = subprocess.run([self.tree / "test" / self.SCRIPT, *words], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, stdin=subprocess.DEVNULL, timeout=120,
                              env={**inherited, "PATH": f"{self.tree}/bin:{os.environ['PATH']}", **environment})
        return done.returncode, done.stdout.splitlines()
