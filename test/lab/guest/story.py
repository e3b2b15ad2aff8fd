"""What test/demo tells once the lab runs. It ends with an exception when something is not as it should be."""
import time

import fig6
from cluster import DRAINING
from scenario import Lab


class Story:
    def __init__(self, bold):
        self.bold = ("\x1b[1m", "\x1b[0m") if bold else ("", "")
        self.step_began = None

    def step(self, title):
        self.end_step()
        print(f"\n{self.bold[0]}{title}{self.bold[1]}")
        self.step_began = time.monotonic()

    def end_step(self):
        if self.step_began is not None:
            print(f"  ({time.monotonic() - self.step_began:.1f} s)")

    @staticmethod
    def say(text):
        print(f"  {text}")

    def table(self, head, counts):
        total = sum(counts.values())
        self.say(f"  {head:<10}requests")
        for name, count in sorted(counts.items()):
            self.say(f"  {name:<10}{count:>6}   {100 * count / total:3.0f} %")


def show_real_servers(story, lab, lb):
    story.say(f"  {lb}'s kernel table   weight")
    names = {f"{pod.address}:80": pod.name for pod in map(fig6.web_pod, ("web1", "web2", "web3", "web4"))}
    for server, weight in sorted(lab.table(lb).items()):
        story.say(f"  {names[server]} {server:<18}{weight}")


def tell(bold):
    story, lab = Story(bold), Lab()
    lab.settle(60)

    story.step(f"The upstream router's route to the service address {fig6.VIP}")
    for line in lab.router_route():
        story.say("  " + line)
    story.say("One next-hop for each node with an LB pod, learned by BGP: LB pod -> reflector -> router (ECMP).")

    story.step("400 requests from the client, a new connection each")
    load, by_lb = lab.requests(400)
    assert load.failed == 0, f"{load.failed} requests failed"
    assert min(by_lb.values()) >= 100, f"an LB pod got less than a quarter: {by_lb}"
    assert set(load.answers) == set(lab.webs), f"not every web pod answered: {load.answers}"
    story.table("LB pod", by_lb)
    story.table("web pod", load.answers)

    story.step("A web pod comes and goes while the client sends 40 requests a second")
    load = lab.stream()
    web4 = fig6.add_web("web4")
    lab.service.set(web4)
    lab.service.publish()
    story.say(f"web4 added to the Service: in every LB pod's kernel table after {lab.tables_follow():.2f} s")
    time.sleep(1)
    lab.service.set(web4, DRAINING)
    lab.service.publish()
    story.say(f"web4 is being ended, and still answers what it has (weight 0): after {lab.tables_follow():.2f} s")
    show_real_servers(story, lab, "lb1")
    time.sleep(0.5)
    lab.service.remove(web4)
    lab.service.publish()
    story.say(f"web4 has gone: out of the tables after {lab.tables_follow():.2f} s")
    fig6.stop_web(web4)
    load.stop()
    story.table("web pod", load.answers)
    story.say(f"{load.failed} of {load.succeeded + load.failed} requests failed.")
    assert load.failed == 0 and load.answers.get("web4"), f"{load.failures}, {load.answers}"

    story.step("lb1 is killed: SIGKILL to all its processes, and its network is gone")
    lb1 = lab.lbs["lb1"]
    load = lab.stream(timeout_ms=2000)
    killed = time.monotonic()
    fig6.kill_pod(lb1)
    gone = lab.wait(lambda: lb1.node_address not in lab.next_hops(), 5, "lb1's route leaves the router's FIB")
    time.sleep(1.5)
    load.stop()
    outage = load.outage(killed)
    story.say(f"its route left the router after {gone:.2f} s:")
    for line in lab.router_route():
        story.say("  " + line)
    story.say(f"{load.failed} of {load.succeeded + load.failed} requests failed; "
              f"the last of them began {outage:.2f} s after the kill.")
    assert outage <= 1.0, f"requests failed for {outage:.2f} s"

    story.step("A new lb1 takes its place")
    began = time.monotonic()
    lab.new_lb("lb1")
    lab.wait(lab.is_settled, 25, "the new lb1 serves")
    story.say(f"announced after {time.monotonic() - began:.1f} s; 400 requests again:")
    load, by_lb = lab.requests(400)
    assert load.failed == 0 and min(by_lb.values()) >= 100, f"{load.failed} failed, {by_lb}"
    story.table("LB pod", by_lb)
    story.end_step()
