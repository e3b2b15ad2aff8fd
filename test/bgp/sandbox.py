"""A pod, its node and a reflector on this machine: namespaces, daemons, and what is seen of them.

Runs inside `unshare --map-root-user --net --mount`. This namespace is the pod's (and the reflector's: 10.0.0.109 is
on its loopback); the node is another one, on the far end of a veth pair. /run is a tmpfs of ours.
"""
import json
import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
from waiting import Failed, run, wait_for

POD, NODE, REFLECTOR = "172.16.1.2", "10.0.0.106", "10.0.0.109"
POD6, NODE6 = "fd00:16:1::2", "fd00:10::106"
NODE_NETNS = "/run/coracle-netns/node"
# Written by root, as pod-setup does it
ALLOWED_POOLS = ("10.1.1.0/24", "10.1.2.0/23", "10.2.2.0/24", "10.3.3.0/24", "10.9.9.0/24", "fd00:1:1::/112")


def node(*command, **options):
    return run("nsenter", f"--net={NODE_NETNS}", *command, **options)


class Sandbox:
    """Owns every process it starts; leaving the `with` block ends them."""

    def __init__(self, coracle, announcer):
        self.coracle, self.announcer = coracle, announcer
        self.processes = []
        self.exabgp = self.controller = self.reflector = None

    def __enter__(self):
        missing = [name for name in ("exabgp", "gobgpd", "gobgp", "ip", "nsenter") if not shutil.which(name)]
        if missing:
            print("skipped: not installed:", *missing)
            sys.exit(77)
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        for directory in (os.path.dirname(NODE_NETNS), "/run/coracle", "/run/log"):
            os.mkdir(directory)
        with open("/run/coracle/pools", "w", encoding="ascii") as file:
            file.write("\n".join(ALLOWED_POOLS) + "\n")
        self.make_network()
        return self

    def __exit__(self, *exception):
        for process in self.processes:
            process.kill()
            process.wait()
        if exception[0]:
            for name in sorted(os.listdir("/run/log")):
                with open(f"/run/log/{name}", encoding="utf-8", errors="replace") as file:
                    print(f"---- {name}", *file.readlines()[-25:], sep="\n", flush=True)

    def make_network(self):
        holder = self.start("node", ["unshare", "--net", "sleep", "600"])
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own, "the node's namespace")
        with open(NODE_NETNS, "x", encoding="ascii"):
            pass
        run("mount", "--bind", f"/proc/{holder.pid}/ns/net", NODE_NETNS)
        run("ip", "link", "set", "lo", "up")
        run("ip", "addr", "add", f"{REFLECTOR}/32", "dev", "lo")
        self.add_pod_link("eth0", POD, POD6)

    def add_pod_link(self, name, address, address6):
        """A pod's interface here, the node's end there; the node reaches the pod on that link."""
        run("ip", "link", "add", name, "type", "veth", "peer", "name", f"cali-{name}", "netns", NODE_NETNS)
        run("ip", "link", "set", name, "up")
        run("ip", "addr", "add", f"{address}/32", "dev", name)
        run("ip", "addr", "add", f"{address6}/128", "dev", name, "nodad")
        node("ip", "link", "set", f"cali-{name}", "up")
        node("ip", "route", "add", f"{address}/32", "dev", f"cali-{name}", "scope", "link")
        node("ip", "route", "add", f"{address6}/128", "dev", f"cali-{name}")

    def start(self, name, command, **options):
        with open(f"/run/log/{name}", "a", encoding="utf-8") as log:
            options.setdefault("stdout", log)
            process = subprocess.Popen(command, stderr=log, **options)
        self.processes.append(process)
        return process

    # ---- the reflector

    def render(self, values, template, *settings):
        return run(self.coracle, "render", "--values", values, f"{TOP}/templates/{template}", *settings)

    def start_reflector(self, values):
        with open("/run/gobgpd.yml", "w", encoding="utf-8") as file:
            file.write(self.render(values, "gobgpd-reflector.yml", f"reflector.address={REFLECTOR}"))
        self.reflector = self.start("gobgpd", ["gobgpd", "-t", "yaml", "-f", "/run/gobgpd.yml",
                                               "--api-hosts", "127.0.0.1:50051"])
        wait_for(lambda: subprocess.run(["gobgp", "neighbor"], capture_output=True, check=False).returncode == 0,
                 "gobgpd answers")

    def rib(self):
        """prefix → its path's attributes, in the reflector."""
        paths = {}
        for family in ("ipv4", "ipv6"):
            table = json.loads(run("gobgp", "global", "rib", "-a", family, "-j") or "{}")
            paths.update({prefix: {a["type"]: a for a in found[0]["attrs"]} for prefix, found in table.items()})
        return paths

    def wait_rib(self, prefixes, timeout=10.0):
        return wait_for(lambda: set(self.rib()) == set(prefixes), f"RIB of {sorted(prefixes)[:5]}, is "
                        f"{sorted(self.rib())[:5]}", timeout)

    # ---- the pod

    def start_exabgp(self, config):
        self.exabgp = self.start_plain_exabgp("exabgp", config)

    def start_plain_exabgp(self, name, config):
        with open(f"/run/{name}.conf", "w", encoding="utf-8") as file:
            file.write(config)
        environment = dict(os.environ, PATH=f"{os.path.dirname(self.announcer)}:{os.environ['PATH']}",
                           **{"exabgp.api.cli": "false", "exabgp.daemon.user": "root",
                              "exabgp.log.destination": "stdout"})
        return self.start(name, ["exabgp", f"/run/{name}.conf"], env=environment)

    @staticmethod
    def lives(pid):
        """A process that has ended stays a zombie until whoever adopted it looks."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def announcer_pid(self):
        """The announcer that this exabgp runs, or None."""
        try:
            with open(f"/proc/{self.exabgp.pid}/task/{self.exabgp.pid}/children", encoding="ascii") as file:
                return int((file.read().split() or [0])[0]) or None
        except FileNotFoundError:
            return None

    def start_controller(self):
        """coracle's side of the socket."""
        self.controller = self.start("controller", [sys.executable, f"{HERE}/controller.py"], stdin=subprocess.PIPE,
                                     text=True)

    def want(self, routes, graceful_shutdown=False, pools=("10.1.1.0/24", "fd00:1:1::/112")):
        message = {"routes": list(routes), "pools": list(pools), "graceful_shutdown": graceful_shutdown}
        self.controller.stdin.write(json.dumps(message) + "\n")
        self.controller.stdin.flush()

    def report(self):
        """The announcer's last report, or None."""
        try:
            with open("/run/coracle/report", encoding="ascii") as file:
                return json.load(file)
        except (FileNotFoundError, ValueError):
            return None

    def log(self, name):
        with open(f"/run/log/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self, process, signum=signal.SIGKILL):
        process.send_signal(signum)
        process.wait(10)


def main(test, kind=Sandbox):
    """Runs test(sandbox); prints why it failed and what the daemons said."""
    try:
        with kind(*sys.argv[1:3]) as sandbox:
            test(sandbox)
    except (Failed, subprocess.SubprocessError) as error:
        print("FAILED:", error, getattr(error, "stderr", None) or "")
        sys.exit(1)
