"""Who may do what: the shipped roles are enough, and used for nothing else; tokens come and go; a refusal is said in
words that an administrator can act on."""

import time

from api import ApiError
from harness import LONG, ROOT, ConformanceTest, figure, main, virtual_servers
from objects import apply_manifest, manifests
from proxy import Proxy

# A day of tokens that live for 600 s and are renewed at 80 %, as a kubelet does it; or a part of that.
ROTATIONS = 24 * 3600 // 480 if LONG else 15
ROTATION_S = 1
# The API server remembers a good token for 10 s.
REMEMBERED_S = 11
STORM = 50  # refusals of two watches in ten seconds, or some more on a busy machine; with the backoff there are some 16


class Access(ConformanceTest):
    def setUp(self):
        super().setUp()
        self.shop.service("web", ["10.1.0.1"])
        self.shop.slice("web", "172.16.0.1")
        self.proxy = Proxy(self.cluster.port)
        self.addCleanup(self.proxy.stop)

    def await_address(self, daemon, address, patience_s=40):
        daemon.await_config(lambda text: virtual_servers(text) == {("10.1.0.1", 80): {(address, 8080): 1}}, patience_s)

    def test_shipped_manifests_are_what_the_api_knows(self):
        for file in ("deployment.yaml", "disruption.yaml"):
            for kind, name, text in manifests(ROOT / "deploy/base" / file):
                apply_manifest(self.api, "coracle", kind, text, "?dryRun=All&fieldValidation=Strict")
                figure(f"{file}: {kind} {name} is valid")

    def test_nothing_is_asked_that_the_shipped_roles_do_not_allow(self):
        daemon = self.start_daemon(url=self.proxy.url)
        self.await_address(daemon, "172.16.0.1")
        self.proxy.cut()
        self.shop.change_slice("web", "172.16.0.2")
        self.await_address(daemon, "172.16.0.2")
        daemon.stop()
        self.check_rights()
        self.assertEqual({str(right) for right in self.used_rights if right.resource in ("services", "endpointslices")},
                         {f"{verb} {resource}" for verb in ("list", "watch")
                          for resource in ("services", "endpointslices")})

    def test_missing_right_is_named_and_waited_for(self):
        self.may_be_forbidden = True
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/coracle"
        role = self.api.get(path)
        rules = [rule for rule in role["rules"] if rule["resources"] != ["endpointslices"]]
        self.api.patch(path, {"rules": rules})
        try:
            daemon = self.start_daemon()
            daemon.await_(lambda: daemon.logged("level=error", "verb=list", "resource=endpointslices",
                                                "reason=forbidden"))
            self.assertEqual(daemon.config().count("virtual_server "), 0)
        finally:
            self.api.patch(path, {"rules": role["rules"]})
        self.await_address(daemon, "172.16.0.1")

    def test_tokens_rotate_for_a_day(self):
        pod = self.start_pod(url=self.proxy.url)
        self.await_address(pod.daemon, "172.16.0.1")
        settled = self.settle(pod.daemon)
        for i in range(ROTATIONS):
            self.account.revoke(pod.renew_token())
            self.proxy.cut()  # so that it has to show its token
            address = f"172.16.0.{2 + i % 250}"
            began = time.monotonic()
            self.shop.change_slice("web", address)
            self.await_address(pod.daemon, address)
            time.sleep(max(0, ROTATION_S - (time.monotonic() - began)))
        shown = {entry["user"]["extra"]["authentication.kubernetes.io/credential-id"][0]
                 for entry in self.requests() if entry["user"].get("extra")}
        figure(f"{ROTATIONS} tokens, {len(shown)} of them shown, {len(self.refused(401))} refusals")
        self.assertGreaterEqual(len(shown), ROTATIONS)
        self.assertEqual(self.refused(401), [])
        self.assert_listed(0, settled)

    def test_late_token_is_waited_for_without_a_storm(self):
        pod = self.start_pod(url=self.proxy.url)
        self.await_address(pod.daemon, "172.16.0.1")
        self.account.revoke(pod.secret)
        time.sleep(REMEMBERED_S)
        self.shop.change_slice("web", "172.16.0.2")
        self.await_address(pod.daemon, "172.16.0.2")  # an open watch outlives its token
        before = self.cluster.audit_size()
        self.proxy.cut()
        pod.daemon.await_(lambda: pod.daemon.logged("reason=unauthorized"))
        time.sleep(10)
        refused = len(self.refused(401, before))
        self.await_address(pod.daemon, "172.16.0.2")
        pod.renew_token()
        began = time.monotonic()
        self.shop.change_slice("web", "172.16.0.3")
        self.await_address(pod.daemon, "172.16.0.3")
        figure(f"10 s with a revoked token: {refused} refusals of two watches; followed "
              f"{time.monotonic() - began:.1f} s after the new one")
        self.assertGreater(refused, 0)
        self.assertLess(refused, STORM)

    def test_account_that_is_deleted_and_made_again(self):
        pod = self.start_pod(url=self.proxy.url)
        self.await_address(pod.daemon, "172.16.0.1")
        self.account.delete()
        try:
            time.sleep(REMEMBERED_S)
            self.shop.change_slice("web", "172.16.0.2")
            self.await_address(pod.daemon, "172.16.0.2")
            self.proxy.cut()
            pod.daemon.await_(lambda: pod.daemon.logged("reason=unauthorized"))
            self.await_address(pod.daemon, "172.16.0.2")
        finally:
            self.account.restore()
        self.shop.change_slice("web", "172.16.0.3")
        pod.renew_token()
        self.await_address(pod.daemon, "172.16.0.3")

    def test_token_that_is_none_is_refused_by_the_api(self):
        """That the suite's own server does check: else the tests above would show nothing."""
        self.may_be_forbidden = True
        with self.assertRaises(ApiError) as caught:
            self.api_with("nonsense").get("/api/v1/services")
        self.assertEqual(caught.exception.status, 401)
        text, _ = self.account.token()
        with self.assertRaises(ApiError) as caught:
            self.api_with(text).get("/api/v1/secrets")
        self.assertEqual(caught.exception.status, 403)
        self.assertIn("items", self.api_with(text).get("/api/v1/services"))

    def api_with(self, token):
        return type(self.api)(self.cluster.port, self.cluster.ca_file, token=token)


if __name__ == "__main__":
    main()
