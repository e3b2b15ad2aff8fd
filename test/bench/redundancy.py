"""The section `redundancy` of docs/evaluation.md, and its plot: redundancy.py [--second] DOCS [FIGURES]

FIGURES is where the lab's scenarios series, series_setups, link_lost and downloads have left theirs; they are copied to
DOCS/evaluation/redundancy*.csv. Without it, the page is made anew from what is there. --second: they are those of another run,
which the page sets beside the first.
"""
import os
import sys

import page
from page import mean, median, percentile, spread

PAPER = {"mean": 2.6, "99 %": 8.9, "longest": 9.9}  # s; section 5.1's figure of the delay of the router's FIB
PACKAGES = ("keepalived", "exabgp", "frr")
RUNS = {("1", "9", "2"): "series", ("2", "9", "2"): "series-again", ("1", "9", "1"): "series-9-1",
        ("1", "3", "2"): "series-3-2", ("1", "3", "1"): "series-3-1"}  # which one, hold time in seconds, reflectors
FILES = ("", "-failures", "-link-lost", "-flows")
COLUMNS = {"": ("change", "time", "pods", "pod", "kind", "direction", "where", "seconds"), "-failures": ("start", "end", "reason")}
USUAL, AGAIN = ("1", "9", "2"), ("2", "9", "2")
CUT = ("Connection reset by peer", "no answer in time")

PLOT = """set title "From a change of an LB pod to the router's FIB: COUNT changes"
set logscale x
set xrange [0.01:20]
set yrange [0:100]
set xlabel "s"
set ylabel "% of the changes"
set grid
set key center right
set arrow from 2.6, graph 0 to 2.6, graph 1 nohead dashtype 2
set arrow from 8.9, graph 0 to 8.9, graph 1 nohead dashtype 2
set label "paper: mean" at 2.5, 10 right
set label "99 %" at 8.6, 10 right
plot "{data}" using (strcol(1) eq "down" ? $2 : NaN):3 with steps linewidth 2 title "down: stopped or killed", \\
     "{data}" using (strcol(1) eq "up" ? $2 : NaN):3 with steps linewidth 2 title "up: ready"
"""


def collect(figures, evaluation, suffix):
    for source in (*RUNS.values(), "link-lost", "downloads"):
        if not os.path.exists(f"{figures}/{source}.csv"):
            sys.exit(f"redundancy.py: without {source}.csv the page stays as it is")
    for name, columns in COLUMNS.items():
        rows = [(*which, *(row[column] for column in columns)) for which, series in RUNS.items()
                for row in page.read(f"{figures}/{series}{name}.csv")]
        page.write(f"{evaluation}/redundancy{name}{suffix}.csv", ("run", "hold", "reflectors", *columns), rows)
    for name, source in (("link-lost", "link-lost"), ("flows", "downloads")):
        rows = page.read(f"{figures}/{source}.csv")
        page.write(f"{evaluation}/redundancy-{name}{suffix}.csv", rows[0].keys(), [row.values() for row in rows])


def of_run(rows, which, **wanted):
    return [row for row in rows if (row["run"], row["hold"], row["reflectors"]) == which
            and all(row[key] == value for key, value in wanted.items())]


def p99(values):
    return percentile(values, 99)


def seconds(rows):
    return [float(row["seconds"]) for row in rows]


def plot(changes, target):
    """Each direction's delays, sorted, with how many per cent of them are no longer."""
    rows = []
    for direction in ("down", "up"):
        of_it = sorted(seconds(change for change in changes if change["direction"] == direction))
        rows += [(direction, f"{delay:.4f}", f"{100 * i / len(of_it):.2f}") for i, delay in enumerate(of_it, 1)]
    page.plot(PLOT.replace("COUNT", str(len(changes))), target, data=(("direction", "seconds", "percent"), rows))


def delays(changes, beside):
    """Of each kind of change: those that the router had to follow, and those that the node had to."""
    rows = {}
    for change in changes + beside:
        rows.setdefault((change["direction"], change["kind"]), {}).setdefault(change["where"], []).append(
            float(change["seconds"]))
    return "\n".join(
        f"| {direction} | {kind} | " + " | ".join(
            f"{len(of_it)} | {median(of_it):.2f} | {max(of_it):.2f}" if (of_it := by_where.get(where)) else "0 | | "
            for where in ("router", "node")) + " |"
        for (direction, kind), by_where in sorted(rows.items()))


def culprit(failure, changes):
    """The kind of the last change that had begun when the connection ended; the two directions of one share their time."""
    before = [change for change in changes if float(change["time"]) <= float(failure["end"])]
    return max(before, key=lambda change: float(change["time"]))["kind"] if before else "none"


def failed_by_kind(changes, failures):
    """Over all runs: (changes, connections that could not be made, that were cut) by kind."""
    rows = {}
    for which in RUNS:
        own = of_run(changes, which)
        for number in {(change["change"], change["kind"]) for change in own}:
            rows.setdefault(number[1], [0, 0, 0])[0] += 1
        for failure in of_run(failures, which):
            rows.setdefault(culprit(failure, own), [0, 0, 0])[2 if failure["reason"] in CUT else 1] += 1
    return rows


def runs(changes, failures):
    lines = []
    for which in RUNS:
        delays_s = seconds(of_run(changes, which, where="router"))
        failed = of_run(failures, which)
        cut = sum(failure["reason"] in CUT for failure in failed)
        lines.append(f"| {which[1]} s | {which[2]} | {len(delays_s)} | {spread(delays_s, mean)} | {spread(delays_s, median)} | "
                     f"{spread(delays_s, p99)} | {max(delays_s):.2f} | "
                     f"{len(failed) - cut} | {cut} |")
    return "\n".join(lines)


def link_lost(rows):
    return "\n".join(
        f"| {hold} s | {len(of_it)} | {median(of_it):.2f} | {max(of_it):.2f} |"
        for hold in sorted({row["hold"] for row in rows}, key=int, reverse=True)
        if (of_it := seconds(row for row in rows if row["hold"] == hold)))


def flows(rows):
    """Of every fleet: what broke when a pod was killed, left, came, and when all were replaced."""
    lines = []
    for forwarding, route in dict.fromkeys((row["forwarding"], row["route"]) for row in rows):
        own = [row for row in rows if (row["forwarding"], row["route"]) == (forwarding, route)]
        by_step = {}
        for row in own:
            by_step[row["step"]] = by_step.get(row["step"], 0) + int(row["broken"])
        lines.append(f"| {forwarding} | {route} | {own[0]['downloads']} | " + " | ".join(map(str, by_step.values()))
                     + f" | {sum(by_step.values())} | {sum(int(row['failed']) for row in own)} |")
    return "\n".join(lines)


def broken(rows, forwarding):
    by_route = {}
    for row in rows:
        if row["forwarding"] == forwarding:
            by_route[row["route"]] = by_route.get(row["route"], 0) + int(row["broken"])
    if not any(by_route.values()):
        return f"With {forwarding} none broke"
    return f"With {forwarding} " + " and ".join(f"{n} broke ({route})" for route, n in by_route.items())


def made_and_cut(failures, downloads):
    cut = sum(failure["reason"] in CUT for failure in failures)
    return f"""{len(failures) - cut or "none"} failed and {cut or "none"} {"were" if cut > 1 else "was"} cut. {broken(downloads, "tunnel")} of
        {downloads[0]["downloads"]} downloads while all LB pods were replaced; {broken(downloads, "nat").replace("With", "with")}."""


def second_run(first, again):
    """Whether another run of the whole bench gives the same, for every series and hold time."""
    if not again:
        return ""
    figures = []
    for which, series in RUNS.items():
        both = [seconds(of_run(changes, which, where="router")) for changes, *_ in (first, again)]
        figures += [(f"{name} of {series}", *((statistic(of_it), page.interval(of_it, statistic)) for of_it in both))
                    for name, statistic in (("mean", mean), ("median", median), ("99 %", p99))]
    for hold in sorted({row["hold"] for row in first[2]}, key=int):
        both = [seconds(row for row in lost if row["hold"] == hold) for _, _, lost, _ in (first, again)]
        figures.append((f"silence with hold {hold} s", *map(page.median_of, both)))
    _, failures, _, downloads = again
    short_failed = sum(int(row["failed"]) for row in downloads)
    return page.agreement(figures, "means, medians and 99 % of all series and medians after silence") + page.fill(" ".join(
        f"Of the connections made in it {made_and_cut(failures, downloads)} Of the short requests beside the downloads "
        f"{short_failed or 'none'} failed. ([redundancy-second.csv](evaluation/redundancy-second.csv))".split())) + "\n"


def short(changes, failures, downloads):
    delays_s = seconds(of_run(changes, USUAL, where="router"))
    return f"""a change of the set of LB pods is in the router's FIB after {mean(delays_s):.2f} s on average, {max(delays_s):.2f} s at
        most (the paper: {PAPER["mean"]} and {PAPER["longest"]} s). Of the connections made meanwhile, in all
        runs, {made_and_cut(failures, downloads)}"""


def text(first, again):
    changes, failures, lost, downloads = first
    usual = of_run(changes, USUAL, where="router")
    delays_s, repeated_s = (seconds(of_run(changes, which, where="router")) for which in (USUAL, AGAIN))
    behind = [name for name, ours in (("mean", mean(delays_s)), ("99 %", p99(delays_s)), ("longest", max(delays_s)))
              if ours >= PAPER[name]]
    beside = "; behind the paper in: " + ", ".join(behind) if behind else ""
    by_kind = "\n".join(f"| {kind} | {n} | {refused} | {cut} |"
                        for kind, (n, refused, cut) in sorted(failed_by_kind(changes, failures).items()))
    return f"""## Redundancy (the paper's section 5.1)

`test/bench/run redundancy`, 40 minutes: in the lab (the paper's Fig. 6 in one User-Mode-Linux guest with one CPU), pods of
a fleet of one to four are started, stopped gracefully, killed as a whole, or lose one of their processes, at random, up to
two at a time: {max(int(change["change"]) for change in of_run(changes, USUAL))} changes. What is measured is the time from the signal
until the router's FIB no longer leads to the pod, and from the moment the pod can serve until it does. Hold time
9 s, two reflectors, gobgpd and zebra on the router{beside}.

![delays](evaluation/redundancy.svg)

| s | here (95 % of resamplings) | the series once more | the paper |
|---|---|---|---|
| mean | {spread(delays_s, mean)} | {spread(repeated_s, mean)} | {PAPER["mean"]} |
| median | {spread(delays_s, median)} | {spread(repeated_s, median)} | |
| 99 % | {spread(delays_s, p99)} | {spread(repeated_s, p99)} | {PAPER["99 %"]} |
| longest | {max(delays_s):.2f} | {max(repeated_s):.2f} | {PAPER["longest"]} |

By kind; where another pod serves on the same node, it is the node's route that has to follow, not the router's. (The
announcer's death is among the changes, but nothing is to follow from it, so it has no delay.)

| direction | what was done | router: n | median, s | longest, s | node: n | median, s | longest, s |
|---|---|---|---|---|---|---|---|
{delays(usual, of_run(changes, USUAL, where="node"))}

All runs; those with one reflector or another hold time have 100 changes each. Of the connections, 10 a second, "failed" are those
that could not be made, "cut" those that were reset or not answered (a plain multipath route moves flows when its next-hops
change, and with nat a flow lives in one LB pod):

| hold time | reflectors | n | mean, s | median, s | 99 %, s | longest, s | failed | cut |
|---|---|---|---|---|---|---|---|---|
{runs(changes, failures)}

All of these, by the kind of change that came last before the failure:

| what was done | n | failed | cut |
|---|---|---|---|
{by_kind}

**Silence.** A pod whose link is lost says nothing and resets nothing; only the hold time tells. From the cut until the
router's FIB is clean ([silent-death.md](silent-death.md)):

| hold time | n | median, s | longest, s |
|---|---|---|---|
{link_lost(lost)}

**Established flows.** Slow downloads, half of them over IPv6, through four LB pods, of which one is killed, one leaves, two
are added, and then all are replaced one by one. How many broke at each step, with a plain multipath route on the router and
with `coracle-resilient` beside its BGP daemon; in the last column the short requests, 5 a second, that failed meanwhile:

| forwarding | router's route | downloads | killed | left | added | replaced | all | requests failed |
|---|---|---|---|---|---|---|---|---|
{flows(downloads)}

{broken(downloads, "nat")}, which is what MetalLB's manual tells its users to expect when the set of nodes changes.
{broken(downloads, "tunnel")} ([services.md](services.md) says what that asks of the backends).

{second_run(first, again)}

What to know about it: one guest on one CPU runs the router, the reflectors and all pods, so these times include processes
waiting for each other; the paper's machines were separate, and had one reflector. Of its delays we know only these three
numbers, not from which moment they count. Here a start counts from the moment the pod has its table and a
TCP connection to a reflector: for the operator it takes longer, by what the pod itself needs to start. The longest of a few
hundred is no bound, and varies most from run to run.

{page.guest_kernel()} (guest); {", ".join(f"{package} {page.version(package)}" for package in PACKAGES)}, {page.gobgpd()}. Raw figures:
[redundancy.csv](evaluation/redundancy.csv), [redundancy-failures.csv](evaluation/redundancy-failures.csv),
[redundancy-link-lost.csv](evaluation/redundancy-link-lost.csv), [redundancy-flows.csv](evaluation/redundancy-flows.csv).
"""


def main():
    words = sys.argv[1:]
    second = words[0] == "--second"
    docs, *figures = words[second:]
    evaluation = f"{docs}/evaluation"
    os.makedirs(evaluation, exist_ok=True)
    page.begin(docs, "redundancy", bool(figures) and not second)
    if figures:
        collect(figures[0], evaluation, "-second" if second else "")
    first, again = ([page.read(path) for path in paths if os.path.exists(path)]
                    for paths in ([f"{evaluation}/redundancy{name}{suffix}.csv" for name in FILES] for suffix in ("", "-second")))
    changes, failures, _, downloads = first
    plot(of_run(changes, USUAL, where="router"), f"{evaluation}/redundancy")
    page.section(docs, "redundancy", short(changes, failures, downloads), text(first, again))


if __name__ == "__main__":
    main()
