"""The section `control` of docs/evaluation.md, and its plots: control.py DOCS [FIGURES]

FIGURES is where the lab's scenario `many_servers` and control/measure.py have left theirs, which are copied to
DOCS/evaluation/control*.csv.
"""
import re
import sys
import tempfile

import page
from page import median, spread

FILES = {"many_servers": "control-many-servers", "control_delay": "control", "control_cost": "control-cost"}
TOOLS = {"coracle": "coracle → SIGHUP", "kube-proxy": "kube-proxy → nftables"}
GOAL_S = 0.5
MOST_SERVICES = 10000
WHAT = {"drain": "one drains", "go": "one is gone", "come": "one comes"}

DELAY = """set title "From a change of an endpoint to what follows from it (median, least, most)"
set xlabel "Services of three endpoints"
set ylabel "s"
set logscale x
set xrange [7:15000]
set yrange [0:*]
set grid
set key top left
plot {plots}
"""
COST = """set style data histograms
set style fill solid 0.6
set boxwidth 0.9
set logscale y
set grid ytics
set key top left
set multiplot layout 1,3
set xlabel "Services"
set title "memory, MB (RSS)"
set yrange [1:*]
plot "{data}" using "coracle_rss":xticlabels(1) title "coracle", "" using "proxy_rss" title "kube-proxy"
set title "CPU of the first sync, s"
set yrange [0.01:*]
plot "{data}" using "coracle_sync":xticlabels(1) title "coracle", "" using "proxy_sync" title "kube-proxy"
set title "CPU of a change, ms"
set yrange [1:*]
plot "{data}" using "coracle_change":xticlabels(1) title "coracle", "" using "proxy_change" title "kube-proxy"
unset multiplot
"""


def delays_of(rows):
    found = {}
    for row in rows:
        found.setdefault((row["tool"], int(row["services"])), []).append(float(row["seconds"]))
    return found


def costs_of(rows):
    """{(tool, services): {column: (mean, least, most)}}: there are few rounds."""
    found = {}
    for row in rows:
        found.setdefault((row["tool"], int(row["services"])), []).append(row)
    columns = ("sync_s", "sync_cpu_s", "idle_ms_per_s", "cpu_ms_per_change", "rss_mb")
    return {key: {column: [float(row[column]) for row in of_it] for column in columns} for key, of_it in found.items()}


def plot_delays(delays, docs):
    files, plots = [], []
    for tool, title in TOOLS.items():
        file = tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="ascii")
        files.append(file)
        print("services,median,least,most", file=file)
        for (name, services), of_it in delays.items():
            if name == tool:
                print(f"{services},{median(of_it)},{min(of_it)},{max(of_it)}", file=file)
        file.flush()
        plots.append(f'"{file.name}" using 1:2:3:4 with yerrorlines linewidth 2 pointtype 7 pointsize 0.6 title "{title}"')
    page.plot(DELAY.format(plots=", \\\n     ".join(plots)), f"{docs}/evaluation/control")


def plot_costs(costs, sizes, docs):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="ascii") as file:
        print("services,coracle_rss,proxy_rss,coracle_sync,proxy_sync,coracle_change,proxy_change", file=file)
        for services in sizes:
            print(services, *(max(page.mean(costs[tool, services][column]), 0.01)
                              for column in ("rss_mb", "sync_cpu_s", "cpu_ms_per_change") for tool in TOOLS),
                  sep=",", file=file)
        file.flush()
        page.plot(COST.format(data=file.name), f"{docs}/evaluation/control-cost", "1000,400")


def cell(values, digits):
    return f"{page.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def many_servers(rows):
    lines = []
    for what, words in WHAT.items():
        of_it = [row for row in rows if row["what"] == what]
        own = [float(row["keepalived_seconds"]) for row in of_it if row["keepalived_seconds"]]
        seconds = [float(row["seconds"]) for row in of_it]
        lines.append(f"| {words} | {len(of_it)} | {median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} | "
                     f"{f'{median(own):.1f} ({min(own):.1f} to {max(own):.1f})' if own else '' } |")
    return "\n".join(lines)


def kubernetes():
    path = sys.path[0] + "/../conformance/servers/go.mod"
    with open(path, encoding="ascii") as file:
        return re.search(r"k8s\.io/kubernetes v(\S+)", file.read())[1]


def verdict(delays, costs, sizes):
    """Where Coracle is behind, in words; computed."""
    behind = [f"the delay with {services} Services" for services in sizes
              if median(delays["coracle", services]) > median(delays["kube-proxy", services])]
    names = {"rss_mb": "memory", "sync_cpu_s": "CPU of the first sync", "idle_ms_per_s": "CPU at rest",
             "cpu_ms_per_change": "CPU of a change"}
    for column, words in names.items():
        worse = [str(services) for services in sizes
                 if page.mean(costs["coracle", services][column]) > page.mean(costs["kube-proxy", services][column])]
        if worse:
            behind.append(f"{words} with {', '.join(worse)} Services")
    return f"Coracle is behind kube-proxy in: {'; '.join(behind)}." if behind else \
        "In none of these figures is Coracle behind kube-proxy."


def main():
    docs, *figures = sys.argv[1:]
    tables = {}
    for name, target in FILES.items():
        path = f"{docs}/evaluation/{target}.csv"
        if figures:
            rows = page.read(f"{figures[0]}/{name}.csv")
            page.write(path, rows[0].keys(), [row.values() for row in rows])
        tables[name] = page.read(path)
    many, delays, costs = tables["many_servers"], delays_of(tables["control_delay"]), costs_of(tables["control_cost"])
    sizes = sorted({services for _, services in delays})
    plot_delays(delays, docs)
    plot_costs(costs, sizes, docs)
    seconds = [float(row["seconds"]) for row in many]
    late = [row for row in many if float(row["seconds"]) > GOAL_S]
    goal = (f"{len(late)} of {len(many)} took longer than the goal of {GOAL_S} s" if late
            else f"All {len(many)} stayed below the goal of {GOAL_S} s")
    delay_rows = "\n".join(f"| {services} | " + " | ".join(spread(delays[tool, services], median, 3) for tool in TOOLS) + " |"
                           for services in sizes)
    cost_rows = "\n".join(
        f"| {services} | {tool} | {cell(costs[tool, services]['rss_mb'], 1)} | {cell(costs[tool, services]['sync_s'], 1)} | "
        f"{cell(costs[tool, services]['sync_cpu_s'], 2)} | {cell(costs[tool, services]['cpu_ms_per_change'], 0)} | "
        f"{cell(costs[tool, services]['idle_ms_per_s'], 1)} |" for services in sizes for tool in TOOLS)
    missing = "" if max(sizes) >= MOST_SERVICES else f"\n**Not measured in this run: {MOST_SERVICES} Services.**\n"
    page.section(docs, "control", f"""## Control plane

`test/bench/run control`, half an hour (longer when kube-proxy is built first).

### One change among {many[0]["real_servers"]} checked real servers

In the lab (real keepalived, the guest's kernel): one LB pod with 500 Services of ten endpoints each, all with TCP checks.
keepalived needs seconds for any change: it parses its file twice, looks for each old checker in the list of all of them
(`migrate_checkers` is quadratic), starts every checker anew and writes a log line for each, and a real server that is new
waits a second and more for its first check (`BOOTSTRAP_DELAY`). So coracle goes ahead of it
([architecture](architecture.md)): weights at once, and a new real server as soon as it has answered. In the same runs, from
the API's event:

| what | n | in the kernel, median s | least to most | keepalived itself, s |
|---|---|---|---|---|
{many_servers(many)}

{goal}; the median is {median(seconds):.2f} s. The last column is when
keepalived's own word of it comes, which is what one had to wait for before; of a mere change of weights it gives none.

### Beside kube-proxy

A real kube-apiserver and etcd, with the same Services of three endpoints each for both, followed in turns, two rounds; a
change replaces one endpoint. Of coracle the time counts until keepalived has its SIGHUP, `keepalived -t` included, because
this machine's own kernel has no IPVS; the way from there into the kernel is what the table above is about. Of kube-proxy
(mode nftables, otherwise as it comes) it counts until `nft monitor` shows the rule.

![delay](evaluation/control.svg)

{missing}
| Services | coracle: median s (95 % of resamplings) | kube-proxy |
|---|---|---|
{delay_rows}

![cost](evaluation/control-cost.svg)

| Services | | memory, MB (RSS) | first sync, s | its CPU, s | CPU of a change, ms | CPU at rest, ms/s |
|---|---|---|---|---|---|---|
{cost_rows}

(Mean, least to most of the rounds. CPU includes the children that have ended: `keepalived -t` and `nft`.)
{verdict(delays, costs, sizes)}

What to know of it: their jobs differ. kube-proxy writes the rules of cluster addresses on every node, coracle's LB pods those
of external addresses, with health checks, whose CPU and memory are keepalived's and not in this table. The tools, the API
server and etcd share the machine's cores.

Kubernetes {kubernetes()}; keepalived {page.version("keepalived")}, nftables {page.version("nftables")}; {page.guest_kernel()} (guest).
Raw figures: [control.csv](evaluation/control.csv), [control-cost.csv](evaluation/control-cost.csv),
[control-many-servers.csv](evaluation/control-many-servers.csv).
""")


main()
