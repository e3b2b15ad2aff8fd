"""The life of one Service, as its user and the network see it: it gets its address, its route, loses its endpoints, gets them
back, and is deleted."""
import http.client
import itertools
import json
import threading
import time

from objects import SLICES

TIMES = ("tool", "services", "round", "what", "seconds")
ADDRESSES = [f"172.30.0.{i}" for i in (1, 2, 3)]
numbers = itertools.count()


class Statuses:
    """When which Service got its address: a watch on all of the world's."""

    def __init__(self, world):
        path = world.shop.path("/api/v1/namespaces/{}/services")
        version = world.api.get(f"{path}?limit=1")["metadata"]["resourceVersion"]
        connection = http.client.HTTPSConnection("127.0.0.1", world.cluster.port, context=world.api.context)
        connection.request("GET", f"{path}?watch=1&resourceVersion={version}&timeoutSeconds=36000")
        self.given, self.changed = {}, threading.Condition()
        threading.Thread(target=self.read, args=[connection.getresponse()], daemon=True).start()

    def read(self, lines):
        for line in lines:
            now = time.monotonic()
            service = json.loads(line)["object"]
            ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress")
            if ingress:
                with self.changed:
                    self.given.setdefault(service["metadata"]["name"], (ingress[0]["ip"], now))
                    self.changed.notify_all()

    def await_address(self, name, patience_s=60):
        with self.changed:
            if not self.changed.wait_for(lambda: name in self.given, patience_s):
                raise AssertionError(f"{name} has no address after {patience_s} s")
            return self.given[name]


def service(world, statuses, reflector, settled, gap_s):
    """Seconds from before each request until what follows from it was seen; without a reflector the same is asked for, but
    only the address waited for. settled() tells that everything is as before."""
    shop, name = world.shop, f"new-{next(numbers)}"
    path = shop.path(SLICES, f"{name}-1")

    def endpoints(addresses):
        body = shop.slice_body(name, ADDRESSES)
        if not addresses:
            body["endpoints"] = []
        began = time.monotonic()
        world.api.replace(path, body)
        return began

    def routed(what, there, since):
        if reflector:
            times[what] = reflector.await_route(address, there, since)
        time.sleep(gap_s)

    world.refresh()
    began = time.monotonic()
    shop.service(name)
    shop.slice(name, *ADDRESSES)
    address, given = statuses.await_address(name)
    times = {"address": given - began}
    routed("route", True, began)
    routed("gone", False, endpoints([]))
    routed("back", True, endpoints(ADDRESSES))
    began = time.monotonic()
    shop.delete_service(name)
    world.api.delete(path)
    routed("deleted", False, began)
    deadline = time.monotonic() + 60
    while not settled():
        assert time.monotonic() < deadline, f"{name} is not forgotten"
        time.sleep(0.2)
    return times
