"""Where flows go, asked of the kernel: one route lookup per flow, as its hash over addresses and ports decides."""
import collections
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from waiting import Failed, run

FLOWS = 4000


def check(condition, what):
    if not condition:
        raise Failed(what)


def ip(*words):
    """`ip -j …` as what it prints; [] for nothing."""
    return json.loads(run("ip", "-j", "-N", "-d", *words) or "[]")


def lookup(vip, flows=FLOWS):
    """The gateway of each flow; None where there is no route. The lookups keep a resilient group's buckets busy."""
    lines = "".join(f"route get {vip} ipproto tcp sport {20000 + flow} dport 80\n" for flow in range(flows))
    done = subprocess.run(["ip", "-o", "-force", "-batch", "-"], input=lines, capture_output=True, text=True,
                          check=False)
    found = [match and match.group(1) for match in (re.search(r" via (\S+)", line)
                                                   for line in done.stdout.splitlines())]
    return found if len(found) == flows else [None] * flows


def share(flows):
    """gateway → how many flows it has."""
    return collections.Counter(flows)


def moved(before, after, lost=()):
    """Of the flows that were not over lost gateways, the part (%) that is elsewhere now."""
    survivors = [(a, b) for a, b in zip(before, after) if a not in lost]
    return 100 * sum(a != b for a, b in survivors) / len(survivors)
