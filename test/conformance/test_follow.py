"""What the cluster says reaches keepalived's configuration, with the endpoints that the real controller makes."""

import time
import unittest

from harness import LONG, ConformanceTest, figure, main, virtual_servers
from proxy import Proxy

MANY = 620  # more than a page
BOOKMARK_S = 75  # the API sends one a minute


class Follow(ConformanceTest):
    def follow_through_a_proxy(self):
        """One Service of one server, followed over connections that can be cut."""
        shop = self.shop
        shop.service("web", ["10.1.0.1"])
        shop.slice("web", "172.16.0.1")
        proxy = Proxy(self.cluster.port)
        self.addCleanup(proxy.stop)
        daemon = self.start_daemon(url=proxy.url)
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 1}})
        return shop, proxy, daemon

    def test_service_comes_changes_and_goes(self):
        shop = self.shop
        shop.service("web", ["10.1.0.1"], selector=True)
        shop.pod("a", "web", "172.16.0.1")
        daemon = self.start_daemon()
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 1}})
        shop.pod("b", "web", "172.16.0.2", ready=False)
        shop.pod("c", "web", "172.16.0.3")
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 1, ("172.16.0.3", 8080): 1}})
        began = time.time()
        shop.set_pod_status("b", "172.16.0.2")
        hup = daemon.await_hup(began, lambda text: "172.16.0.2 " in text)
        figure(f"a Pod becomes ready → SIGHUP, through the real controller: {(hup - began) * 1000:.0f} ms")
        shop.set_pod_status("a", "172.16.0.1", ready=False)
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.2", 8080): 1, ("172.16.0.3", 8080): 1}})
        shop.delete_service("web")
        self.await_servers(daemon, {})

    def test_service_of_another_class_is_not_served(self):
        shop = self.shop
        shop.service("other", ["10.1.0.1"], loadBalancerClass="example.com/other")
        shop.slice("other", "172.16.0.1")
        shop.service("web", ["10.1.0.2"])
        shop.slice("web", "172.16.0.2")
        self.await_servers(self.start_daemon(), {("10.1.0.2", 80): {("172.16.0.2", 8080): 1}})

    def test_text_with_a_nul_in_an_annotation_is_nobodys_concern(self):
        """The API takes any text there, and one Service must not blind us to all others."""
        shop = self.shop
        shop.service("web", ["10.1.0.1"])
        shop.slice("web", "172.16.0.1")
        shop.service("foreign", annotations={"example.com/blob": "x\0y"}, loadBalancerClass="example.com/other")
        daemon = self.start_daemon()  # it is listed
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 1}})
        shop.service("second", annotations={"example.com/blob": "x\0y"})  # watched, and written to
        shop.slice("second", "172.16.0.2")
        daemon.await_(lambda: shop.addresses("second"))
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 1},
                                    (shop.addresses("second")[0], 80): {("172.16.0.2", 8080): 1}})
        self.assertFalse(daemon.logged("level=warning", "module=kube_watch"))
        self.assertFalse(daemon.logged("cannot write a status"))

    def test_pod_that_terminates_is_drained_while_it_serves(self):
        shop = self.shop
        shop.service("web", ["10.1.0.1"], selector=True)
        shop.pod("a", "web", "172.16.0.1")
        shop.pod("b", "web", "172.16.0.2")
        daemon = self.start_daemon()
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 1, ("172.16.0.2", 8080): 1}})
        shop.delete_pod("a")
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 0, ("172.16.0.2", 8080): 1}})
        shop.set_pod_status("a", "172.16.0.1", ready=False)
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.2", 8080): 1}})
        shop.set_pod_status("a", "172.16.0.1")
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.1", 8080): 0, ("172.16.0.2", 8080): 1}})
        shop.pod_is_gone("a")
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.2", 8080): 1}})

    def test_dual_stack_has_a_virtual_server_of_each_family(self):
        shop = self.shop
        shop.service("web", ["10.1.0.1", "fd00:1:1::1"], selector=True, ipFamilyPolicy="RequireDualStack",
                     ipFamilies=["IPv4", "IPv6"])
        shop.pod("a", "web", "172.16.0.1", "fd00:16::1")
        self.await_servers(self.start_daemon(), {
            ("10.1.0.1", 80): {("172.16.0.1", 8080): 1}, ("fd00:1:1::1", 80): {("fd00:16::1", 8080): 1}})

    def test_lists_of_many_objects_come_in_pages(self):
        shop = self.shop
        shop.service("web", ["10.1.0.1"])
        for i in range(MANY):
            shop.slice("web", f"172.16.{i // 250}.{i % 250 + 1}", name=f"web-{i}")
        daemon = self.start_daemon()
        daemon.await_config(lambda text: "10.1.0.1" in text)
        servers = virtual_servers(daemon.config())["10.1.0.1", 80]
        self.assertEqual(len(servers), MANY, "a list was acted on before its last page")
        pages = [entry for entry in self.requests(verb="list", resource="endpointslices")
                 if "continue=" in entry["requestURI"]]
        self.assertGreaterEqual(len(pages), MANY // 500)

    def test_version_that_is_no_longer_to_be_had_means_one_list(self):
        shop, proxy, daemon = self.follow_through_a_proxy()
        self.settle(daemon)
        proxy.close()
        shop.change_slice("web", "172.16.0.2")
        shop.service("new", ["10.1.0.2"])
        shop.slice("new", "172.16.0.3")
        self.cluster.compact()
        self.cluster.restart_apiserver()  # its cache begins with what etcd still has
        before = self.cluster.audit_size()
        proxy.open()
        self.await_servers(daemon, {("10.1.0.1", 80): {("172.16.0.2", 8080): 1},
                                    ("10.1.0.2", 80): {("172.16.0.3", 8080): 1}})
        self.assertTrue(daemon.logged("reason=expired"), daemon.read_log())
        self.assert_listed(1, before)

    def test_broken_watches_resume_without_a_list(self):
        shop, proxy, daemon = self.follow_through_a_proxy()
        settled = self.settle(daemon)
        for i in range(2, 7):
            proxy.cut()
            shop.change_slice("web", f"172.16.0.{i}")
            self.await_servers(daemon, {("10.1.0.1", 80): {(f"172.16.0.{i}", 8080): 1}})
        self.assert_listed(0, settled)

    @unittest.skipUnless(LONG, "takes over a minute: --long")
    def test_watch_resumes_from_its_bookmark(self):
        shop, proxy, daemon = self.follow_through_a_proxy()
        listed = self.api.get("/api/v1/services?limit=1")["metadata"]["resourceVersion"]
        for _ in range(20):  # elsewhere the cluster's version moves on
            self.api.patch(f"/api/v1/namespaces/{shop.name}", {"metadata": {"labels": {"at": str(time.time_ns())}}})
        time.sleep(BOOKMARK_S)
        before = self.cluster.audit_size()
        proxy.cut()
        daemon.await_(lambda: len(self.watched_from("services", before)) > 0)
        self.assertGreater(self.watched_from("services", before)[0], int(listed))

    def watched_from(self, resource, since):
        return [int(entry["requestURI"].partition("resourceVersion=")[2].partition("&")[0])
                for entry in self.requests(since, verb="watch", resource=resource)]


if __name__ == "__main__":
    main()
