"""The section `scalability` of docs/evaluation.md, and its plot: scalability.py DOCS [FIGURES]

FIGURES is where the lab's scenario `scalability` has left its own, which are copied to DOCS/evaluation/scalability.csv.
"""
import sys
import tempfile

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


def main():
    docs, *figures = sys.argv[1:]
    path = f"{docs}/evaluation/scalability.csv"
    if figures:
        rows = page.read(f"{figures[0]}/scalability.csv")
        page.write(path, rows[0].keys(), [row.values() for row in rows])
    rates = {}
    for row in page.read(path):
        rates.setdefault(int(row["pods"]), []).append(float(row["bytes_per_s"]) / 1e6)
    uncapped = rates.pop(0)[0]
    one = median(rates[1])
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="ascii") as file:
        print("pods,speedup,least,most,paper", file=file)
        for pods, of_it in rates.items():
            print(f"{pods},{median(of_it) / one},{min(of_it) / one},{max(of_it) / one},{PAPER.get(pods, 'NaN')}", file=file)
        file.flush()
        page.plot(PLOT.format(data=file.name), f"{docs}/evaluation/scalability")
    table = "\n".join(f"| {pods} | {len(of_it)} | {median(of_it):.3f} | {min(of_it):.3f} to {max(of_it):.3f} | "
                      f"{median(of_it) / one:.2f} | {PAPER.get(pods, '')} |" for pods, of_it in rates.items())
    missed = [f"{goal} with {pods}" for pods, goal in GOALS.items() if median(rates[pods]) / one < goal]
    goals = ", ".join(f"{goal} with {pods}{' pods' if i == 0 else ''}" for i, (pods, goal) in enumerate(GOALS.items()))
    verdict = f"Missed: {', '.join(missed)} (the goals: {goals})." if missed else f"Both goals ({goals}) were met."
    behind = [str(pods) for pods, paper in PAPER.items() if round(median(rates[pods]) / one, 2) < paper]
    if behind:
        verdict += f" Behind the paper with {', '.join(behind)} LB pods."
    page.section(docs, "scalability", f"""## Scalability (the paper's section 5.2)

`test/bench/run scalability`, 15 minutes: one to eight LB pods, each on its own node, in the lab. What each of them sends is
capped to 8 Mbit/s by tbf, as the paper's machines were by their links of 1 Gb/s; router, client and web pods are not
capped. Forwarding is nat, so that all answers come through the LB pods. wrk keeps 12 connections for each LB pod, fetches
16 kB over them again and again, and counts. The set grows from one to eight and shrinks again, twice.

![speed-up](evaluation/scalability.svg)

| LB pods | n | median, MB/s | least to most | speed-up | the paper |
|---|---|---|---|---|---|
{table}

{verdict}

What to know of it: this measures that the router spreads flows over all pods, and that nothing shared is in the way of
them; not what one LB pod can do, which is the next section's. Without the caps one LB pod passed {uncapped:.1f} MB/s in this guest,
more than what eight capped ones need. With tunnel the answers do not come through the LB pods at all.

{page.guest_kernel()} (guest); wrk {page.version("wrk")}, keepalived {page.version("keepalived")}, {page.gobgpd()},
frr {page.version("frr")}. Raw figures: [scalability.csv](evaluation/scalability.csv).
""")


main()
