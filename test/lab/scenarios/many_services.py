"""Few Services and many, of three real servers each: how soon one that drains, goes or comes is so in the kernel, with
keepalived's checks and without. Raw figures in figures/many_services.csv. In the long form there are up to 10,000."""
import figures
from many import Many, Servers

LIMIT_S, LONG_LIMIT_S = 240, 1800
SIZES, LONG_SIZES = {"tcp": (10,), "none": (10, 1000)}, {"tcp": (10, 100, 1000), "none": (10, 100, 1000, 10000)}
EACH = 3
MOST_S = 5.0  # of any change; the guest's one CPU is slow, and shared with others


def measure(services, check, rounds):
    many = Many(services, EACH, check)
    try:
        many.await_all(600)
        for turn in range(rounds):
            for what in ("drain", "come", "go", "come"):
                many.await_rest(300)
                seconds, keepalived_s, _ = many.change(what, services // 2 + turn)
                yield services, check, what, seconds, keepalived_s
    finally:
        many.end()


def run(lab):
    rows, servers = [], Servers()
    try:
        for check, sizes in (LONG_SIZES if lab.long else SIZES).items():
            for services in sizes:
                rows += measure(services, check, 3 if lab.long else 1)
    finally:
        servers.end()
        figures.write("many_services", ("services", "check", "what", "seconds", "keepalived_seconds"), rows)
    slowest = {(row[0], row[1]): max(float(other[3]) for other in rows if other[:2] == row[:2]) for row in rows}
    told = ", ".join(f"{services:,} ({check}) {seconds:.3f}" for (services, check), seconds in slowest.items())
    assert max(slowest.values()) < MOST_S, f"the slowest of each, in s: {told}"
    return f"N Services (checks), the slowest change is in the kernel after (s): {told}"
