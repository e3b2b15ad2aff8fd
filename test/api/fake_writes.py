"""What the stand-in does when clients write: the Lease, statuses of Services and Events, as the real API takes them.
Each is a function of the store, the method, whose it is and the body; it returns a status and an object."""

import json
import re

STATUS = "/api/v1/namespaces/([^/]+)/services/([^/]+)/status"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/([^/]+)/leases/?([^/]*)"
EVENT = "/apis/events.k8s.io/v1/namespaces/([^/]+)/events/?([^/]*)"


def refusal(code, message):
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


def is_stale(known, body):
    version = body.get("metadata", {}).get("resourceVersion")
    return version is not None and version != known["metadata"]["resourceVersion"]


def merge(known, patch):
    """RFC 7396."""
    for key, value in patch.items():
        if value is None:
            known.pop(key, None)
        elif isinstance(value, dict):
            merge(known.setdefault(key, {}), value)
        else:
            known[key] = value


def status(store, method, namespace, name, body):
    with store.changed:
        service = store.objects["Service"].get(name)
        if method != "PATCH" or not service or service["metadata"]["namespace"] != namespace:
            return refusal(404, f'services "{name}" not found')
        if is_stale(service, body):
            return refusal(409, "the object has been modified; please apply your changes to the latest version")
        merge(service, {"status": body["status"]})
        store.note("Service", "MODIFIED", service)
        return 200, {"kind": "Service", "apiVersion": "v1", **json.loads(json.dumps(service))}


def named(objects):
    """A Lease or an Event: created, read, replaced or patched."""
    def write(store, method, namespace, name, body):
        name = name or body["metadata"]["name"]
        with store.changed:
            kept = store.named.setdefault(objects, {})
            known = kept.get((namespace, name))
            if (method == "POST") == (known is not None):
                return refusal(409, "already exists") if known else refusal(404, f'{objects} "{name}" not found')
            if body and known and is_stale(known, body):
                return refusal(409, "the object has been modified")
            if method in ("POST", "PUT"):
                kept[namespace, name] = body
            elif method == "PATCH":
                merge(known, body)
            if body:
                store.version += 1
                kept[namespace, name]["metadata"]["resourceVersion"] = str(store.version)
            store.changed.notify_all()
            return 200, json.loads(json.dumps(kept[namespace, name]))
    return write


WRITERS = {"status": (STATUS, status), "lease": (LEASE, named("leases")), "event": (EVENT, named("events"))}


def find(path):
    """What it is ("status", "lease" or "event"), namespace, name and the function; or None."""
    for on, (pattern, write) in WRITERS.items():
        found = re.fullmatch(pattern, path)
        if found:
            return on, found[1], found[2], write
    return None
