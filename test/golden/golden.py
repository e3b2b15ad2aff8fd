"""One golden case: what `coracle render` makes of objects is what stands beside them.

  golden.py [--update] CORACLE CASE_DIRECTORY

A case is a directory: coracle.yaml; objects*.yaml, or `fixtures` with the names of files below test/fixtures;
templates/ if it brings some of its own. Expected are keepalived.conf, routes, view.json and problems (stderr).
The objects in any order give the same bytes, and `keepalived -t`, where it is installed, accepts them. In CI it is.
"""
import difflib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

GOLDEN = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(GOLDEN))
FIXTURES = f"{TOP}/test/fixtures"
OUTPUTS = {"keepalived": "keepalived.conf", "routes": "routes", "view": "view.json"}
SHUFFLES = 3


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def object_files(case):
    if os.path.exists(f"{case}/fixtures"):
        return [f"{FIXTURES}/{name}" for name in read(f"{case}/fixtures").split()]
    return sorted(f"{case}/{name}" for name in os.listdir(case) if name.startswith("objects"))


def templates_of(case, scratch):
    """The shipped ones, and over them those of the case."""
    directory = f"{scratch}/templates"
    shutil.copytree(f"{TOP}/templates", directory)
    if os.path.isdir(f"{case}/templates"):
        shutil.copytree(f"{case}/templates", directory, dirs_exist_ok=True)
    return directory


def render(coracle, case, templates, files, output):
    command = [coracle, "render", "--config", f"{case}/coracle.yaml", "--templates", templates, "--output", output,
               "--objects", *files]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\nexit code {result.returncode}\n{result.stderr}")
    return result.stdout, result.stderr.replace(templates, "templates")


def shuffle_file(path, target, rng):
    """The same objects in another order; for JSON also the endpoints of a slice."""
    text = read(path)
    if path.endswith(".json"):
        value = json.loads(text)
        for item in value.get("items", []):
            rng.shuffle(item.get("endpoints") or [])
        rng.shuffle(value.get("items", []))
        text = json.dumps(value)
    else:
        documents = text.split("\n---\n")
        rng.shuffle(documents)
        text = "\n---\n".join(documents)
    with open(target, "w", encoding="utf-8") as file:
        file.write(text)
    return target


def shuffled(files, scratch, seed):
    rng = random.Random(seed)
    copies = [shuffle_file(path, f"{scratch}/{seed}-{i}{os.path.splitext(path)[1]}", rng)
              for i, path in enumerate(files)]
    rng.shuffle(copies)
    return copies


def compare(path, got, faults):
    expected = read(path) if os.path.exists(path) else ""
    if got == expected:
        return
    faults.append("".join(difflib.unified_diff(expected.splitlines(True), got.splitlines(True),
                                               os.path.relpath(path, TOP), "rendered")))


def ask_keepalived(path, faults):
    keepalived = shutil.which("keepalived", path=f"{os.environ['PATH']}:/usr/sbin")
    if not keepalived:
        print("keepalived is not installed: its own opinion was not asked")
        if os.environ.get("CI") == "true":
            faults.append("CI has to ask keepalived")
        return
    result = subprocess.run([keepalived, "-t", "-C", "-f", path], capture_output=True, text=True, check=False)
    if result.returncode or result.stderr:
        faults.append(f"keepalived -t {path}: exit code {result.returncode}\n{result.stdout}{result.stderr}")


def run(coracle, case, update):
    files, faults = object_files(case), []
    with tempfile.TemporaryDirectory(prefix="coracle-golden-") as scratch:
        templates = templates_of(case, scratch)
        for output, name in OUTPUTS.items():
            text, problems = render(coracle, case, templates, files, output)
            outcome = {name: text, "problems": problems} if output == "keepalived" else {name: text}
            for file_name, got in outcome.items():
                if update:
                    with open(f"{case}/{file_name}", "w", encoding="utf-8") as file:
                        file.write(got)
                else:
                    compare(f"{case}/{file_name}", got, faults)
            for seed in range(SHUFFLES):
                again, again_problems = render(coracle, case, templates, shuffled(files, scratch, seed), output)
                if again != text or again_problems != problems:
                    faults.append(f"{name}: another order of the objects (seed {seed}) gives another output")
        ask_keepalived(f"{case}/keepalived.conf", faults)
    return faults


def main():
    arguments = [word for word in sys.argv[1:] if word != "--update"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    faults = run(os.path.abspath(arguments[0]), os.path.abspath(arguments[1]), "--update" in sys.argv)
    if faults:
        sys.exit("\n".join(faults))


main()
