"""New connections are spread over both LB pods and all web pods."""
import linux


def redirects(lb):
    """How often it has told a web pod of a shorter way (RFC1213-MIB::icmpOutRedirects)."""
    with linux.netns(lb), open("/proc/net/snmp", encoding="ascii") as file:
        names, values = (line.split() for line in file if line.startswith("Icmp:"))
    return int(dict(zip(names, values))["OutRedirects"])


def run(lab):
    load, by_lb = lab.requests(400)
    assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
    assert set(load.answers) == set(lab.webs), f"not every web pod answered: {load.answers}"
    assert sum(by_lb.values()) == 400, f"the LB pods scheduled {by_lb}"
    assert min(by_lb.values()) >= 100, f"an LB pod got less than 25 %: {by_lb}"
    told = {lb: redirects(lb) for lb in lab.lbs}
    assert not any(told.values()), f"web pods were told of a way past the LB pod: {told}"
    return f"router {lab.next_hops()}; 400 requests in {load.seconds:.1f} s; LB pods {by_lb}; web pods {load.answers}"
