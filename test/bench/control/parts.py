"""What exabgp, coracle-announcer and the reflector's gobgpd take for N service addresses: parts.py CORACLE ANNOUNCER FIGURES [VIPS…]

In the sandbox of test/bgp, with its stand-in for coracle's end of the socket: one LB pod announces N addresses, another one the
same (so that the reflector has what it is for), and a router is the reflector's client. All processes are new for each N.
FIGURES gets control_parts.csv.
"""
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/bgp")]
import sandbox  # noqa: E402
from reflector import AS, SITE  # noqa: E402
from world import fine_cpu_s, rss_mb, write  # noqa: E402

VIPS = (10, 100, 1000)
ROUNDS, CHANGES, GAP_S, IDLE_S = 2, 50, 0.2, 10
HEADER = ("part", "vips", "round", "rss_mb", "idle_ms_per_s", "cpu_ms_per_change")
POOLS = ["10.1.0.0/16"]
SECOND, ROUTER = "172.16.1.66", "10.0.0.110"
CORACLE = f"""pools: [{{name: public, prefixes: {json.dumps(POOLS)}}}]
bgp: {{localAS: {AS}, holdTime: 9, reflectors: [{{address: {sandbox.REFLECTOR}, as: {AS}}}]}}
"""
SECOND_POD = f"""neighbor {sandbox.REFLECTOR} {{
    router-id {SECOND}; local-address {SECOND}; local-as {AS}; peer-as {AS};
    static {{ %s }}
}}
"""
CLIENT = {"global": {"config": {"as": AS, "router-id": ROUTER, "local-address-list": [ROUTER]}},
          "neighbors": [{"config": {"neighbor-address": sandbox.REFLECTOR, "peer-as": AS},
                         "transport": {"config": {"local-address": ROUTER, "passive-mode": True}},
                         "afi-safis": [{"config": {"afi-safi-name": "ipv4-unicast"},
                                        "add-paths": {"config": {"receive": True}}}]}]}


ON_NODE = ("nsenter", f"--net={sandbox.NODE_NETNS}")


def client_has(vips):
    said = subprocess.run([*ON_NODE, "gobgp", "global", "rib", "summary"], capture_output=True, text=True, check=False).stdout
    return f"Destination: {vips}, Path: {2 * vips}" in said


def start(pod, vips):
    """Returns the routes, once the router has two paths to each."""
    routes = [f"10.1.{i // 200}.{i % 200 + 1}/32" for i in range(vips)]
    for name, text in (("site.yaml", json.dumps({**SITE, "reflectors": [{"address": sandbox.REFLECTOR}],
                                                 "pod_ranges": ["172.16.0.0/16"]})),
                       ("coracle.yaml", CORACLE), ("client.json", json.dumps(CLIENT)), ("coracle/pools", "\n".join(POOLS) + "\n")):
        pathlib.Path(f"/run/{name}").write_text(text)
    for command in (f"addr add {SECOND}/32 dev lo", f"route add {ROUTER}/32 dev eth0 src {sandbox.REFLECTOR}"):
        sandbox.run("ip", *command.split())
    for command in ("link set lo up", f"addr add {ROUTER}/32 dev lo", f"route add {sandbox.REFLECTOR}/32 dev cali-eth0"):
        sandbox.node("ip", *command.split())
    pod.start_reflector("/run/site.yaml")
    pod.start("client", [*ON_NODE, "gobgpd", "-t", "json", "-f", "/run/client.json", "--api-hosts", "127.0.0.1:50051"])
    pod.start_controller()
    pod.start_exabgp(sandbox.run(pod.coracle, "render", "--config", "/run/coracle.yaml", "--templates", f"{ROOT}/templates",
                                 "--output", "exabgp", "--pod-address", sandbox.POD, "--node-address", sandbox.NODE))
    pod.want(routes, pools=POOLS)
    pod.start_plain_exabgp("second", SECOND_POD % " ".join(f"route {route} next-hop 10.0.0.107;" for route in routes))
    sandbox.wait_for(lambda: client_has(vips), f"the router has both pods' {vips} routes", 120, every=0.5)
    return routes


def measure(pod, vips, turn):
    routes = start(pod, vips)
    pids = {"exabgp": pod.exabgp.pid, "coracle-announcer": pod.announcer_pid(), "gobgpd": pod.reflector.pid}

    def spent():
        return {part: fine_cpu_s(pid) for part, pid in pids.items()}

    time.sleep(5)
    at_first = spent()
    time.sleep(IDLE_S)
    at_rest = spent()
    for i in range(CHANGES):
        pod.want(routes[:-1] if i % 2 == 0 else routes, pools=POOLS)
        time.sleep(GAP_S)
    at_last = spent()
    for part, pid in pids.items():
        idle = (at_rest[part] - at_first[part]) / IDLE_S
        change = (at_last[part] - at_rest[part] - idle * CHANGES * GAP_S) / CHANGES
        yield part, vips, turn, f"{rss_mb(pid):.1f}", f"{idle * 1000:.2f}", f"{max(change, 0) * 1000:.2f}"


def inside(coracle, announcer, vips, turn):
    with sandbox.Sandbox(coracle, announcer) as pod:
        for row in measure(pod, int(vips), turn):
            print(*row, sep=",", flush=True)


def main():
    if sys.argv[1] == "--inside":
        inside(*sys.argv[2:])
        return
    coracle, announcer, figures, *vips = sys.argv[1:]
    rows = []
    for count in vips or VIPS:
        for turn in range(ROUNDS):
            said = subprocess.run(["unshare", "--map-root-user", "--net", "--mount", sys.executable, "-B", __file__, "--inside",
                                   coracle, announcer, str(count), str(turn)], stdout=subprocess.PIPE, text=True, check=False)
            if said.returncode != 0:
                sys.exit(said.stdout)
            rows += [line.split(",") for line in said.stdout.splitlines()]
            write(figures, "control_parts", HEADER, rows)
            print(said.stdout, end="", flush=True)


main()
