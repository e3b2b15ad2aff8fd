"""What gobgpd says of its sessions and routes, and a pod that speaks BGP without being an LB pod."""
import collections
import json
import os
import subprocess

import fig6
from machine import LAB, LOGS, Machine

ESTABLISHED = 6
REFLECTOR = "components-reflector-daemonset"
Session = collections.namedtuple("Session", "since received")


def sessions(machine):
    """{address of a neighbor: its session} of those that are up: none while gobgpd itself is not."""
    found = {}
    socket = f"{machine.home}/volumes/{REFLECTOR}/coracle/api.sock"  # of deploy/components/reflector
    where = ["--target", f"unix://{socket}"] if os.path.exists(socket) else []
    try:
        said = machine.output("gobgp", *where, "neighbor", "-j")
    except subprocess.CalledProcessError:
        return found
    for peer in json.loads(said or "[]"):
        if peer["state"].get("session_state") == ESTABLISHED:
            received = sum(family["state"].get("received", 0) for family in peer["afi_safis"])
            found[peer["state"]["neighbor_address"]] = Session(peer["timers"]["state"]["uptime"]["seconds"], received)
    return found


def all_up(reflectors=tuple(fig6.REFLECTORS)):
    """Whether those reflectors have their session with the router and with every LB pod."""
    wanted = {fig6.ROUTER, *(fig6.lb_pod(name).address for name in fig6.LBS)}
    return all(wanted <= set(sessions(Machine(name))) for name in reflectors)


def paths(machine="router"):
    """{prefix: its paths}, of both families, as the machine's BGP daemon has them in JSON."""
    frr = machine == "router" and fig6.ROUTER_RUNS == "frr"
    found = {}
    for family in ("ipv4", "ipv6"):
        said = json.loads(Machine(machine).output(*(["vtysh", "-c", f"show bgp {family} unicast json"] if frr else
                                                    ["gobgp", "global", "rib", "-a", family, "-j"])) or "{}")
        found.update(said.get("routes", {}) if frr else said)
    return found


def rib(machine="router"):
    """{prefix: how many paths there are to it}."""
    return {prefix: len(known) for prefix, known in paths(machine).items()}


def stale(machine="router"):
    """The prefixes with a path that a dead neighbor has left behind."""
    return [prefix for prefix, known in paths(machine).items() if any(path.get("stale") for path in known)]


def preferences():
    """The local preferences of the paths that the router has."""
    if fig6.ROUTER_RUNS == "frr":
        return {path["locPrf"] for known in paths().values() for path in known}
    return {attribute["value"] for known in paths().values() for path in known for attribute in path["attrs"]
            if attribute["type"] == 5}


def log(machine, daemon="gobgpd"):
    with open(f"{LOGS}/{machine.name}-{daemon}.log", encoding="utf-8", errors="replace") as file:
        return file.read()


def speak(pod, daemon, routes, password=True):
    """Starts an exabgp that announces `routes` ("PREFIX next-hop ADDRESS") to every reflector."""
    with open(f"{LAB}/tree/test/lab/bgp-password", encoding="ascii") as file:
        md5 = f'md5-password "{file.readline().rstrip()}";' if password else ""
    static = " ".join(f"route {route};" for route in routes)
    config = "".join(f"""neighbor {reflector} {{
    router-id {pod.address}; local-address {pod.address}; local-as 65021; peer-as 65021; hold-time 9; {md5}
    family {{ ipv4 unicast; ipv6 unicast; }}
    static {{ {static} }}
}}
""" for reflector in fig6.REFLECTORS.values())
    pod.start(daemon, ["exabgp", pod.write(f"{daemon}.conf", config)], env=fig6.EXABGP_ENVIRONMENT)
