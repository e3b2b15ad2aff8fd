"""New connections are spread over both LB pods and all web pods."""


def run(lab):
    load, by_lb = lab.requests(400)
    assert load.failed == 0, f"{load.failed} requests failed: {load.failures[:3]}"
    assert set(load.answers) == set(lab.webs), f"not every web pod answered: {load.answers}"
    assert sum(by_lb.values()) == 400, f"the LB pods scheduled {by_lb}"
    assert min(by_lb.values()) >= 100, f"an LB pod got less than 25 %: {by_lb}"
    return f"router {lab.next_hops()}; 400 requests in {load.seconds:.1f} s; LB pods {by_lb}; web pods {load.answers}"
