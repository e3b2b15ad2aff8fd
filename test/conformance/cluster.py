"""A control plane of one's own: etcd, kube-apiserver and kube-controller-manager on loopback, with TLS, RBAC,
service-account tokens and an audit log, in a directory that goes away with it. There are no nodes: Nodes and Pods are
made by hand through the API, as a kubelet would (see objects.py)."""

import json
import pathlib
import socket
import subprocess
import time
import urllib.request

from api import Api, ApiError, Unreachable
from daemon import die_with_parent

READY_S = 120

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  # the tests themselves, and the servers
  - {level: None, userGroups: ["system:masters"]}
  # a request that was refused for its token has no user, so that this is not narrower
  - {level: Metadata}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Cluster:
    """`servers` is the folder that build-servers made. The constants differ in test/kubelet, which has a real node."""

    LISTEN = "127.0.0.1"
    NAMES = "IP:127.0.0.1"
    ACCESS = ["--authorization-mode=RBAC",
              # there is no kubelet to mount a token into a Pod
              "--disable-admission-plugins=ServiceAccount"]
    CONTROLLERS = ["endpointslice-controller", "serviceaccount-controller", "namespace-controller"]

    def __init__(self, servers, directory):
        self.servers = pathlib.Path(servers)
        self.directory = pathlib.Path(directory)
        self.etcd_port, self.peer_port, self.port, self.manager_port = free_ports(4)
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca_file = self.directory / "ca.crt"
        self.audit_file = self.directory / "audit.log"
        self.processes = {}
        self.restarts = 0
        self.api = None

    def start(self):
        self.make_credentials()
        self.start_etcd()
        self.start_apiserver()
        self.api = Api(self.port, self.ca_file, self.directory / "admin.crt", self.directory / "admin.key")
        self.await_ready()
        self.start_manager()

    def stop(self):
        for name in reversed(list(self.processes)):
            self.kill(name)

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def log_tail(self, name):
        return "\n".join((self.directory / f"{name}.log").read_text(errors="replace").splitlines()[-30:])

    # ---- the servers ----

    def run(self, name, *flags):
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.servers / name, *flags], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent)

    def start_etcd(self):
        # kubeadm's interval of progress; without it bookmarks repeat the version that a quiet watch began with
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self.run("etcd", "--data-dir=etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                 f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                 f"--initial-cluster=default={peer}", "--watch-progress-notify-interval=5s", "--unsafe-no-fsync",
                 "--log-level=warn")

    def start_apiserver(self):
        """Also after it was killed: at the same address, with what etcd holds."""
        self.restarts += self.api is not None
        self.run("kube-apiserver",
                 f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--etcd-compaction-interval=0",
                 f"--bind-address={self.LISTEN}", f"--secure-port={self.port}", "--endpoint-reconciler-type=none",
                 "--tls-cert-file=apiserver.crt", "--tls-private-key-file=apiserver.key", "--client-ca-file=ca.crt",
                 "--service-account-issuer=https://kubernetes.default.svc",
                 "--service-account-signing-key-file=accounts.key", "--service-account-key-file=accounts.key",
                 *self.ACCESS, "--anonymous-auth=false", "--allow-privileged=true",
                 "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
                 "--audit-policy-file=audit.yaml", f"--audit-log-path={self.audit_file}")

    def start_manager(self):
        self.run("kube-controller-manager", "--kubeconfig=admin.json", f"--controllers={','.join(self.CONTROLLERS)}",
                 "--root-ca-file=ca.crt",
                 "--leader-elect=false", "--bind-address=127.0.0.1", f"--secure-port={self.manager_port}",
                 "--kube-api-qps=500", "--kube-api-burst=1000", "--concurrent-service-endpoint-syncs=2")

    def await_ready(self):
        deadline = time.monotonic() + READY_S
        while True:
            try:
                self.api.get("/readyz")
                return
            except (ApiError, Unreachable) as error:
                if time.monotonic() > deadline or self.processes["kube-apiserver"].poll() is not None:
                    raise AssertionError(f"kube-apiserver: {error}\n{self.log_tail('kube-apiserver')}") from error
            time.sleep(0.05)

    def restart_apiserver(self):
        """As it crashes and comes back; returns how long it was away."""
        began = time.monotonic()
        self.kill("kube-apiserver")
        self.start_apiserver()
        self.await_ready()
        return time.monotonic() - began

    def compact(self):
        """Has etcd forget every version but the last, as an API server asks it to every five minutes."""
        def ask(path, body):
            request = urllib.request.Request(f"http://127.0.0.1:{self.etcd_port}/v3/kv/{path}",
                                             json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)

        revision = ask("range", {"key": "Lw=="})["header"]["revision"]
        ask("compaction", {"revision": revision, "physical": True})

    # ---- who may come in ----

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.directory, check=True, capture_output=True)

    def make_certificate(self, name, subject, extension):
        (self.directory / "extension").write_text(extension)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "2", "-extfile", "extension", "-out", f"{name}.crt")

    def make_credentials(self):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=test CA")
        self.make_certificate("apiserver", "/CN=kubernetes", f"subjectAltName={self.NAMES}\n")
        self.make_certificate("admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n")
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "accounts.key")
        (self.directory / "audit.yaml").write_text(AUDIT_POLICY)
        self.write_kubeconfig("admin", self.url)

    def write_kubeconfig(self, name, url):
        """Beside the certificate of that name, which it refers to."""
        (self.directory / f"{name}.json").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": "ca.crt"}}],
            "users": [{"name": name, "user": {"client-certificate": f"{name}.crt", "client-key": f"{name}.key"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}]}))

    # ---- what was asked of it ----

    def audit_size(self):
        return self.audit_file.stat().st_size

    def audit(self, since=0):
        """What anyone but the tests asked for, from an earlier audit_size on."""
        with open(self.audit_file, encoding="utf-8") as log:
            log.seek(since)
            return [json.loads(line) for line in log if line.endswith("\n")]
