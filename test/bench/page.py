"""What the programs that write docs/evaluation.md share: figures from CSV, statistics, plots, and one section of the page.

The page is made of DOCS/evaluation/*.csv and nothing else, so that anybody gets the same one from them: what is asked of the
machine, such as versions, is asked when the figures are taken, and kept beside them. CORACLE_BENCH_PLOTS=no: everything but the
plots themselves, for which gnuplot is needed.
"""
import csv
import functools
import os
import random
import re
import statistics
import subprocess
import textwrap

RESAMPLES = 2000
MANY = 10  # values, for resampling to mean anything
SECTIONS = {"redundancy": "Redundancy", "scalability": "Scalability", "datapath": "Data path",
            "control": "Control plane"}  # in the page's order
HEAD = """# Evaluation

Made by `test/bench/run`; not to be edited. What is here can be measured again with the commands beside it, on a machine
like yours; every section says on what it was measured, and where Coracle is behind. In short:

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


def fill(text, indent=""):
    """Its lines as long as the page's others, and links in one piece."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent)


def range_of(values):
    """What their median is to be trusted within: 95 % of resamplings, or from least to most if they are few."""
    return interval(values, median) if len(values) >= MANY else (min(values), max(values))


def ratio_of(values, others):
    """(the ratio of their medians, what it is to be trusted within)"""
    if min(len(values), len(others)) >= MANY:
        chance = random.Random(1)
        found = sorted(median(chance.choices(values, k=len(values))) / median(chance.choices(others, k=len(others)))
                       for _ in range(RESAMPLES))
        within = found[RESAMPLES // 40], found[-RESAMPLES // 40]
    else:
        within = min(values) / max(others), max(values) / min(others)
    return median(values) / median(others), within


def median_of(values):
    return median(values), range_of(values)


def agreement(figures, what="medians", unit=" s"):
    """A sentence about a second run: [(what, figure, figure of the second run), …], a figure and the range it is to be trusted
    within. They agree if their ranges overlap."""
    if not figures:
        return ""
    apart = [f"{whose} ({value:.3g}{unit} and then {value_again:.3g}{unit})"
             for whose, (value, (low, high)), (value_again, (low_again, high_again)) in figures
             if low > high_again or low_again > high]
    if len(figures) == 1:
        return f"In a second run it {f'does not agree: {apart[0]}' if apart else 'agrees: the ranges overlap'}.\n"
    said = f"In a second run {len(figures) - len(apart)} of the {len(figures)} {what} agree: their ranges overlap with these"
    return fill(f"{said}. Apart are: {'; '.join(apart)}." if apart else f"{said}.") + "\n"


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


def plot(script, target, size="800,500", data=None):
    """Runs a gnuplot script, which reads CSV with a head line, once for TARGET.svg and once for TARGET.png. `data` is what it
    calls {data}, (header, rows): TARGET-plot.csv."""
    if data:
        write(f"{target}-plot.csv", *data)
    if os.environ.get("CORACLE_BENCH_PLOTS") == "no":
        return
    for terminal, suffix in ((f"svg size {size} background 'white'", "svg"), (f"pngcairo size {size}", "png")):
        head = (f'set terminal {terminal}\nset output "{target}.{suffix}"\nset datafile separator ","\n'
                "set datafile columnheaders\nset datafile missing NaN\n")
        subprocess.run(["gnuplot"], input=head + script.replace("{data}", f"{target}-plot.csv"), text=True, check=True)


def anchor(text):
    """Of its heading, as a viewer of Markdown makes it."""
    heading = re.search(r"^## (.*)$", text, re.MULTILINE)[1]
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def section(docs, name, short, text):
    """Writes that section of docs/evaluation.md anew, and what it says in short, and leaves the others as they are."""
    path = f"{docs}/evaluation.md"
    sections = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for part in file.read().split("<!-- section ")[1:]:
                head, _, body = part.partition(" -->\n")
                which, _, words = head.partition(": ")
                sections[which] = words, body
    sections[name] = " ".join(short.split()), re.sub(r"\n{3,}", "\n\n", text)
    there = [(which, title, *sections[which]) for which, title in SECTIONS.items() if which in sections]
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(fill(f"- [{title}](#{anchor(body)}): {words}", "  ") + "\n" for _, title, words, body in there)
        file.writelines(f"\n<!-- section {which}: {words} -->\n\n{body.strip()}\n" for which, _, words, body in there)


class Asked:
    """What was asked of the machine that measured: DOCS/evaluation/SECTION-versions.csv."""
    path, known, measuring = None, {}, False


def begin(docs, name, measuring):
    """Of which section the next questions are, and whether its figures are new: only then is the machine asked."""
    Asked.path, Asked.measuring = f"{docs}/evaluation/{name}-versions.csv", measuring
    Asked.known = {} if measuring else {row["what"]: row["version"] for row in read(Asked.path)}


def kept(ask):
    @functools.wraps(ask)
    def answer(*words):
        what = " ".join((ask.__name__, *words))
        if what not in Asked.known:
            assert Asked.measuring, f"{Asked.path} does not say: {what}"
            Asked.known[what] = ask(*words)
            write(Asked.path, ("what", "version"), sorted(Asked.known.items()))
        return Asked.known[what]
    return answer


def tell(package, found):
    """A version that this machine's packages do not say."""
    Asked.known[f"version {package}"] = found


version, gobgpd, guest_kernel = map(kept, (version, gobgpd, guest_kernel))
