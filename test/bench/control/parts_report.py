"""docs/evaluation.md: what the parts of an LB pod and the reflector take, beside what deploy/ grants them."""
import re

from page import fill, mean
from proxies_report import again, cell, costs_of

CONTAINERS = {"ipvs": ("coracle", "keepalived"), "exabgp": ("exabgp", "coracle-announcer"), "gobgpd": ("gobgpd",)}
MANIFESTS = {"ipvs": "base/deployment.yaml", "exabgp": "base/deployment.yaml", "gobgpd": "components/reflector/daemonset.yaml"}


def pace(rows):
    """How many million instructions are a millisecond on this machine, by `keepalived -t` in both; the least of the sizes."""
    return min(float(row["check_million"]) / float(row["check_ms_here"]) for row in rows)


def complete(tables):
    return tables["control_parts"] and tables["control_checks"] and tables["control_balancers_cost"]


def figures(tables):
    """{(part, vips): (memory in MB as text and as numbers: usual, most; CPU at rest, CPU of a change)}"""
    found, million_per_ms = {}, pace(tables["control_checks"])
    costs = costs_of(tables["control_balancers_cost"], "program", columns=("rss_mb", "idle_ms_per_s", "cpu_ms_per_change"))
    for row in tables["control_checks"]:
        vips, usual, peak = int(row["vips"]), float(row["rss_mb"]), float(row["peak_mb"])
        of_it = costs["coracle", vips]
        found["coracle", vips] = (cell(of_it["rss_mb"], 1), mean(of_it["rss_mb"]), max(of_it["rss_mb"]),
                                  mean(of_it["idle_ms_per_s"]), mean(of_it["cpu_ms_per_change"]))
        found["keepalived", vips] = (f"{usual:.1f} ({peak:.1f} while it reloads)", usual, peak,
                                     float(row["idle_million_per_s"]) / million_per_ms,
                                     float(row["reload_million"]) / million_per_ms)
    columns = ("rss_mb", "idle_ms_per_s", "cpu_ms_per_change")
    rows = [{**row, "services": row["vips"]} for row in tables["control_parts"]]
    for (part, vips), of_it in costs_of(rows, "part", columns=columns).items():
        found[part, vips] = (cell(of_it["rss_mb"], 1), mean(of_it["rss_mb"]), max(of_it["rss_mb"]),
                             mean(of_it["idle_ms_per_s"]), mean(of_it["cpu_ms_per_change"]))
    return found


def compared(tables):
    """The same for proxies_report.again; keepalived's by the instructions that were counted, not by what a millisecond is."""
    if not complete(tables):
        return {}
    found = {key: {"memory": [usual], "rest": [idle], "change": [change]}
             for key, (_, usual, _, idle, change) in figures(tables).items()}
    for row in tables["control_checks"]:
        found["keepalived", int(row["vips"])] |= {"rest": [float(row["idle_million_per_s"])], "change": [float(row["reload_million"])]}
    return found


def memory_beside_coracle(tables):
    """{vips: {part: MB}} of an LB pod's other processes."""
    found = {}
    if complete(tables):
        for (part, vips), of_it in figures(tables).items():
            if part not in ("coracle", "gobgpd"):
                found.setdefault(vips, {})[part] = of_it[1]
    return found


def granted(deploy):
    """{container: (CPU requested in ms/s, memory requested, its limit, in MB)}, from the manifests."""
    found = {}
    for container, path in MANIFESTS.items():
        with open(f"{deploy}/{path}", encoding="utf-8") as file:
            of_it = file.read().partition(f"- name: {container}\n")[2]
        cpu, memory, limit = re.search(r"requests: \{cpu: (\d+)m, memory: (\d+)Mi\}\n +limits: \{memory: (\d+)Mi\}", of_it).groups()
        found[container] = (int(cpu), int(memory), int(limit))
    return found


def beside_grants(found, grants, sizes):
    for container, parts in CONTAINERS.items():
        cpu, memory, limit = grants[container]
        at = {vips: tuple(sum(found[part, vips][i] for part in parts) for i in (1, 2, 3)) for vips in sizes}
        yield (f"| {container} | {cpu}m, {memory}Mi; {limit}Mi | " + " | ".join(
            f"{usual:.0f} MB{f' (at most {most:.0f})' if round(most) > round(usual) else ''}, {idle:.0f} ms/s"
            for usual, most, idle in at.values()) + " |")


def verdict(found, grants, sizes):
    short = []
    for container, parts in CONTAINERS.items():
        cpu, memory, limit = grants[container]
        for what, index, granted_much in (("its request of memory", 1, memory), ("its limit of memory", 2, limit),
                                          ("its request of CPU", 3, cpu)):
            over = [f"{vips:,}" for vips in sizes if sum(found[part, vips][index] for part in parts) > granted_much]
            if over:
                short.append(f"{what} for {container}, with {', '.join(over)} addresses")
    return f"Exceeded is {'; '.join(short)}: an overlay should ask for more." if short else \
        "None of the requests and limits is exceeded."


def text(first, second, deploy):
    if not complete(first):
        return ""
    found, grants = figures(first), granted(deploy)
    sizes = sorted({vips for _, vips in found})
    parts = [part for of_it in CONTAINERS.values() for part in of_it]
    rows = "\n".join(f"| {vips:,} | {part} | {memory} | {idle:.1f} | {change:.1f} |" for vips in sizes for part in parts
                     for memory, _, _, idle, change in [found[part, vips]])
    return f"""
### What an LB pod takes, and a reflector

For requests and limits: N service addresses of three real servers each, checked over TCP every 2 s, as deploy/base has it.
coracle as above. exabgp, coracle-announcer and a reflector's gobgpd on this machine, with a stand-in for coracle that wants N
routes; the reflector has two LB pods and a router. keepalived in the emulated machine of the data path, whose kernel has IPVS
and whose clock counts instructions: {pace(first["control_checks"]):.1f} million of them are taken for a millisecond, as many as this machine
needed one for in `keepalived -t`; some of the real servers' part of the handshakes is in it. A change is another endpoint, for
keepalived a reload, for the BGP programs a route more or less.

| addresses | program | memory, MB (RSS) | CPU at rest, ms/s | CPU of a change, ms |
|---|---|---|---|---|
{rows}

{again(compared(first), compared(second), {"memory": "memory", "rest": "CPU at rest", "change": "CPU of a change"})}

Beside what the manifests in [deploy](../deploy/README.md) ask for, with so many addresses:

| container | requests; limit | {' | '.join(f'{vips:,}' for vips in sizes)} |
|---|---|{'---|' * len(sizes)}
{chr(10).join(beside_grants(found, grants, sizes))}

{fill(verdict(found, grants, sizes))}
"""
