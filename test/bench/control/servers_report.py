"""docs/evaluation.md: how soon a change is in the kernel, with few Services and many, and with thousands of checks."""
from page import agreement, fill, median, median_of

GOAL_S = 0.5
WHAT = {"drain": "one drains", "go": "one goes", "come": "one comes"}


def seconds(rows, **wanted):
    return [float(row["seconds"]) for row in rows if all(row[key] == value for key, value in wanted.items())]


def table(rows):
    for what, words in WHAT.items():
        own = [float(row["keepalived_seconds"]) for row in rows if row["what"] == what and row["keepalived_seconds"]]
        of_it = seconds(rows, what=what)
        yield (f"| {words} | {len(of_it)} | {median(of_it):.2f} | {min(of_it):.2f} to {max(of_it):.2f} | "
               f"{f'{median(own):.1f} ({min(own):.1f} to {max(own):.1f})' if own else ''} |")


def verdict(rows):
    late = [second for second in seconds(rows) if second > GOAL_S]
    goal = f"{len(late)} of {len(rows)} took longer than the goal of {GOAL_S} s" if late else \
        f"All {len(rows)} stayed below the goal of {GOAL_S} s"
    return f"{goal}; the median is {median(seconds(rows)):.2f} s."


def by_size(rows):
    """{(services, check): its rows}"""
    found = {}
    for row in rows:
        found.setdefault((int(row["services"]), row["check"]), []).append(row)
    return dict(sorted(found.items()))


def cell(values):
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else ""


def services_text(first, second):
    sizes, sizes_again = by_size(first["many_services"]), by_size(second["many_services"])
    if not sizes:
        return ""
    lines = []
    for (services, check), rows in sizes.items():
        own = [float(row["keepalived_seconds"]) for row in rows if row["keepalived_seconds"]]
        lines.append(f"| {services:,} | {check} | {' | '.join(cell(seconds(rows, what=what)) for what in WHAT)} | {cell(own)} |")
    again = [(f"a change among {services:,} ({check})", median_of(seconds(rows)), median_of(seconds(sizes_again[services, check])))
             for (services, check), rows in sizes.items() if (services, check) in sizes_again]
    late = {size: f"{sum(second > GOAL_S for second in seconds(rows))} of {len(rows)} changes" for size, rows in sizes.items()
            if max(seconds(rows)) > GOAL_S}
    verdict_of = "; ".join(f"With {services:,} Services (check: {check}) {of_it} took longer than {GOAL_S} s" for (services, check), of_it
                           in late.items()) if late else f"No change took longer than {GOAL_S} s"
    return f"""
### From the API to the kernel

In the lab (real keepalived, the guest's kernel): one LB pod with N Services of three endpoints each, with TCP checks and
with none; how long after the API's event one endpoint is out of IPVS' table (weight 0 or gone), or in it:

| Services | check | one drains: median s (least to most) | one goes | one comes | keepalived itself |
|---|---|---|---|---|---|
{chr(10).join(lines)}

{fill(f"{verdict_of}. The last column is when keepalived itself reports one that goes or comes, where it does.")}
{agreement(again)}"""


def short(first):
    sizes = by_size(first["many_services"])
    if sizes:
        (few, _), (many, _) = min(sizes), max(sizes)
        usual = {services: median(seconds(row for row in first["many_services"] if int(row["services"]) == services))
                 for services in (few, many)}
        yield (f"an endpoint's change is in the kernel after {usual[few]:.2f} s with {few:,} Services and {usual[many]:.2f} s with "
               f"{many:,} (medians; at most {max(seconds(first['many_services'])):.2f} s)")
    if first["many_servers"]:
        yield (f"an endpoint's change among {int(first['many_servers'][0]['real_servers']):,} checked real servers within "
               f"{max(seconds(first['many_servers'])):.2f} s")


def text(first, second):
    return services_text(first, second) + servers_text(first, second)


def servers_text(first, second):
    rows = first["many_servers"]
    if not rows:
        return ""
    again = [("a change", median_of(seconds(rows)), median_of(seconds(second["many_servers"])))] if second["many_servers"] else []
    return f"""
### One change among {int(rows[0]["real_servers"]):,} checked real servers

In the lab (real keepalived, the guest's kernel): one LB pod with 500 Services of ten endpoints each, all with TCP checks.
keepalived needs seconds for any change: it parses its file twice, looks for each old checker in the list of all of them
(`migrate_checkers` is quadratic), starts every checker anew and writes a log line for each, and a new real server waits
a second or more for its first check (`BOOTSTRAP_DELAY`). So coracle goes ahead of it
([architecture](architecture.md)): weights at once, and a new real server as soon as it has answered. In the same runs, from
the API's event:

| what | n | in the kernel, median s | least to most | keepalived itself, s |
|---|---|---|---|---|
{chr(10).join(table(rows))}

{verdict(rows)} The last column is when
keepalived itself reports it, which is what one had to wait for before; a mere change of weights it does not report.
{agreement(again)}"""
