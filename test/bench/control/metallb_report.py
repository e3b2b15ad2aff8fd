"""docs/evaluation.md: Coracle beside MetalLB."""
from page import agreement, fill, mean, median, ratio_of
from proxies_report import again, cell, costs_of, missing

WHAT = {"address": "created → EXTERNAL-IP in its status", "route": "created → route at the reflector",
        "gone": "no endpoint left → route gone", "back": "endpoints back → route", "deleted": "deleted → route gone"}
COLUMNS = {"rss_mb": "memory", "sync_cpu_s": "CPU of the first sync", "cpu_ms_per_change": "CPU of a changed endpoint",
           "cpu_ms_per_service": "CPU of a Service's life", "idle_ms_per_s": "CPU at rest"}
TOOLS = ("Coracle", "MetalLB")
SIZES, SIZES_IN_GUEST = (10, 100, 1000), (10, 1000)  # as beside.py and routes.py have them


def times_of(rows):
    found = {}
    for row in rows:
        found.setdefault((row["tool"], int(row["services"]), row["what"]), []).append(float(row["seconds"]))
    return found


def range_cell(values):
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def times_table(times, outside):
    for services in sorted({services for _, services, _ in {**times, **outside}}):
        for what, words in WHAT.items():
            cells = [range_cell(of_it) if (of_it := where.get((tool, services, what))) else ""
                     for where in (times, outside) for tool in TOOLS]
            yield f"| {services:,} | {words} | {' | '.join(cells)} |"


def lacking(times, sizes, where):
    return missing({(tool, services) for tool, services, _ in times}, TOOLS, sizes, where)


def behind_in_time(times, outside):
    """Wherever both were measured."""
    behind = {}
    for where, suffix in ((times, ""), (outside, " outside the guest")):
        for what, words in WHAT.items():
            at = [f"{services:,}" for services in sorted({services for _, services, _ in where})
                  if {(tool, services, what) for tool in TOOLS} <= where.keys()
                  and median(where["Coracle", services, what]) > median(where["MetalLB", services, what])]
            if at:
                behind[words + suffix] = ", ".join(at)
    found = "; ".join(f"{words} (with {at} Services)" for words, at in behind.items())
    return fill(f"**Coracle is behind MetalLB** in: {found}." if found else "Coracle is behind MetalLB in none of these.")


def totals(costs):
    """{(tool, services): {column: [the sum over the tool's programs, of each round]}}"""
    sums = {}
    for (tool, _, services), of_it in costs.items():
        so_far = sums.setdefault((tool, services), {})
        for column, values in of_it.items():
            so_far[column] = [a + b for a, b in zip(so_far.get(column, [0] * len(values)), values)]
    return sums


def cost_line(services, name, of_it):
    return (f"| {services:,} | {name} | {cell(of_it['rss_mb'], 1)} | {cell(of_it['sync_s'], 1)} | {cell(of_it['sync_cpu_s'], 2)} | "
            f"{cell(of_it['cpu_ms_per_change'], 0)} | {cell(of_it['cpu_ms_per_service'], 0)} | "
            f"{cell(of_it['idle_ms_per_s'], 1)} |")


def cost_table(costs):
    for services in sorted({services for _, _, services in costs}):
        for (tool, program, size), of_it in costs.items():
            if size == services:
                yield cost_line(services, program if tool == "Coracle" else f"{tool}'s {program}", of_it)


def behind_in_cost(costs):
    sums = totals(costs)
    sizes = sorted(services for tool, services in sums if tool == "Coracle" and ("MetalLB", services) in sums)
    where = {words: ", ".join(f"{services:,}" for services in sizes if mean(sums["Coracle", services][column]) >
                              mean(sums["MetalLB", services][column])) for column, words in COLUMNS.items()}
    found = "; ".join(f"{words} with {at} Services" for words, at in where.items() if at)
    return f"coracle is behind MetalLB's two programs together in: {found}." if found else \
        "coracle is behind MetalLB's two programs together in none of these figures."


def pod_beside(costs, parts):
    """The memory of all of an LB pod's processes beside MetalLB's, where both were measured."""
    sums = totals(costs)
    for vips, of_it in parts.items():
        if {("Coracle", vips), ("MetalLB", vips)} <= sums.keys():
            ours, theirs = sum(of_it.values()) + mean(sums["Coracle", vips]["rss_mb"]), mean(sums["MetalLB", vips]["rss_mb"])
            yield (f"with {vips:,} Services all processes of an LB pod take {ours:.0f} MB, MetalLB's two {theirs:.0f} MB"
                   f"{' (Coracle is behind)' if ours > theirs else ''}")


def short(first):
    times = times_of(first["control_routes"])
    both = [(services, what) for tool, services, what in times if tool == "Coracle" and ("MetalLB", services, what) in times]
    behind = sum(median(times["Coracle", *key]) > median(times["MetalLB", *key]) for key in both)
    if both:
        yield (f"behind MetalLB in {behind or 'none'} of {len(both)} medians of the times until addresses and routes come and go, "
               "for it announces only what it has seen to work")


def text(first, second, version, parts):
    times, outside = times_of(first["control_routes"]), times_of(first["control_balancers"])
    costs = costs_of(first["control_balancers_cost"], "tool", "program", columns=("sync_s", *COLUMNS))
    if not times and not outside:
        return ""
    times_again = times_of(second["control_routes"])
    costs_again = costs_of(second["control_balancers_cost"], "tool", "program", columns=COLUMNS)
    both = [(services, what) for tool, services, what in times if tool == "Coracle" and all(
        ("MetalLB", services, what) in of_run and (tool, services, what) in of_run for of_run in (times, times_again))]
    agree = [(f"with {services:,}: {WHAT[what]}", *(ratio_of(of_run["Coracle", services, what], of_run["MetalLB", services, what])
                                                    for of_run in (times, times_again))) for services, what in both]
    return f"""
### Beside MetalLB

MetalLB {version}: its controller and its speaker, one process each, with the objects and rights of its manifest, and BGP in
its native mode, without FRR (of its frr-k8s mode only the types are built in, an older version's); left out are memberlist,
which BGP does not use, and the webhook. The same Services for both, in turns, two rounds. Both are whole: they run in the
lab's guest (one CPU; real keepalived, checks every 30 s, IPVS, exabgp), and are watched from outside it, where the API
server and the reflector (gobgpd, peer of both) run. From before the request to the API until the status or the route was
seen, with so many other Services beside it; on the right what can be told of them on the machine itself, which is not slowed
down by emulated system calls, but whose kernel has no IPVS:

| Services | what | Coracle: median, s (least to most) | MetalLB | outside the guest: Coracle | MetalLB |
|---|---|---|---|---|---|
{chr(10).join(times_table(times, outside))}

{lacking(times, SIZES_IN_GUEST, "")}

{lacking(outside, SIZES, " outside the guest")}

{behind_in_time(times, outside)}
{agreement(agree, "ratios of Coracle's time to MetalLB's, each of one run,", "")}
The two do not promise the same. MetalLB announces an address that has an endpoint, whether or not anything forwards it yet: that
is kube-proxy's part, which no figure of MetalLB's contains. Coracle announces what it forwards itself: after keepalived has
read its configuration, the first endpoint has passed its check, and the kernel's table has been read back. Two of the
times are long on purpose: a route that has been withdrawn comes back when it has been good for a second, and that of a
deleted Service stays for 5 s, in which its LB pods reset what still arrives.

What following them costs, on the machine itself (not in the guest). Of Coracle this is the controller, with keepalived's own
check of each new configuration; the pod's other parts are below. A Service's life is: created, without endpoints, with them
again, deleted.

| Services | program | memory, MB (RSS) | first sync, s | its CPU, s | CPU of a changed endpoint, ms | CPU of a Service's life, ms | CPU at rest, ms/s |
|---|---|---|---|---|---|---|---|
{chr(10).join(cost_table(costs))}

{fill(f"(Mean, and least to most of the rounds.) {behind_in_cost(costs)}")}

{again(totals(costs), totals(costs_again), COLUMNS)}

{fill("Every LB pod has all of Coracle's parts, every node a speaker, the cluster one controller" +
      "".join(f"; {words}" for words in pod_beside(costs, parts)) + ".")}
"""
