"""The section `control` of docs/evaluation.md, and its plots: control.py [--second] DOCS [FIGURES]

FIGURES is where the lab's scenarios `many_services` and `many_servers` and the programs in control/ have left theirs, which
are copied to DOCS/evaluation/control*.csv. --second: they are those of another run, which the page sets beside the first.
"""
import os
import re
import sys

import page

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(f"{HERE}/control")
# pylint: disable=wrong-import-position
import metallb_report  # noqa: E402
import parts_report  # noqa: E402
import proxies_report  # noqa: E402
import servers_report  # noqa: E402

FILES = {"many_services": "control-many-services", "many_servers": "control-many-servers",
         "control_delay": "control", "control_cost": "control-cost",
         "control_routes": "control-routes", "control_balancers": "control-balancers",
         "control_balancers_cost": "control-balancers-cost", "control_parts": "control-parts", "control_checks": "control-checks"}
PACKAGES = ("keepalived", "nftables", "iptables", "exabgp", "gobgpd")


def collect(figures, evaluation, suffix):
    """A part that has failed has left no file, and the page says so instead of showing an earlier run's."""
    for name, target in FILES.items():
        path = f"{evaluation}/{target}{suffix}.csv"
        rows = page.read(f"{figures}/{name}.csv") if os.path.exists(f"{figures}/{name}.csv") else []
        if rows:
            page.write(path, rows[0].keys(), [row.values() for row in rows])
        elif os.path.exists(path):
            os.remove(path)


def tables(evaluation, suffix=""):
    """{name of a file: its rows}, and no rows where there is none."""
    paths = {name: f"{evaluation}/{target}{suffix}.csv" for name, target in FILES.items()}
    return {name: page.read(path) if os.path.exists(path) else [] for name, path in paths.items()}


def missing(tables_of_run):
    targets = [f"{target}.csv" for name, target in FILES.items() if not tables_of_run[name]]
    return page.fill(f"**Not measured in this run**: what would be in {', '.join(targets)}.") if targets else ""


@page.kept
def module(folder, name):
    """The version of a Go module that test/conformance builds."""
    with open(f"{HERE}/../conformance/{folder}/go.mod", encoding="ascii") as file:
        return re.search(rf"{re.escape(name)} v(\S+)", file.read())[1]


def kubernetes():
    return module("servers", "k8s.io/kubernetes")


def metallb():
    return module("metallb", "go.universe.tf/metallb")


def sources(first, second):
    versions = ", ".join(f"{package} {page.version(package)}" for package in PACKAGES)
    files = ", ".join(f"[{target}.csv](evaluation/{target}.csv)" for name, target in FILES.items() if first[name])
    return page.fill(f"Kubernetes {kubernetes()}, MetalLB {metallb()}; {versions}; {page.guest_kernel()} (guest). Raw figures: {files}" +
                     ("; beside them, `-second.csv` of the second run." if any(second.values()) else "."))


def short(first):
    said = [*servers_report.short(first), *proxies_report.short(first), *metallb_report.short(first)]
    return "; ".join(said) + "." if said else "not measured."


def text(first, second, docs):
    return f"""## Control plane

`test/bench/run control`, 40 minutes (longer when the Go programs are built first).

{missing(first)}
{servers_report.text(first, second)}
{proxies_report.text(first, second, docs)}
{metallb_report.text(first, second, metallb(), parts_report.memory_beside_coracle(first))}
{parts_report.text(first, second, f"{HERE}/../../deploy")}

{sources(first, second)}
"""


def main():
    words = sys.argv[1:]
    second = words[0] == "--second"
    docs, *figures = words[second:]
    evaluation = f"{docs}/evaluation"
    page.begin(docs, "control", bool(figures) and not second)
    if figures:
        collect(figures[0], evaluation, "-second" if second else "")
    first, second = tables(evaluation), tables(evaluation, "-second")
    page.section(docs, "control", short(first), text(first, second, docs))


if __name__ == "__main__":
    main()
