"""A client for the tests: one connection per thread, JSON in and out."""

import http.client
import json
import ssl
import threading

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Unreachable(Exception):
    pass


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    def __init__(self, port, ca_file, certificate_file=None, key_file=None, token=None):
        self.port = port
        self.context = ssl.create_default_context(cafile=ca_file)
        if certificate_file:
            self.context.load_cert_chain(certificate_file, key_file)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.local = threading.local()
        self.warnings = []  # of the last answer

    def exchange(self, method, path, body, headers):
        connection = getattr(self.local, "connection", None)
        if not connection:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=30)
            self.local.connection = connection
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            self.warnings = answer.headers.get_all("Warning") or []
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.local.connection = None
            raise Unreachable(f"{method} {path}: {error!r}") from error

    def request(self, method, path, body=None, content_type="application/json"):
        headers = {"Content-Type": content_type, "Accept": "application/json", **self.headers}
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
        status, text = self.exchange(method, path, data, headers)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text.decode(errors="replace")}
        if status >= 400:
            raise ApiError(status, answer.get("message"))
        return answer

    def get(self, path):
        return self.request("GET", path)

    def create(self, path, body, content_type="application/json"):
        return self.request("POST", path, body, content_type)

    def replace(self, path, body):
        return self.request("PUT", path, body)

    def patch(self, path, body):
        return self.request("PATCH", path, body, MERGE_PATCH)

    def apply(self, path, body):
        """As `kubectl apply --server-side --validate=strict` does; JSON is YAML."""
        return self.request("PATCH", f"{path}?fieldManager=test&force=true&fieldValidation=Strict", body, APPLY_PATCH)

    def delete(self, path, **options):
        return self.request("DELETE", path, options)
