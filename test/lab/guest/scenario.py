"""What a scenario has to work with. A scenario is a file of test/lab/scenarios with

    LIMIT_S = 30                # optional: its time limit
    LONG_LIMIT_S = 3600         # optional: that of `test/run --long`
    IMAGES_ONLY = True          # optional: it makes sense only if the pods run from the images
    WITHOUT_IMAGES = "why"      # optional: it cannot run if they do
    def run(lab): ...           # returns the figures to print; raises when something is not as it must be
"""
import importlib.util
import os
import signal
import sys
import time
import traceback

import bgp
import containers
import fig6
import lost
import observe
from cluster import DRAINING, OBJECTS
from load import Load
from machine import LAB, Machine

SCENARIOS = f"{LAB}/tree/test/lab/scenarios"
VIP_ROUTE = f"{fig6.VIP}/32"


class Lab:
    """The lab in its normal state: lb1 and lb2 announce the VIP of the Service "web", served by web1 to web3."""

    def __init__(self, long=False, seed=None):
        self.long = long  # test/run --long: there is time
        self.seed = seed  # what CORACLE_TEST_SEED says, or None
        self.lbs = {name: fig6.lb_pod(name) for name in fig6.LBS}
        self.webs = {name: fig6.web_pod(name) for name in fig6.WEBS}
        self.service = fig6.web_service()

    def wait(self, condition, seconds, what):
        """Polls until condition() holds and returns how long that took; asserts that it does in time. Time that the guest
        has lost meanwhile does not count."""
        began, mark = time.monotonic(), lost.now()
        while not condition():
            if time.monotonic() - began > seconds + lost.since(mark):
                raise AssertionError(f"not within {seconds} s: {what}; {self.describe()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def settle(self, seconds=30):
        """Brings everything back to the normal state, whatever a scenario has left."""
        for file in os.listdir(OBJECTS):
            if file not in ("service-web.json", "endpointslice-web.json"):
                os.unlink(f"{OBJECTS}/{file}")
        web4 = fig6.web_pod("web4")
        if web4.exists():
            fig6.stop_web(web4)
        dead = [reflector for reflector in map(Machine, fig6.REFLECTORS) if not reflector.pid("gobgpd")]
        for reflector in dead:
            fig6.start_reflector(reflector)
        self.configure()
        for pod in self.lbs.values():
            if pod.exists():
                pod.link(up=True)
                fig6.start_containers(pod)
            else:
                self.new_lb(pod.name)
        for pod in self.webs.values():
            if not pod.pid("nginx"):
                fig6.start_nginx(pod)
        self.service.publish()
        self.wait(self.is_settled, seconds, "the lab is in its normal state")
        if dead:  # until then the router keeps what it had from them, and no pod can take anything back
            self.wait(bgp.all_up, seconds, "the reflectors have their sessions again")

    def configure(self, **bgp):
        """Other values of coracle.yaml's bgp; exabgp is started with them. Without any, those of test/lab/coracle.yaml."""
        if not fig6.configure(**bgp):
            return
        for pod in self.lbs.values():
            if pod.exists():
                fig6.reconfigure(pod)
        self.wait(lambda: not self.next_hops(), 5, "the sessions with the old configuration have ended")

    def new_lb(self, name):
        """A pod in the place of one that was killed."""
        self.lbs[name] = fig6.connect_lb(name)
        fig6.start_lb(self.lbs[name])

    def is_settled(self):
        return (self.next_hops() == self.expected_next_hops()
                and all(self.table(lb) == self.expected_table() for lb in self.lbs))

    def next_hops(self, prefix=VIP_ROUTE):
        """Where the router's kernel sends packets for the VIP: [] when there is no route."""
        return observe.routes("router").get(prefix, [])

    def router_route(self):
        """The lines of `ip route` for the VIP."""
        return Machine("router").output("ip", "route", "show", VIP_ROUTE).rstrip().splitlines()

    def expected_next_hops(self):
        return sorted({pod.node_address for pod in self.lbs.values()})

    def table(self, lb, virtual_server=f"{fig6.VIP}:80"):
        """{real server: weight} in the kernel of an LB pod, None without the virtual server."""
        return observe.ipvs(lb).get(virtual_server)

    def expected_table(self):
        return {f"{address}:80": 0 if conditions is DRAINING else 1
                for address, conditions in self.service.endpoints.values()}

    def tables_follow(self, seconds=3):
        """Waits until the table of every LB pod says what the Service says; returns the time it took."""
        return self.wait(lambda: all(self.table(lb) == self.expected_table() for lb in self.lbs), seconds,
                         f"IPVS tables follow the Service: {self.expected_table()}")

    def requests(self, count=400, **options):
        """Sends `count` requests; returns the load's result and how many each LB pod scheduled."""
        before = {lb: observe.ipvs_connections(lb) for lb in self.lbs}
        load = Load(fig6.VIP, requests=count, **options).finish()
        return load, {lb: observe.ipvs_connections(lb) - before[lb] for lb in self.lbs}

    def stream(self, rate=40.0, **options):
        """A steady stream of requests, until its stop()."""
        load = Load(fig6.VIP, rate=rate, **options)
        time.sleep(0.5)  # until it flows
        return load

    def describe(self):
        return f"router: {self.next_hops()}, " + ", ".join(
            f"{pod.name}: {self.table(pod.name) if pod.exists() else 'gone'}" for pod in self.lbs.values())


SETTLE_LIMIT_S = 150  # longer than all that settle() itself waits for


class TimeLimit(Exception):
    pass


def on_alarm(*_):
    raise TimeLimit


def told_of_lost(mark):
    paused, stolen = (after - before for before, after in zip(mark, lost.now()))
    return f", the guest paused {paused:.1f} s, at most {lost.longest():.1f} s, stolen {stolen:.1f} s"


def run(names, long, seed):
    """Runs scenarios one after the other; the number of failed ones is the status. The seed is text, or None."""
    signal.signal(signal.SIGALRM, on_alarm)
    sys.path.append(SCENARIOS)  # of one another's parts
    failed = 0
    for name in names:
        spec = importlib.util.spec_from_file_location(name, f"{SCENARIOS}/{name}.py")
        module = importlib.util.module_from_spec(spec)
        began, mark = time.monotonic(), lost.now()
        lost.forget()
        try:
            spec.loader.exec_module(module)
            if getattr(module, "IMAGES_ONLY", False) and not containers.available():
                print(f"skip {name}: runs with --images only")
                continue
            if hasattr(module, "WITHOUT_IMAGES") and containers.available():
                print(f"skip {name}: {module.WITHOUT_IMAGES}")
                continue
            lab = Lab(long, seed)
            signal.alarm(SETTLE_LIMIT_S)
            lab.settle()
            limit = getattr(module, "LIMIT_S", 30)
            signal.alarm(getattr(module, "LONG_LIMIT_S", limit) if long else limit)
            figures = module.run(lab)
            signal.alarm(0)
            print(f"ok {name} ({time.monotonic() - began:.1f} s{told_of_lost(mark)}): {figures}")
        except TimeLimit:
            failed += 1
            print(f"not ok {name}{told_of_lost(mark)}: time limit; {lab.describe()}")
            traceback.print_exc(limit=-3)
        except Exception as error:
            failed += 1
            signal.alarm(0)
            print(f"not ok {name}{told_of_lost(mark)}: {error}")
            traceback.print_exc(limit=-3)
        finally:
            Load.end_all()
    return failed
