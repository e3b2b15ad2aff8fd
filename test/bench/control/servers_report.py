"""docs/evaluation.md: one change among thousands of checked real servers."""
from page import agreement, median

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


def text(first, second):
    rows = first["many_servers"]
    if not rows:
        return ""
    again = [(f"one {what}", seconds(rows, what=what), seconds(second["many_servers"], what=what)) for what in WHAT] \
        if second["many_servers"] else []
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
