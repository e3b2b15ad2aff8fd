"""coracle-resilient and the kernel, in a network namespace of their own: no flow moves that need not.

Runs inside `unshare --map-root-user --net`, as test_mirror.py CORACLE-RESILIENT.
"""
import os
import signal
import subprocess
import sys
import time

from flows import check, ip, lookup, moved, run, share
from waiting import Failed, wait_for

VIP, VIP6 = "10.1.1.1", "fd00:1:1::1"
LBS = [f"10.0.0.{n}" for n in (101, 102, 103, 104)]
LBS6 = [f"fd00:10::{n}" for n in (101, 102, 103, 104)]
IDLE_S, UNBALANCED_S = 2, 3
PROTOCOL = "68"


class Mirror:
    def __init__(self, program):
        self.program = program
        self.process = None

    def start(self, *flags):
        self.process = subprocess.Popen([self.program, "--pool", "10.1.1.0/24", "--pool", "fd00:1:1::/112",
                                         "--idle-timer", str(IDLE_S), "--unbalanced-timer", str(UNBALANCED_S), *flags])

    def end(self, signum):
        self.process.send_signal(signum)
        return self.process.wait(10)


def paths(gateways):
    return [word for gateway in gateways for word in ("nexthop", "via", gateway, "dev", "router")]


def set_route(prefix, gateways):
    run("ip", "route", "replace", prefix, *paths(gateways))


def mirrored(prefix):
    """The gateways of the prefix in table 100, ["throw"] (type 9), or None."""
    family = "-6" if ":" in prefix else "-4"
    try:
        found = ip(family, "route", "show", prefix, "table", "100")
    except subprocess.CalledProcessError:  # there is no such table
        return None
    if not found:
        return None
    if found[0]["type"] == "9":
        return ["throw"]
    return sorted(hop.get("gateway") or hop["via"]["host"] for hop in found[0].get("nexthops", found))


def follow(prefix, gateways):
    """Sets the route of the main table, and waits for the mirror."""
    set_route(prefix, gateways)
    return wait_for(lambda: mirrored(prefix) == sorted(gateways), f"{prefix} mirrored over {gateways}")


def ours():
    """Everything that carries our protocol."""
    return [item for what in (("-4", "route", "show", "table", "all"), ("-6", "route", "show", "table", "all"),
                              ("-4", "rule"), ("-6", "rule"), ("nexthop", "show"))
            for item in ip(*what) if item.get("protocol") == PROTOCOL]


def foreign():
    """Everything else; counters aside."""
    return [item for what in (("-4", "route", "show", "table", "all"), ("-6", "route", "show", "table", "all"),
                              ("-4", "rule"), ("-6", "rule"), ("nexthop", "show"))
            for item in ip(*what) if item.get("protocol") != PROTOCOL]


def add_next_hop():
    """An administrator's, which the kernel deletes when the link has no carrier."""
    run("ip", "nexthop", "add", "id", "7", "via", LBS[0], "dev", "router", "proto", "static")
    run("ip", "route", "add", "10.9.0.0/16", "nhid", "7", "table", "100")


def make_network():
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "router", "type", "veth", "peer", "name", "nodes")
    for link in ("nodes", "router"):  # without link-local addresses, which come late
        run("ip", "link", "set", link, "addrgenmode", "none")
        run("ip", "link", "set", link, "up")
    run("ip", "addr", "add", "10.0.0.110/24", "dev", "router")
    run("ip", "addr", "add", "fd00:10::110/64", "dev", "router", "nodad")
    run("sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
    # An administrator's own: with low ids, in our table, inside our pool, and with rules like ours.
    add_next_hop()
    run("ip", "route", "add", "10.8.0.0/16", "via", LBS[1])
    run("ip", "rule", "add", "to", "10.9.0.0/16", "lookup", "100", "pref", "20000")
    run("ip", "route", "add", "blackhole", "10.1.1.77")


def plain_moves(vip, gateways):
    """What the main table alone does: (% moved when one goes, % moved when one comes)."""
    set_route(vip, gateways)
    four = lookup(vip)
    set_route(vip, gateways[:3])
    three = lookup(vip)
    return moved(four, three, lost=gateways[3:]), moved(three, four)


def test_family(vip, gateways, plain):
    remove, add = plain
    follow(vip, gateways)
    time.sleep(IDLE_S)  # without traffic every bucket is idle, and the new next-hop gets its share
    wait_for(lambda: min(share(lookup(vip)).values()) > 0.2 * len(lookup(vip)), "four equal shares")
    four = lookup(vip)
    seconds = follow(vip, gateways[:3])
    three = lookup(vip)
    mirror_remove = moved(four, three, lost=gateways[3:])
    check(set(three) == set(gateways[:3]), "the one that went has no flow")
    follow(vip, gateways)
    mirror_add = moved(three, lookup(vip))
    print(f"  {vip}: one of 4 next-hops goes: {remove:.0f} % of the others' flows move in the main table, "
          f"{mirror_remove:.1f} % in the mirror, {1000 * seconds:.0f} ms later")
    print(f"  {vip}: it comes back: {add:.0f} % move in the main table, {mirror_add:.1f} % in the mirror at once")
    check(remove > 5 and add > 20, "plain multipath moves flows, or the measurement is blind")
    check(mirror_remove == 0 and mirror_add == 0, "the mirror moves no flow")

    # All flows busy: the newcomer gets its share when the unbalanced timer ends, and not before.
    seconds = wait_for(lambda: share(lookup(vip))[gateways[3]] > 0, "busy buckets given up", every=0.1)
    busy = lookup(vip)
    print(f"  {vip}: all flows being busy, it has {100 * share(busy)[gateways[3]] / len(busy):.0f} % of them after "
          f"{seconds:.1f} s (timer {UNBALANCED_S} s)")
    check(share(busy)[gateways[3]] > 0.2 * len(busy), "its share")

    # Idle flows: it gets its share by the idle timer, before the other one ends.
    follow(vip, gateways[:3])
    lookup(vip)
    follow(vip, gateways)
    check(share(lookup(vip, 1))[gateways[3]] == 0, "nothing yet")
    time.sleep(IDLE_S + 1)
    idle = lookup(vip)
    print(f"  {vip}: all flows being idle, it has {100 * share(idle)[gateways[3]] / len(idle):.0f} % of them after "
          f"{IDLE_S + 1} s")
    # A quarter of the buckets; those that had no flow at all came first.
    check(share(idle)[gateways[3]] > 0.15 * len(idle), "its share")


def shuffled(vip, gateways):
    """A group that has a history: a fresh one would spread the flows in another way."""
    follow(vip, gateways[1:])
    follow(vip, gateways)
    time.sleep(IDLE_S + 0.5)
    return lookup(vip)


def test_restarts(mirror):
    before = shuffled(VIP, LBS), shuffled(VIP6, LBS6)
    objects = ours()
    for signum, what in ((signal.SIGKILL, "killed"), (signal.SIGUSR1, "restarted")):
        mirror.end(signum)
        check(ours() == objects, f"{what}: all stays")
        mirror.start()
        time.sleep(0.5)  # nothing is to happen
        check([item for item in ours() if "gateway" in item] == [item for item in objects if "gateway" in item],
              f"{what}: adopted, not made again")
        moves = moved(before[0], lookup(VIP)), moved(before[1], lookup(VIP6))
        print(f"  coracle-resilient {what}: {moves[0]:.1f} % and {moves[1]:.1f} % of the flows move")
        check(moves == (0, 0), f"{what}: no flow moves")
    mirror.end(signal.SIGKILL)
    set_route(VIP, LBS[:3])
    mirror.start()
    wait_for(lambda: mirrored(VIP) == LBS[:3], "what changed meanwhile is made good")
    check(moved(before[0], lookup(VIP), lost=LBS[3:]) == 0, "without moving a flow")


def test_route_goes_and_returns(vip, gateways):
    """As when a daemon of the router restarts: all paths go at once, and come one after the other."""
    before = shuffled(vip, gateways)
    run("ip", "route", "del", vip)
    gone = wait_for(lambda: mirrored(vip) is None, "the mirrored route gone")
    check(lookup(vip, 1) == [None], "no route at all")
    time.sleep(1)
    for count in range(1, 5):
        set_route(vip, gateways[:count])
        time.sleep(0.1)
    wait_for(lambda: mirrored(vip) == gateways, "the mirrored route back")
    moves = moved(before, lookup(vip))
    print(f"  {vip}: its route gone for 1 s: mirrored route gone after {1000 * gone:.0f} ms, "
          f"{moves:.1f} % of the flows move when it is back path by path")
    check(moves == 0, "no flow moves")
    run("ip", "route", "del", vip)
    wait_for(lambda: mirrored(vip) is None, "gone again")
    set_route(vip, gateways[:2])
    seconds = wait_for(lambda: mirrored(vip) == gateways[:2], "paths that do not return are given up")
    print(f"  {vip}: back with two paths only: the others are given up after {seconds:.1f} s")
    check(seconds < 1.5, "within the settling time")


def test_repairs():
    follow(VIP, LBS)
    run("ip", "route", "del", VIP, "table", "100")
    wait_for(lambda: mirrored(VIP) == LBS, "a route that somebody deleted")
    run("ip", "rule", "del", "to", "10.1.1.0/24", "lookup", "100")
    wait_for(lambda: [rule for rule in ip("rule") if rule.get("dst") == "10.1.1.0"], "a rule that somebody deleted")
    run("ip", "nexthop", "flush", "proto", PROTOCOL)
    wait_for(lambda: mirrored(VIP) == LBS, "next-hops that somebody flushed")
    run("ip", "link", "set", "nodes", "down")
    wait_for(lambda: mirrored(VIP) == ["throw"], "no mirror over a link without carrier")
    run("ip", "link", "set", "nodes", "up")
    wait_for(lambda: mirrored(VIP) == LBS, "the mirror back with the carrier")
    add_next_hop()
    print("  what others deleted is back, also after a link without carrier")


def test_odd_routes():
    """What cannot be mirrored stays with the main table, although a shorter prefix is mirrored."""
    follow("10.1.1.0/24", LBS[:2])
    check(mirrored("10.1.1.77/32") == ["throw"], "the administrator's blackhole is left to the main table")
    check(lookup("10.1.1.77", 1) == [None], "and black")
    run("ip", "route", "add", "10.1.1.78", "dev", "router")
    wait_for(lambda: mirrored("10.1.1.78/32") == ["throw"], "a route without gateway")
    follow("10.1.1.79", [LBS[0]])
    run("ip", "route", "replace", "10.1.1.80", "nexthop", "via", LBS[0], "dev", "router", "weight", "3", "nexthop",
        "via", LBS[1], "dev", "router")
    wait_for(lambda: mirrored("10.1.1.80/32") == LBS[:2], "weights")
    flows = share(lookup("10.1.1.80"))
    check(0.7 < flows[LBS[0]] / sum(flows.values()) < 0.8, f"three to one, not {flows}")
    run("ip", "route", "add", "10.1.1.81", "via", "inet6", LBS6[0], "dev", "router")
    wait_for(lambda: mirrored("10.1.1.81/32") is not None, "an IPv4 route over IPv6")
    check(ip("route", "get", "10.1.1.81")[0]["via"]["host"] == LBS6[0], "with the same gateway")
    many = [f"10.0.0.{n}" for n in range(1, 100)] + [f"10.0.0.{n}" for n in range(120, 220)]  # ip(8) cannot read more
    set_route("10.1.1.82", many)
    wait_for(lambda: mirrored("10.1.1.82/32") == sorted(many), f"{len(many)} next-hops")
    for last in ("0/24", "78", "79", "80", "81", "82"):
        run("ip", "route", "del", f"10.1.1.{last}")
    print(f"  blackholes, weights, an IPv6 gateway and {len(many)} next-hops: as in the main table")


def test_refused_next_hop():
    run("ip", "addr", "add", "10.0.3.1/24", "dev", "router")
    run("ip", "route", "add", "10.1.1.2", "nexthop", "via", "10.0.3.9", "dev", "router", "nexthop", "via", LBS[0],
        "dev", "router")
    run("ip", "route", "del", "10.0.3.0/24", "dev", "router")
    run("ip", "nexthop", "flush", "proto", PROTOCOL)
    wait_for(lambda: mirrored("10.1.1.2/32") == [LBS[0]], "the next-hop that the kernel accepts", timeout=15)
    wait_for(lambda: mirrored(VIP) == LBS, "the other routes", timeout=15)
    run("ip", "route", "add", "10.0.3.0/24", "dev", "router")  # of which the mirror is not told
    seconds = wait_for(lambda: mirrored("10.1.1.2/32") == [LBS[0], "10.0.3.9"], "what the kernel refused for a moment")
    run("ip", "route", "del", "10.1.1.2")
    run("ip", "route", "del", "10.0.3.0/24", "dev", "router")
    run("ip", "addr", "del", "10.0.3.1/24", "dev", "router")
    print("  a next-hop that the kernel refuses: the others of its route, and all other routes, are mirrored; it itself "
          f"{seconds:.1f} s after it would do")
    check(seconds < 2, "tried again soon")


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def noise(mirror):
    """What others do with next-hops of theirs costs little, and delays nothing."""
    with subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True) as others:
        def make(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                others.stdin.write("nexthop add id 9 via 10.0.0.1 dev router proto static\nnexthop del id 9\n")
                others.stdin.flush()
                time.sleep(0.02)

        make(1)
        before, began = cpu_seconds(mirror.process), time.monotonic()
        make(4)
        start = time.monotonic()
        share = (cpu_seconds(mirror.process) - before) / (start - began)
        set_route(VIP, LBS[:3])
        while mirrored(VIP) != LBS[:3] and time.monotonic() < start + 10:
            make(0.05)
        seconds = time.monotonic() - start
    print(f"  others change their next-hops all the time: it takes {100 * share:.0f} % of a core; a change of ours follows after "
          f"{1000 * seconds:.0f} ms")
    check(share < 0.1, "little of a core")
    check(seconds < 2, "no delay")


def test_crowd(mirror):
    count, limit = 3000, 2048
    crowd = [f"fd00:1:1::{0x1000 + n:x}" for n in range(count)]
    run("ip", "-batch", "-", input="".join(f"route add {to} via {LBS6[n % 4]} dev router\n" for n, to in enumerate(crowd)))
    set_route(VIP, LBS)

    def there():
        return [route for route in ip("-6", "route", "show", "table", "100") if route["dst"] != VIP6]
    seconds = wait_for(lambda: len(there()) == count, f"{count} routes", timeout=30, every=0.2)
    plain = [route for route in there() if route["type"] == "9"]
    check(count - limit <= len(plain) <= count - limit + 3, f"{len(plain)} of them plain")
    start = time.monotonic()
    follow(VIP, LBS[:2])
    print(f"  {count} prefixes at once: {count - len(plain)} mirrored and {len(plain)} left plain within "
          f"{seconds:.1f} s; a change then follows after {1000 * (time.monotonic() - start):.0f} ms")
    noise(mirror)
    run("ip", "-batch", "-", input="".join(f"route del {to}\n" for to in crowd))
    wait_for(lambda: not there(), "all gone", timeout=30, every=0.2)


def test(program):
    mirror = Mirror(program)
    make_network()
    before = foreign()
    plain, plain6 = plain_moves(VIP, LBS), plain_moves(VIP6, LBS6)
    mirror.start()
    try:
        test_family(VIP, LBS, plain)
        test_family(VIP6, LBS6, plain6)
        test_restarts(mirror)
        test_route_goes_and_returns(VIP, LBS)
        test_route_goes_and_returns(VIP6, LBS6)
        test_repairs()
        test_odd_routes()
        test_refused_next_hop()
        test_crowd(mirror)
        for vip in (VIP, VIP6):
            run("ip", "route", "del", vip)
        check(mirror.end(signal.SIGTERM) == 0 and not ours(), "SIGTERM leaves nothing of ours")
        after = foreign()
        check(after == before, f"and everything else as it was: {before} then, {after} now")
        print("  after SIGTERM: nothing of ours is left, and nothing else was touched")
    finally:
        mirror.process.kill()


if __name__ == "__main__":
    try:
        test(sys.argv[1])
    except (Failed, subprocess.SubprocessError) as error:
        sys.exit(f"FAILED: {error} {getattr(error, 'stderr', None) or ''}")
