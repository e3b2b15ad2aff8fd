"""A stand-in for the Kubernetes API that misbehaves on command.

It serves lists in pages and watches of two kinds from a store that keeps its history, over TLS, on loopback.
A fault is taken by the first request that matches it: see Fault. What a real server does by itself is tested
against a real server; this is for what one cannot be made to do. Clients may write if it is told so: fake_writes.
"""

import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import fake_writes

NGHTTPX = os.environ.get("CORACLE_TEST_NGHTTPX")  # the program: have it offer HTTP/2 in front

KINDS = {
    "/api/v1/services": ("Service", "v1"),
    "/apis/discovery.k8s.io/v1/endpointslices": ("EndpointSlice", "discovery.k8s.io/v1"),
}


@dataclass
class Fault:
    """What the next `times` matching requests meet.

    on: "list" (a first page), "page" (a further one) or "watch"; kind: "Service", "EndpointSlice" or None; name: the
    namespace. Or a write, "status", "lease" or "event"; name: the object's (of an Event: its Service's).
    A status is answered instead of anything else. A write is carried out once `gate` is set, and it or a list is
    answered once `hold` is. Of a list, `body` turns the true bytes into others. `cut` breaks the connection after
    so many bytes of the answer. Of a watch, `lines` are sent at its beginning instead of events; then the stream
    ends properly, unless `then` says "drop" (the connection breaks), "stall" (nothing more comes) or "go_on"
    (events follow as usual).
    """

    on: str
    kind: str | None = None
    name: str | None = None
    times: int = 1
    status: int = 0
    headers: dict = field(default_factory=dict)
    text: str = ""
    gate: threading.Event | None = None
    hold: threading.Event | None = None
    body: object = None
    cut: int | None = None
    lines: list | None = None
    then: str = "end"


def status_body(code, message):
    return json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                       "message": message, "code": code})


def event_line(event_type, obj):
    return json.dumps({"type": event_type, "object": obj}).encode() + b"\n"


def expired_line():
    return event_line("ERROR", json.loads(status_body(410, "too old resource version")))


def is_in(namespace, obj):
    return namespace is None or obj["metadata"].get("namespace") == namespace


class Store:
    """Objects, and every change to them, numbered as the API numbers them."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 100
        self.compacted = 0
        self.objects = {"Service": {}, "EndpointSlice": {}}
        self.history = []  # (version, kind, type, object)
        self.named = {}  # "leases" or "events": {(namespace, name): object}

    def note(self, kind, event_type, obj):
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, kind, event_type, json.loads(json.dumps(obj))))
        self.changed.notify_all()

    def put(self, kind, name, labels=None, namespace="shop", annotations=None, **members):
        with self.changed:
            known = self.objects[kind]
            event_type = "MODIFIED" if name in known else "ADDED"
            known[name] = {"metadata": {"namespace": namespace, "name": name, "labels": labels or {},
                                        "annotations": annotations or {}}, **members}
            self.note(kind, event_type, known[name])

    def service(self, name, port):
        self.put("Service", name, spec={"type": "LoadBalancer", "ports": [{"port": port}]})

    def slice(self, name, *addresses):
        self.put("EndpointSlice", name, addressType="IPv4", endpoints=[{"addresses": [a]} for a in addresses])

    def delete(self, kind, name):
        with self.changed:
            self.note(kind, "DELETED", self.objects[kind].pop(name))

    def change_silently(self, kind, name, **members):
        """A change that no watch ever tells of: what the slow re-list is for."""
        with self.changed:
            self.objects[kind][name].update(members)

    def compact(self):
        with self.changed:
            self.compacted = self.version

    def bookmark(self, kind):
        with self.changed:
            obj = {"kind": kind, "metadata": {"resourceVersion": "0"}, "endpoints": None}
            self.note(kind, "BOOKMARK", obj)

    def truth(self):
        """What a follower has to end up with, as `follow` prints it."""
        with self.changed:
            state = {}
            for name, obj in self.objects["Service"].items():
                ports = obj["spec"]["ports"]
                state["Service", f"shop/{name}"] = str(ports[0]["port"])
            for name, obj in self.objects["EndpointSlice"].items():
                state["EndpointSlice", f"shop/{name}"] = ",".join(e["addresses"][0] for e in obj["endpoints"])
            return state


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    def do_GET(self):
        api = self.server.api
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        found = re.fullmatch(r"(/.*)/namespaces/([^/]+)(/[a-z]+)", url.path)
        path, namespace = (found[1] + found[3], found[2]) if found else (url.path, None)
        if fake_writes.find(url.path):
            self.write()
            return
        if path not in KINDS:
            self.answer(404, status_body(404, "the server could not find the requested resource"))
            return
        kind, version = KINDS[path]
        on = "watch" if query.get("watch") else "page" if query.get("continue") else "list"
        if not self.may_come_in(on, kind, query):
            return
        fault = api.take_fault(on, kind, namespace)
        if fault and fault.status:
            self.answer(fault.status, fault.text or status_body(fault.status, "a fault"), fault.headers)
        elif on == "watch":
            self.watch(kind, version, query, fault, namespace)
        else:
            self.list(kind, version, query, fault, namespace)

    def may_come_in(self, on, what, query):
        """Notes the request."""
        api = self.server.api
        with api.store.changed:
            api.requests.append((on, what, time.monotonic(), query))
            api.store.changed.notify_all()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in api.tokens or self.connection.getpeercert():
            return True
        self.answer(401, status_body(401, "Unauthorized"))
        return False

    def write(self):
        api = self.server.api
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        found = fake_writes.find(self.path) if api.writable else None
        if not found:
            self.answer(404, status_body(404, "the server could not find the requested resource"))
            return
        on, namespace, name, write = found
        name = name or body["metadata"]["name"]
        if not self.may_come_in(on if self.command != "GET" else f"get {on}", name, body):
            return
        fault = api.take_fault(on, None, name.rpartition(".")[0] or name) if self.command != "GET" else None
        if fault and fault.gate:
            fault.gate.wait(20)
        status, answer = write(api.store, self.command, namespace, name, body) if not fault or not fault.status \
            else fake_writes.refusal(fault.status, fault.text or "a fault")
        if fault and fault.hold:
            fault.hold.wait(20)
        self.answer(status, json.dumps(answer), fault.headers if fault else None, cut=fault.cut if fault else None)

    do_POST = do_PUT = do_PATCH = write

    def answer(self, status, text, headers=None, cut=None):
        data = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:cut])
        if cut is not None:
            self.close_connection = True

    def list(self, kind, version, query, fault, namespace):
        api, store = self.server.api, self.server.api.store
        with store.changed:
            if "continue" in query:
                snapshot, at = query["continue"].split("/+ ")
            else:
                snapshot, at = str(len(api.snapshots)), 0
                items = [json.loads(json.dumps(store.objects[kind][name])) for name in sorted(store.objects[kind])
                         if is_in(namespace, store.objects[kind][name])]
                api.snapshots[snapshot] = (store.version, items)
        list_version, items = api.snapshots[snapshot]
        if fault and fault.hold:
            fault.hold.wait(20)
        start, end = int(at), int(at) + int(query["limit"])
        metadata = {"resourceVersion": str(list_version)}
        if end < len(items):
            metadata["continue"] = f"{snapshot}/+ {end}"  # with what has to be escaped
        text = json.dumps({"kind": kind + "List", "apiVersion": version, "metadata": metadata,
                           "items": items[start:end]}).encode()
        if fault and fault.body:
            text = fault.body(text)
        self.answer(200, text, cut=fault.cut if fault else None)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def watch(self, kind, version, query, fault, namespace):
        api, store = self.server.api, self.server.api.store
        at = int(query["resourceVersion"])
        deadline = time.monotonic() + int(query["timeoutSeconds"])
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault:
            for line in fault.lines or []:
                self.chunk(line)
            if fault.then == "drop":
                self.close_connection = True
                return
            if fault.then == "stall":
                api.stopping.wait(20)
                self.close_connection = True
                return
            if fault.then == "end":
                self.chunk(b"")
                return
        with store.changed:
            expired = at < store.compacted
        if expired:
            self.chunk(expired_line())
            self.chunk(b"")
            return
        while not api.stopping.is_set() and time.monotonic() < deadline:
            with store.changed:
                news = [entry for entry in store.history if entry[0] > at and entry[1] == kind]
                if not news and api.end_watches.is_set():
                    break
                if not news:
                    store.changed.wait(min(0.5, max(0, deadline - time.monotonic())))
            # what was changed in one go is told in one go
            lines = [event_line(event_type, {"kind": kind, "apiVersion": version, **obj})
                     for _, _, event_type, obj in (api.disorder(news) if api.disorder else news)
                     if is_in(namespace, obj) or event_type == "BOOKMARK"]
            if lines:
                self.chunk(b"".join(lines))
            if news:
                at = news[-1][0]
                with store.changed:
                    api.sent[kind] = at
                    store.changed.notify_all()
        self.chunk(b"")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args):
        self.connections = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def break_connections(self):
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was faster

    def handle_error(self, request, client_address):
        """A client may go away at any time."""


class Http2Proxy:
    """nghttpx in front of the server, which itself speaks HTTP/1.1 only."""

    def __init__(self, directory):
        self.directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = None

    def start(self, backend_port):
        self.process = subprocess.Popen(
            [NGHTTPX, "--workers=1", "--insecure", "--conf=/dev/null", "--errorlog-file=/dev/null",
             f"--frontend=127.0.0.1,{self.port}", f"--backend=127.0.0.1,{backend_port};;tls;proto=http/1.1",
             self.directory / "server.key", self.directory / "server.crt"], stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("nghttpx does not listen")

    def stop(self):
        self.process.kill()
        self.process.wait()


class FakeApi:
    """The server, its store, its faults and the credentials that a client needs, in `directory`."""

    def __init__(self, directory, writable=False):
        self.store = Store()
        self.writable = writable
        self.faults = []
        self.requests = []  # (on, kind, time, query); of writes (on, name, time, body)
        self.snapshots = {}  # of lists under way: their versions and items
        self.sent = {}  # kind: the last version that a watch has told
        self.tokens = {"token-1"}
        self.disorder = None  # what makes other events of those that a watch is about to tell
        self.stopping = threading.Event()
        self.end_watches = threading.Event()
        directory = pathlib.Path(directory)
        self.ca_file = directory / "ca.crt"
        self.token_file = directory / "token"
        self.token_file.write_text("token-1\n")
        self.context = make_certificates(directory)
        self.server = None
        self.port = 0
        self.proxy = Http2Proxy(directory) if NGHTTPX else None

    @property
    def client_port(self):
        """Where clients go."""
        return self.proxy.port if self.proxy else self.port

    def start(self):
        self.stopping.clear()
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.api = self
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        if self.proxy:
            self.proxy.start(self.port)

    def stop(self):
        if self.proxy:
            self.proxy.stop()
        self.stopping.set()
        with self.store.changed:
            self.store.changed.notify_all()
        self.server.shutdown()
        self.server.break_connections()
        self.server.server_close()

    def fail(self, **fault):
        with self.store.changed:
            self.faults.append(Fault(**fault))

    def take_fault(self, on, kind, name=None):
        with self.store.changed:
            for fault in self.faults:
                if fault.on == on and fault.kind in (None, kind) and fault.name in (None, name):
                    fault.times -= 1
                    if fault.times == 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def count(self, on, kind):
        with self.store.changed:
            return sum(1 for request in self.requests if request[0] == on and request[1] == kind)


def put_service(api, name, address=None, namespace="shop", **members):
    """One of our class, with its address as the leader would write it."""
    status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "Proxy"}]} if address else {}}
    api.store.put("Service", name, namespace=namespace, **{
        "status": status, "spec": {"type": "LoadBalancer", "loadBalancerClass": "coracle.lb/ecmp", "ports": [{"port": 80}]},
        **members})


def put_slice(api, name, *addresses, namespace="shop"):
    api.store.put("EndpointSlice", f"{name}-1", namespace=namespace, labels={"kubernetes.io/service-name": name},
                  addressType="IPv4", ports=[{"port": 8080}], endpoints=[{"addresses": [a]} for a in addresses])


def make_certificates(directory):
    """A throw-away authority and a server certificate for 127.0.0.1."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj",
            f"/CN=test CA {directory.name}")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=kubernetes")
    (directory / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "san", "-out", "server.crt")
    openssl("req", *key, "-keyout", "client.key", "-out", "client.csr", "-subj", "/CN=coracle")
    openssl("x509", "-req", "-in", "client.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2", "-out", "client.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(directory / "ca.crt")
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    return context
