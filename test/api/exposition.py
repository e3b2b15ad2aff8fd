"""Prometheus' text format 0.0.4, read strictly: what a scraper and promtool would object to is an error."""

import re
import shutil
import subprocess

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?|NaN|[+-]Inf)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


def parse(text):
    """The samples: {"name{labels}": value}. Raises ValueError for anything that is not as it should be."""
    samples, seen, family, kind = {}, set(), None, None
    if not text.endswith("\n"):
        raise ValueError("no newline at the end")
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        if line.startswith("#"):
            found = re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line)
            if not found or found[1] in seen:
                raise ValueError(f"no HELP, or once more: {line}")
            family = found[1]
            seen.add(family)
            found = re.fullmatch(rf"# TYPE {family} (counter|gauge|histogram)", next(lines))
            if not found:
                raise ValueError(f"no TYPE of {family}")
            kind = found[1]
            if (kind == "counter") != family.endswith("_total"):
                raise ValueError(f"{kind} with the name {family}")
            continue
        found = SAMPLE.fullmatch(line)
        if not found or found[1] not in [f"{family}{suffix}" for suffix in SUFFIXES.get(kind, ("",))]:
            raise ValueError(f"no sample of {family}: {line}")
        key = line.rsplit(" ", 1)[0]
        if key in samples:
            raise ValueError(f"twice: {key}")
        if kind == "counter" and float(found[3]) < 0:
            raise ValueError(f"negative counter: {line}")
        samples[key] = float(found[3])
    return samples


def check_with_promtool(text):
    """Whether promtool is there, and has nothing to say."""
    promtool = shutil.which("promtool")
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise ValueError(done.stdout + done.stderr)
    return bool(promtool)
