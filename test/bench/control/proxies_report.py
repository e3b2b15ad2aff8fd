"""docs/evaluation.md: Coracle beside kube-proxy."""
import page
from page import mean, median, spread

TOOLS = {"coracle": "coracle → SIGHUP", "kube-proxy nftables": "kube-proxy → nftables", "kube-proxy iptables": "kube-proxy → iptables"}
OTHERS = tuple(TOOLS)[1:]
SIZES = (10, 100, 1000, 10000)  # as beside.py has them
LEFT_OUT = {("kube-proxy iptables", 10000)}
COLUMNS = {"rss_mb": "memory", "sync_cpu_s": "CPU of the first sync", "idle_ms_per_s": "CPU at rest",
           "cpu_ms_per_change": "CPU of a change"}
NEXT_TO_NOTHING = {"sync_cpu_s": 0.1, "idle_ms_per_s": 5}

DELAY = """set title "From a change of an endpoint to what follows from it (median, least, most)"
set xlabel "Services of three endpoints"
set ylabel "s"
set logscale xy
set xrange [7:15000]
set grid
set key top left
plot {plots}
"""
COST = """set style data histograms
set style fill solid 0.6
set boxwidth 0.9
set logscale y
set grid ytics
set key below vertical
set multiplot layout 1,3
set xlabel "Services"
{plots}
unset multiplot
"""


def delays_of(rows):
    found = {}
    for row in rows:
        found.setdefault((row["tool"], int(row["services"])), []).append(float(row["seconds"]))
    return found


def costs_of(rows, *keys, columns):
    """{(the row's keys…, services): {column: [a value of each round]}}"""
    found = {}
    for row in rows:
        of_it = found.setdefault((*(row[key] for key in keys), int(row["services"])), {})
        for column in columns:
            of_it.setdefault(column, []).append(float(row[column]))
    return found


def cell(values, digits):
    usual, least, most = (round(value, digits) + 0.0 for value in (mean(values), min(values), max(values)))  # no "-0"
    return f"{usual:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def again(costs, costs_again, columns):
    """A sentence about a second run: by how much each column's means differ, {(who, services): …}, at most, and whose. Not of
    what is next to nothing, of which a clock's tick is a big share."""
    said = []
    for column, words in columns.items():
        apart = [(abs(mean(costs_again[key][column]) / mean(of_it[column]) - 1), *key) for key, of_it in costs.items()
                 if key in costs_again and mean(of_it[column]) > NEXT_TO_NOTHING.get(column, 0)]
        said += [f"{words} by {most * 100:.0f} % ({who} with {services:,})" for most, who, services in [max(apart)]] if apart else []
    return page.fill(f"In a second run the means differ from these at most: {', '.join(said)}.") if said else ""


def plot(delays, costs, sizes, docs):
    there = [tool for tool in TOOLS if tool in {tool for tool, _ in delays}]
    header = ["services", *(f"{tool} {what}" for tool in there for what in ("median", "least", "most"))]
    rows = [(services, *(f"{statistic(delays[tool, services]):.4f}" if (tool, services) in delays else "NaN"
                         for tool in there for statistic in (median, min, max))) for services in sizes]
    plots = ", \\\n     ".join(f'"{{data}}" using 1:{i}:{i + 1}:{i + 2} with yerrorlines linewidth 2 pointtype 7 pointsize 0.6 '
                               f'title "{TOOLS[tool]}"' for i, tool in zip(range(2, 99, 3), there))
    page.plot(DELAY.replace("{plots}", plots), f"{docs}/evaluation/control", data=(header, rows))

    columns = {"rss_mb": ("memory, MB (RSS)", 1), "sync_cpu_s": ("CPU of the first sync, s", 0.01),
               "cpu_ms_per_change": ("CPU of a change, ms", 1)}
    header = ["services", *(f"{tool} {column}" for column in columns for tool in there)]
    rows = [(services, *(f"{max(mean(costs[tool, services][column]), 0.01):.3f}" if (tool, services) in costs else "NaN"
                         for column in columns for tool in there)) for services in sizes]
    plots = "\n".join(
        f'set title "{title}"\nset yrange [{least}:*]\nplot ' + ", ".join(
            f'"{{data}}" using "{tool} {column}":xticlabels(1) title "{tool}"' for tool in there)
        for column, (title, least) in columns.items())
    page.plot(COST.replace("{plots}", plots), f"{docs}/evaluation/control-cost", "1200,460", data=(header, rows))


def verdict(delays, costs, sizes):
    """Where Coracle is behind, in words; computed. One sentence for each mode of kube-proxy."""
    for other in OTHERS:
        both = [n for n in sizes if {("coracle", n), (other, n)} <= costs.keys()]
        worse = {"the delay": [n for n in both if median(delays["coracle", n]) > median(delays[other, n])],
                 **{words: [n for n in both if mean(costs["coracle", n][column]) > mean(costs[other, n][column])]
                    for column, words in COLUMNS.items()}}
        found = "; ".join(f"{words} with {', '.join(f'{n:,}' for n in at)} Services" for words, at in worse.items() if at)
        if both:
            yield f"Coracle is behind {other} in: {found}." if found else f"Coracle is behind {other} in none of these figures."


def short(first):
    delays = {key: median(values) for key, values in delays_of(first["control_delay"]).items()}
    for other in OTHERS:
        both = sorted(services for tool, services in delays if tool == other and ("coracle", services) in delays)
        behind = [f"{services:,}" for services in both if delays["coracle", services] > delays[other, services]]
        if both:
            yield (f"with {both[-1]:,} Services keepalived has its signal after {delays['coracle', both[-1]]:.2f} s, {other} its "
                   f"rule after {delays[other, both[-1]]:.2f} s" + (f" (behind with {', '.join(behind)} Services)" if behind else ""))


def missing(measured, tools, sizes, where=""):
    """What a whole run measures and this one did not; measured: {(tool, services), …}"""
    at = {tool: ", ".join(f"{services:,}" for services in sizes if (tool, services) not in measured) for tool in tools}
    found = "; ".join(f"{tool} with {sizes} Services" for tool, sizes in at.items() if sizes)
    return page.fill(f"**Not measured in this run**{where}: {found}.") if found else ""


def text(first, second, docs):
    delays = delays_of(first["control_delay"])
    costs = costs_of(first["control_cost"], "tool", columns=("sync_s", *COLUMNS))
    sizes = sorted({services for _, services in delays})
    if not sizes:
        return ""
    there = [tool for tool in TOOLS if tool in {tool for tool, _ in delays}]
    plot(delays, costs, sizes, docs)
    delay_rows = "\n".join(f"| {services:,} | " + " | ".join(
        spread(delays[tool, services], median, 3) if (tool, services) in delays else "" for tool in there) + " |" for services in sizes)
    cost_rows = "\n".join(
        f"| {services:,} | {tool} | {cell(of_it['rss_mb'], 1)} | {cell(of_it['sync_s'], 1)} | {cell(of_it['sync_cpu_s'], 2)} | "
        f"{cell(of_it['cpu_ms_per_change'], 0)} | {cell(of_it['idle_ms_per_s'], 1)} |"
        for services in sizes for tool in there if (tool, services) in costs for of_it in [costs[tool, services]])
    delays_again = delays_of(second["control_delay"])
    costs_again = costs_of(second["control_cost"], "tool", columns=COLUMNS)
    beside = {(other, services): page.ratio_of(delays["coracle", services], delays[other, services])
              for other, services in delays if other in OTHERS and ("coracle", services) in delays}
    agree = page.agreement([(f"coracle beside {other} with {services:,}", ratio, page.ratio_of(
        delays_again["coracle", services], delays_again[other, services])) for (other, services), ratio in beside.items()
        if {("coracle", services), (other, services)} <= delays_again.keys()], "ratios", "")
    ratios = "\n".join(f"| {services:,} | " + " | ".join(
        "{:.2f} ({:.2f} to {:.2f})".format(ratio, *within) if (other, services) in beside else ""
        for other in there[1:] for ratio, within in [beside.get((other, services), (0, (0, 0)))]) + " |" for services in sizes)
    return f"""
### Beside kube-proxy

A real kube-apiserver and etcd; each tool in turn follows the same Services of three endpoints each, in two rounds (10,000 in
one); a change replaces one endpoint. For coracle the time counts until keepalived has its SIGHUP, `keepalived -t` included,
because this machine's own kernel has no IPVS; the way from there into the kernel is what the table above is about. For
kube-proxy (otherwise as it comes) it counts until the kernel tells of the rule in nftables, in mode iptables too: it is given
the iptables that writes its rules through nftables, Debian's default; with 10,000 Services that takes so many minutes for
the first sync that it is left out. Its mode ipvs would need IPVS too, and is not measured.

![delay](evaluation/control.svg)

{missing(delays.keys() | LEFT_OUT, TOOLS, SIZES)}

| Services | {' | '.join(f"{tool}: median s (95 % of resamplings)" if tool == "coracle" else tool for tool in there)} |
|---|{'---|' * len(there)}
{delay_rows}

Times drift with the machine, for all of them. What is to be compared are the ratios of one run, coracle's delay in that of
kube-proxy:

| Services | {' | '.join(f"in that of {tool} (95 % of resamplings)" for tool in there[1:])} |
|---|{'---|' * len(there[1:])}
{ratios}

{agree}
![cost](evaluation/control-cost.svg)

| Services | | memory, MB (RSS) | first sync, s | its CPU, s | CPU of a change, ms | CPU at rest, ms/s |
|---|---|---|---|---|---|---|
{cost_rows}

(Mean, and least to most of the rounds. CPU includes children that have ended: `keepalived -t`, `nft`, `iptables-restore`.)
{page.fill(" ".join(verdict(delays, costs, sizes)))}

{again(costs, costs_again, COLUMNS)}

What to know about it: their jobs differ. kube-proxy writes the rules of cluster addresses on every node; coracle's LB pods
write those of external addresses, with health checks, whose CPU and memory are keepalived's and not in this table. The tools,
the API server and etcd share the machine's cores.
"""
