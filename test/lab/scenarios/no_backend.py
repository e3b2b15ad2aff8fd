"""A VIP without endpoints is not announced; with endpoints it is again."""


def run(lab):
    endpoints = lab.service.endpoints
    lab.service.endpoints = {}
    lab.service.publish()
    withdrawn = lab.wait(lambda: not lab.next_hops(), 5, "the VIP leaves the router's FIB")
    lab.wait(lambda: all(lab.table(lb) is None for lb in lab.lbs), 5, "the virtual server leaves the kernel tables")

    lab.service.endpoints = endpoints
    lab.service.publish()
    announced = lab.wait(lab.is_settled, 10, "the VIP is announced again")
    load, _ = lab.requests(60)
    assert load.failed == 0, f"{load.failed} requests failed after the VIP was back: {load.failures[:3]}"
    return f"withdrawn after {withdrawn:.2f} s, announced again after {announced:.2f} s"
