"""The section `scalability` of docs/evaluation.md, and its plot: scalability.py [--second] DOCS [FIGURES]

FIGURES is where the lab's scenario `scalability` has left its own, which are copied to DOCS/evaluation/scalability.csv.
--second: they are those of another run, which the page sets beside the first.
"""
import os
import sys

import page
from page import median

PAPER = {1: 1.0, 2: 2.0, 3: 2.98, 4: 3.91}  # section 5.2
GOALS = {4: 3.95, 8: 7.8}

PLOT = """set title "Throughput of several LB pods, in that of one"
set xlabel "LB pods"
set ylabel "speed-up"
set xrange [0.5:8.5]
set yrange [0:8.5]
set grid
set key top left
plot x with lines dashtype 2 linecolor "gray" title "ideal", \\
     "{data}" using 1:2:3:4 with yerrorlines linewidth 2 pointtype 7 pointsize 0.6 title "here: median, least and most", \\
     "{data}" using 1:5 with points pointtype 4 pointsize 1.2 title "the paper"
"""


def plot_data(rates):
    one = median(rates[1])
    return (("pods", "speedup", "least", "most", "paper"),
            [(pods, *(f"{rate / one:.4f}" for rate in (median(of_it), min(of_it), max(of_it))), PAPER.get(pods, "NaN"))
             for pods, of_it in rates.items()])


def text(rates, uncapped, again):
    """`rates`: {LB pods: [MB/s]}; `uncapped`: of one LB pod without its cap."""
    one = median(rates[1])
    table = "\n".join(f"| {pods} | {len(of_it)} | {median(of_it):.3f} | {min(of_it):.3f} to {max(of_it):.3f} | "
                      f"{median(of_it) / one:.2f} | {PAPER.get(pods, '')} |" for pods, of_it in rates.items())
    missed = [f"{goal} with {pods}" for pods, goal in GOALS.items() if median(rates[pods]) / one < goal]
    goals = ", ".join(f"{goal} with {pods}{' pods' if i == 0 else ''}" for i, (pods, goal) in enumerate(GOALS.items()))
    verdict = f"Missed: {', '.join(missed)} (the goals: {goals})." if missed else f"Both goals ({goals}) were met."
    behind = [str(pods) for pods, paper in PAPER.items() if round(median(rates[pods]) / one, 2) < paper]
    if behind:
        verdict += f" Behind the paper with {', '.join(behind)} LB pods."
    return f"""## Scalability (the paper's section 5.2)

`test/bench/run scalability`, 15 minutes: one to eight LB pods, each on its own node, in the lab. What each of them sends is
capped to 8 Mbit/s by tbf, as the paper's machines were by their links of 1 Gb/s; router, client and web pods are not
capped. Forwarding is nat, so that all answers come through the LB pods. wrk keeps 12 connections for each LB pod, fetches
16 kB over them again and again, and counts. The set grows from one to eight and shrinks again, twice.

![speed-up](evaluation/scalability.svg)

| LB pods | n | median, MB/s | least to most | speed-up | the paper |
|---|---|---|---|---|---|
{table}

{verdict}

{second_run(rates, again)}

What to know about it: this shows that the router spreads flows over all pods, and that nothing they share is in the way;
not what one LB pod can do, which is the next section's subject. Without the caps one LB pod passed {uncapped:.1f} MB/s in this guest,
more than eight capped ones need. With tunnel the answers do not come through the LB pods at all.

{page.guest_kernel()} (guest); wrk {page.version("wrk")}, keepalived {page.version("keepalived")}, {page.gobgpd()},
frr {page.version("frr")}. Raw figures: [scalability.csv](evaluation/scalability.csv).
"""


def second_run(rates, again):
    """Whether another run gives the same, within what the first one's measurements of each size differ by."""
    if not again:
        return ""
    most = max(abs(median(again[pods]) / median(of_it) - 1) * 100 for pods, of_it in rates.items())
    wide = max((max(of_it) - min(of_it)) / median(of_it) * 100 for of_it in rates.values())
    return page.fill(f"A second run ([scalability-second.csv](evaluation/scalability-second.csv)) "
                     f"{'agrees' if most <= wide else 'does not agree'} within the spread: its medians differ from these by at most "
                     f"{most:.1f} %, and the four measurements of a size by at most {wide:.1f} %.")


def short(rates):
    several = {pods: median(rates[pods]) / median(rates[1]) for pods in GOALS}
    return f"""four LB pods pass {several[4]:.2f} times what one passes (the paper: {PAPER[4]}), eight {several[8]:.2f} times."""


def rates_of(path):
    """{LB pods: [MB/s]}, and of one LB pod without its cap."""
    rates = {}
    for row in page.read(path):
        rates.setdefault(int(row["pods"]), []).append(float(row["bytes_per_s"]) / 1e6)
    return rates, rates.pop(0)[0]


def main():
    words = sys.argv[1:]
    second = words[0] == "--second"
    docs, *figures = words[second:]
    paths = [f"{docs}/evaluation/scalability{suffix}.csv" for suffix in ("", "-second")]
    page.begin(docs, "scalability", bool(figures) and not second)
    if figures:
        rows = page.read(f"{figures[0]}/scalability.csv")
        page.write(paths[second], rows[0].keys(), [row.values() for row in rows])
    rates, uncapped = rates_of(paths[0])
    again = rates_of(paths[1])[0] if os.path.exists(paths[1]) else {}
    page.plot(PLOT, f"{docs}/evaluation/scalability", data=plot_data(rates))
    page.section(docs, "scalability", short(rates), text(rates, uncapped, again))


if __name__ == "__main__":
    main()
