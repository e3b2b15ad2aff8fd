"""Thousands of checked real servers: how soon one that drains, goes or comes is so in the kernel, and when keepalived itself,
which reads its configuration anew, has come so far. Raw figures in figures/many_servers.csv. In the long form there are 5,000.
"""
import figures
from many import Many, Servers

LIMIT_S, LONG_LIMIT_S = 240, 900
MOST_S = 3.0  # the goal is 0.5 s; a guest whose one CPU is shared with others needs more now and then


def run(lab):
    services, rounds = (500, 3) if lab.long else (100, 1)
    rows, servers = [], Servers()
    try:
        many = Many(services, 10)
        try:
            many.await_all(90)
            for turn in range(rounds):
                for what in ("drain", "come", "go", "come"):
                    many.await_rest(90)
                    before = many.cpu_s()
                    measured = many.change(what, services // 2 + turn)
                    spent = many.cpu_s()
                    rows.append((services * many.each, what, *measured,
                                 *(f"{spent[name] - before[name]:.2f}" for name in ("coracle", "keepalived"))))
            assert many.total() == services * many.each, f"{many.total()} of {services * many.each} are in"
        finally:
            many.end()
    finally:
        servers.end()
        figures.write("many_servers", ("real_servers", "what", "seconds", "keepalived_seconds", "busy_s", "coracle_cpu_s",
                                       "keepalived_cpu_s"), rows)
    slowest = max(float(row[2]) for row in rows)
    told = ", ".join(f"{row[1]} {row[2]} (keepalived: {row[3] or '?'})" for row in rows)
    assert slowest < MOST_S, f"{slowest} s: {told}"
    return f"{services * 10} checked real servers, a change is in the kernel after (s): {told}"
