"""What the programs that write docs/evaluation.md share: figures from CSV, statistics, plots, and one section of the page."""
import csv
import os
import random
import statistics
import subprocess

RESAMPLES = 2000
SECTIONS = ("redundancy", "scalability", "datapath", "control")  # in the page's order
HEAD = """# Evaluation

Made by `test/bench/run`; not to be edited. What is here can be measured again with the commands beside it, on a machine
like yours; every section says on what it was measured, and where Coracle is behind.
"""


def percentile(values, percent):
    """The smallest value that so many per cent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


median = statistics.median


def mean(values):
    return sum(values) / len(values)


def interval(values, statistic):
    """What 95 % of resamplings of these values give (bootstrap)."""
    chance = random.Random(1)
    found = sorted(statistic(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return found[RESAMPLES // 40], found[-RESAMPLES // 40]


def spread(values, statistic, digits=2):
    low, high = interval(values, statistic)
    return f"{statistic(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def read(path):
    with open(path, encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def write(path, header, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def version(package):
    return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], check=True, capture_output=True,
                          text=True).stdout


def gobgpd():
    """Of the lab's routers, which is Debian 13's and not installed: it is asked itself."""
    fetched = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lab/fetch-router-gobgpd")],
                             check=True, capture_output=True, text=True).stdout.strip()
    return "gobgpd " + subprocess.run([f"{fetched}/usr/bin/gobgpd", "--version"], check=True, capture_output=True,
                                      text=True).stdout.split()[-1]


def guest_kernel():
    """Of the User-Mode-Linux guest."""
    return "Linux " + version("user-mode-linux").split("um")[0].rstrip("-+")


def plot(script, target, size="800,500"):
    """Runs a gnuplot script, which reads CSV with a head line, once for TARGET.svg and once for TARGET.png."""
    for terminal, suffix in ((f"svg size {size} background 'white'", "svg"), (f"pngcairo size {size}", "png")):
        head = (f'set terminal {terminal}\nset output "{target}.{suffix}"\nset datafile separator ","\n'
                "set datafile columnheaders\n")
        subprocess.run(["gnuplot"], input=head + script, text=True, check=True)


def section(docs, name, text):
    """Writes that section of docs/evaluation.md anew, and leaves the others as they are."""
    path = f"{docs}/evaluation.md"
    sections = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for part in file.read().split("<!-- section ")[1:]:
                which, _, body = part.partition(" -->\n")
                sections[which] = body
    sections[name] = f"\n{text.strip()}\n\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD + "\n" + "".join(f"<!-- section {which} -->\n{sections[which]}" for which in SECTIONS
                                         if which in sections).rstrip("\n") + "\n")
