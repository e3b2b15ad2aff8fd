"""The section `scalability` of docs/evaluation.md, and its plot: scalability.py DOCS [FIGURES]

FIGURES is where the lab's scenario `scalability` has left its own, which are copied to DOCS/evaluation/scalability.csv.
"""
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


def text(rates, uncapped):
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

What to know about it: this shows that the router spreads flows over all pods, and that nothing they share is in the way;
not what one LB pod can do, which is the next section's subject. Without the caps one LB pod passed {uncapped:.1f} MB/s in this guest,
more than eight capped ones need. With tunnel the answers do not come through the LB pods at all.

{page.guest_kernel()} (guest); wrk {page.version("wrk")}, keepalived {page.version("keepalived")}, {page.gobgpd()},
frr {page.version("frr")}. Raw figures: [scalability.csv](evaluation/scalability.csv).
"""


def main():
    docs, *figures = sys.argv[1:]
    path = f"{docs}/evaluation/scalability.csv"
    page.begin(docs, "scalability", bool(figures))
    if figures:
        rows = page.read(f"{figures[0]}/scalability.csv")
        page.write(path, rows[0].keys(), [row.values() for row in rows])
    rates = {}
    for row in page.read(path):
        rates.setdefault(int(row["pods"]), []).append(float(row["bytes_per_s"]) / 1e6)
    uncapped = rates.pop(0)[0]
    page.plot(PLOT, f"{docs}/evaluation/scalability", data=plot_data(rates))
    page.section(docs, "scalability", text(rates, uncapped))


if __name__ == "__main__":
    main()
