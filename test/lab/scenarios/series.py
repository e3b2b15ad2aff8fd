"""Random changes of the set of LB pods, one to four of them: how long the way to a pod takes to follow.

The *way* to a pod: the router's FIB has the pod's node as next-hop, and the node's FIB has the pod as gateway, with the
full weight (a pod that drains keeps its flows by a small one). It is what rtnetlink says on those machines
(recorder.py). lb4 is on lb1's node: while the other one serves, its coming and going is the node's FIB's business only,
and what a killed one leaves there is removed by its neighbour. Those changes are told apart. A change is one of
    start       a new pod: network, init container, containers
    stop        graceful: SIGTERM to coracle, then to exabgp, and the pod's end when both have ended
    pod         SIGKILL of all that runs in it, and its network is gone
    coracle, exabgp         SIGKILL of the container's first process, and so of all that it has started
    keepalived, its parent, its checker     SIGKILL of both processes, or of one
    announcer   SIGKILL; exabgp starts it again, and the way has to stay
What has been killed in a pod that lives is started again RESTART_S later, as the kubelet does, and that is measured as
a start is.

Down: from the signal until the way is gone; for `pod` from before the first of the signals.
Up: from ready until the way is there. Ready is when the pod's kernel has a real server for the VIP (a table from before
a kill does not count: it must have been seen empty since) and a TCP connection to the reflector is established; BGP's
own opening thus counts as ours. Where only keepalived was killed the VIP has been withdrawn by a coracle that lives,
and it must have been good for HOLD_S before it is announced again: ready is then that much later, on purpose.

Untrue is a way to a pod that cannot serve: without a real server in its kernel, or without its network, or whose
coracle or keepalived was killed and has not built the table anew; also a next-hop on whose node no way leads on. Every
record of a FIB or a table is judged, as often as there is one; rounds of sampling come every 20 ms.

Time that the guest has lost meanwhile (lost.py) does not count.
"""
import os
import random
import signal
import time

import fig6
import figures
import lost
from load import RESET, Load
from recorder import Recorder

LIMIT_S, LONG_LIMIT_S = 600, 4800
SHORT, LONG = 36, 300
PODS = ("lb1", "lb2", "lb3", "lb4")
POOL = "10.1.1.0/24"
AT_ONCE = 2                    # pods that change at a time; at least one other serves, and has done so for SETTLED_S:
SETTLED_S = 1.0                # the way to a pod is there before its own route is, if a neighbour's leads to their node
RESTART_S = 1.0
ANNOUNCER_S = 1.5              # exabgp starts another one, which connects to coracle
HOLD_S = 1.0                   # ROUTES_HOLD_MS
P99_S, MAX_S = 1.0, 3.0        # of the router; MAX_S also for what is untrue after any death but a silent one
NODE_MAX_S = 3.0               # for a neighbour: NODE_PODS_GRACE_MS, and its look at the routes every 250 ms
CUT_SHARE = 0.01               # of the requests, or one per change: flows that a change moves to another pod
PATIENCE_S = {"down": 15, "up": 120, "end": 60}  # the rest of the start is not ours to judge, and takes long on a busy host
GRACEFUL = ("start", "stop")
KILLS = ("pod", "coracle", "exabgp", "keepalived", "keepalived's parent", "keepalived's checker",
         "announcer")


class Life:
    """One place of the fleet, and the pod in it, if there is one."""

    def __init__(self, name, series):
        self.pod, self.series = fig6.lb_pod(name), series
        self.name, self.node = name, self.pod.node
        self.kind = None           # of the change that is under way
        self.left_by = None        # the kind of that which any way to it dates from: a new pod may find a dead one's
        self.waits = None          # for "down", "up" or "end", since when
        self.since = self.signalled = 0.0
        self.mark = lost.now()     # when it was signalled
        self.restart_at = None
        self.exists = self.pod.exists()
        self.broken = False        # killed, and not yet seen empty: its table counts for nothing
        self.session_old = False   # likewise its session
        self.ready_since = None
        self.served_since = 0.0
        self.exabgp_asked = False  # to end

    # -- what is so, by the last record

    def has_way(self):
        fibs = self.series.fibs
        shares = fibs[self.node]
        return self.pod.node_address in fibs["router"] and shares.get(self.pod.address) == max(shares.values(), default=0)

    def where(self):
        """Whose FIB has to follow: the router's, unless a neighbour serves on the same node."""
        others = (life for life in self.series.lives.values() if life is not self and life.node == self.node)
        return "node" if any(life.can_serve() and life.has_way() for life in others) else "router"

    def has_server(self):
        return any((self.series.tables[self.name] or {}).values())

    def can_serve(self):
        return self.exists and not self.broken and self.has_server()

    # -- what is done to it

    def begin(self, kind):
        self.kind, self.signalled, self.mark = kind, time.monotonic(), lost.now()
        if kind != "start" or self.pod.address not in self.series.fibs[self.node]:
            self.left_by = kind
        self.waits, self.since = ("up" if kind == "start" else "down"), self.signalled
        self.ready_since = None
        self.exabgp_asked = False
        if kind == "start":
            fig6.start_lb(fig6.connect_lb(self.name))
            self.exists = True
            return
        if kind in ("pod", "coracle") or kind.startswith("keepalived"):
            self.broken = True
            self.series.judge(self.signalled)
        if kind in ("pod", "exabgp"):
            self.session_old = True
        getattr(self, f"_{kind.partition(chr(39))[0]}")(kind)

    def _stop(self, _):
        os.kill(self.pod.pid("ipvs"), signal.SIGTERM)

    def _pod(self, _):
        fig6.kill_pod(self.pod)
        self.exists = False

    def _coracle(self, _):
        os.kill(self.pod.pid("ipvs"), signal.SIGKILL)
        self.restart_at = self.signalled + RESTART_S

    def _exabgp(self, _):
        os.kill(self.pod.pid("exabgp"), signal.SIGKILL)
        self.restart_at = self.signalled + RESTART_S

    def _keepalived(self, kind):
        pids = sorted(self.pod.processes("keepalived"))
        if kind == "keepalived":
            os.killpg(os.getpgid(pids[0]), signal.SIGKILL)
        else:
            os.kill(pids[0 if kind.endswith("parent") else -1], signal.SIGKILL)

    def _announcer(self, _):
        for pid in self.pod.processes("coracle-announc"):
            os.kill(pid, signal.SIGKILL)
        self.waits = "end"

    # -- what comes of it

    def see(self, moment):
        """After a record: `moment` is its time."""
        if self.broken and not self.has_server():
            self.broken = False
        if self.session_old and not self.series.sessions[self.name]:
            self.session_old = False
        ready = self.can_serve() and self.series.sessions[self.name] and not self.session_old
        self.ready_since = (self.ready_since or moment) if ready else None
        if self.waits == "down" and not self.has_way():
            self.series.measure(self, "down", moment - self.signalled)
            self._wait("end" if self.kind in ("stop", "pod") else "up", moment)
        elif self.waits == "up" and ready and self.has_way():
            hold = HOLD_S if self.kind.startswith("keepalived") else 0
            self.series.measure(self, "up", max(moment - self.ready_since - hold, 0.0))
            self.served_since = moment
            self._wait(None, moment)

    def _wait(self, what, moment):
        self.waits, self.since = what, moment

    def step(self, now):
        """What time brings: the kubelet's work."""
        if self.restart_at and now >= self.restart_at:
            self.restart_at = None
            fig6.start_containers(self.pod)
        if self.waits == "end" and self._has_ended(now):
            self._wait(None, now)
        if self.waits and now - self.since > PATIENCE_S[self.waits]:
            raise AssertionError(f"{self.name}, {self.kind}: still waits for {self.waits}; {self.series.describe()}")

    def _has_ended(self, now):
        if self.kind == "announcer":
            # the new one has to have heard coracle: both dying within that time takes the 2 s of silence, and is no single fault
            return now - self.since > ANNOUNCER_S and bool(self.pod.processes("coracle-announc"))
        if self.kind == "stop":
            # exabgp's preStop waits for coracle's end; then exabgp is asked to end as well
            if self.pod.pid("ipvs"):
                return False
            if self.pod.pid("exabgp"):
                if not self.exabgp_asked:
                    os.kill(self.pod.pid("exabgp"), signal.SIGTERM)
                self.exabgp_asked = True
                return False
            fig6.kill_pod(self.pod)
            self.exists = False
        return True


class Series:
    def __init__(self, lab, recorder, seed):
        self.lab, self.recorder = lab, recorder
        self.random = random.Random(seed)
        self.fibs, self.tables, self.sessions = {}, {}, {}
        self.measured = []     # (number, start, pods, pod, kind, direction, where, seconds)
        self.fib_changes = []  # (time, machine, gateways)
        self.untrue = {}       # culprit → since when, what the guest had lost then, where, kind
        self.untruths = []     # (seconds, start, culprit, where, kind)
        self.too_late = []     # what took longer than it may
        self.late = 0          # changes of the router's FIB that took longer than 99 % of them may
        self.crashes = []      # (start, end): from a kill until its way is gone, and whenever there is one that it has left
        self.changes, self.deck = 0, []
        self.lives = {}

    def take_records(self):
        for moment, what, who, value in self.recorder.read():
            self.take(moment, what, who, value)

    def take(self, moment, what, who, value):
        if what == "fib":
            self.fibs[who] = value
            self.fib_changes.append((moment, who, " ".join(f"{gateway}*{weight}" for gateway, weight in value.items())))
        elif what == "table":
            self.tables[who] = value
        elif what == "session":
            self.sessions[who] = value
        else:
            return
        if self.lives:
            for life in self.lives.values():
                life.see(moment)
            self.judge(moment)

    def judge(self, moment):
        by_address = {life.pod.address: life for life in self.lives.values()}
        bad = {}
        for node in {life.node for life in self.lives.values()}:
            if fig6.NODES[int(node.removeprefix("node"))] not in self.fibs["router"]:
                continue
            if not self.fibs[node]:
                bad[node] = ("router", "no way on")
            for address in self.fibs[node]:
                life = by_address[address]
                if not life.can_serve():
                    bad[address] = (life.where(), life.left_by)
        for culprit in set(self.untrue) - set(bad):
            since, mark, where, kind = self.untrue.pop(culprit)
            self.untruths.append((moment - since, since, culprit, where, kind))
            if kind in KILLS:  # the way may have come back with a neighbour's route, which a node takes a moment to follow
                self.crashes.append((since, moment))
            self.limit(where, moment - since, mark, f"untrue: {culprit}, {kind}")
        for culprit, what in bad.items():
            self.untrue.setdefault(culprit, (moment, lost.now(), *what))

    def limit(self, where, seconds, mark, what):
        slack = lost.since(mark)
        if seconds > (MAX_S if where == "router" else NODE_MAX_S) + slack:
            self.too_late.append(f"{what}, {where}: {seconds:.2f} s, of which the guest lost {slack:.2f} s")

    def measure(self, life, direction, seconds):
        pods, where = sum(each.can_serve() for each in self.lives.values()), life.where()
        self.measured.append((life.number, life.signalled, pods, life.name, life.kind, direction, where, seconds))
        self.limit(where, seconds, life.mark, f"{direction}: {life.name}, {life.kind}")
        self.late += where == "router" and seconds > P99_S + lost.since(life.mark)
        if direction == "down" and life.kind != "stop":
            self.crashes.append((life.signalled, life.signalled + seconds))

    def change(self):
        """Begins one more change, if there is a pod for it."""
        lives = list(self.lives.values())
        idle = [life for life in lives if not life.waits]
        serving = [life for life in idle if life.exists]
        if len(lives) - len(idle) >= AT_ONCE:
            return
        settled = [life for life in serving if time.monotonic() - life.served_since > SETTLED_S]
        choice = [life for life in idle if not life.exists or set(settled) - {life}]
        if not choice:
            return
        life = self.random.choice(choice)
        kind = self.draw() if life.exists else "start"
        self.changes += 1
        life.number = self.changes
        life.begin(kind)

    def draw(self):
        """Every kind in its turn, so that a short series has them all."""
        if not self.deck:
            self.deck = [*KILLS, "stop", "stop", "stop"]
            self.random.shuffle(self.deck)
        return self.deck.pop()

    def run(self, count):
        began = told = time.monotonic()
        next_at = 0.0
        while self.changes < count or any(life.waits for life in self.lives.values()):
            self.take_records()
            now = time.monotonic()
            for life in self.lives.values():
                life.step(now)
            if self.changes < count and now >= next_at:
                before = self.changes
                self.change()
                if self.changes > before:
                    next_at = time.monotonic() + self.random.uniform(0.2, 1.5)
            if now - told > 60:
                told = now
                left = (now - began) / self.changes * (count - self.changes)
                print(f"   {self.changes} of {count} changes after {now - began:.0f} s, about {left:.0f} s more")
            time.sleep(0.02)
        return time.monotonic() - began

    def describe(self):
        return (f"FIBs {self.fibs}, tables {self.tables}, sessions {self.sessions}, "
                f"waiting {[(life.name, life.kind, life.waits) for life in self.lives.values() if life.waits]}")

    def restore(self):
        """The lab's own pods as they are if they serve; the others, and what has not ended, go."""
        for life in self.lives.values():
            if life.pod.exists() and (life.waits or life.name not in self.lab.lbs):
                fig6.kill_pod(life.pod)


def in_crash(series, start, end):
    return any(start <= gone + 0.1 and end >= kill for kill, gone in series.crashes)


def run(lab):
    played = [play(lab, LONG if lab.long else SHORT, "series")]
    if lab.long:  # a second time, for what one run is worth
        lab.settle()
        played.append(play(lab, LONG, "series-again"))
    return "; again: ".join(judged(*each) for each in played)


def play(lab, count, name):
    """Returns what is to be judged. `name`: of the files of figures; with another one the same seed makes other changes."""
    seed = lab.seed or str(random.randrange(10**6))
    print(f"   {count} changes, CORACLE_TEST_SEED={seed}; about {count * 4} s")
    fibs = {"router": f"{fig6.VIP}/32", **{f"node{n}": POOL for n in fig6.NODES}}
    with Recorder(fibs, PODS, f"{fig6.VIP}:80") as recorder:
        series = Series(lab, recorder, f"{seed} {name}")
        for record in recorder.records:
            series.take(*record)
        series.lives = {name: Life(name, series) for name in PODS}
        load = Load(fig6.VIP, rate=10, timeout_ms=2000)
        try:
            took = series.run(count)
        finally:
            load.stop()
            series.restore()
            figures.write(name, ("change", "time", "pods", "pod", "kind", "direction", "where", "seconds"), series.measured)
            figures.write(f"{name}-fib", ("time", "machine", "gateways"), series.fib_changes)
            figures.write(f"{name}-untrue", ("seconds", "time", "culprit", "where", "kind"), series.untruths)
            figures.write(f"{name}-failures", ("start", "end", "reason"), load.failures)
        rounds = next(record[3] for record in reversed(recorder.records) if record[1] == "rounds")
    return series, load, seed, took, rounds


def judged(series, load, seed, took, rounds):
    kinds = {}
    for *_, kind, direction, where, seconds in series.measured:
        kinds.setdefault((where, direction, kind), []).append(seconds)
    for (where, direction, kind), seconds in sorted(kinds.items()):
        print(f"   {where:6} {direction:4} {kind:20} {figures.summary(seconds)}")
    router = [seconds for *_, where, seconds in series.measured if where == "router"]
    node = [seconds for *_, where, seconds in series.measured if where == "node"]
    # a connection that was open may be moved to another pod by any change of the set, which resets it
    refused = [each for each in load.failures if each[2] not in (RESET, "no answer in time")]
    cut, requests = load.failed - len(refused), load.succeeded + load.failed
    graceful = [each for each in refused if not in_crash(series, each[0], each[1])]
    longest = {where: max((each[0] for each in series.untruths if each[3] == where), default=0.0)
               for where in ("router", "node")}
    said = (f"{series.changes} changes in {took:.0f} s (seed {seed}). Router's FIB: {figures.summary(router)}. Node's FIB, "
            f"where a neighbour serves: {figures.summary(node)}. {rounds[0]} rounds of samples, longest pause "
            f"{rounds[1]:.2f} s: untrue {len(series.untruths)} times, the longest {longest['router']:.2f} s in the router's "
            f"FIB, {longest['node']:.2f} s in a node's. Of {requests} requests {len(refused)} connections "
            f"failed, {len(graceful)} of them in graceful changes; {cut} were cut, "
            f"{len(load.slow)} slow")
    assert not series.untrue, f"untrue at the end: {series.untrue}; {said}"
    assert router and requests, f"nothing was measured: {said}"
    assert not series.too_late, f"too slow: {series.too_late}; {said}"
    assert series.late <= max(1, len(router) // 100), f"{series.late} changes took more than {P99_S} s: {said}"
    assert not graceful, f"connections failed in graceful changes: {graceful[:5]}; {said}"
    assert cut <= max(series.changes, CUT_SHARE * requests), f"too many flows were cut: {said}"
    return said
