"""kube_watch against an API that misbehaves: whatever it does, the follower ends up with the truth, and is
never told that something is gone which is not."""

import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from fake_api import FakeApi, event_line, expired_line

FOLLOW = sys.argv.pop(1)
PATIENCE_S = 15


class Follower:
    """A running `follow`, and the state that its listener has."""

    def __init__(self, api, page_size=3, relist_s=600, idle_s=30, timeout_s=300, under=()):
        self.changed = threading.Condition()
        self.state = {}
        self.bad = set()
        self.removed = set()  # what was ever taken away
        self.tells = 0
        self.replaces = {"Service": 0, "EndpointSlice": 0}
        self.stats = {}
        self.log = []
        self.process = subprocess.Popen(
            [*under, FOLLOW, f"https://127.0.0.1:{api.client_port}", api.ca_file, api.token_file, str(page_size),
             str(relist_s), str(idle_s), str(timeout_s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.threads = [threading.Thread(target=self.read_tells, daemon=True),
                        threading.Thread(target=self.read_log, daemon=True)]
        for thread in self.threads:
            thread.start()

    def read_tells(self):
        fresh, missing = {}, 0
        for line in self.process.stdout:
            word, kind, *rest = line.rstrip("\n").split(" ")
            with self.changed:
                if word == "replace":
                    fresh, missing = {}, int(rest[0])
                elif word == "object":
                    fresh[kind, rest[0]] = rest[1]
                    missing -= 1
                elif word == "bad":
                    self.bad.add((kind, rest[0]))
                elif word == "put":
                    self.state[kind, rest[0]] = rest[1]
                elif word == "remove":
                    self.removed.add((kind, rest[0]))
                    self.state.pop((kind, rest[0]), None)
                elif word == "stats":
                    self.stats[kind] = {key: int(value) for key, value in
                                        (pair.split("=") for pair in rest)}
                if word in ("replace", "object") and missing == 0:
                    old = {key: value for key, value in self.state.items() if key[0] == kind}
                    self.removed |= old.keys() - fresh.keys() - self.bad
                    for key in old.keys() - self.bad:
                        del self.state[key]
                    self.state.update(fresh)
                    self.replaces[kind] += 1
                self.tells += 1
                self.changed.notify_all()

    def read_log(self):
        for line in self.process.stderr:
            with self.changed:
                self.log.append(line)
                self.changed.notify_all()

    def wait(self, condition, what):
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE_S):
                raise AssertionError(f"{what}: not within {PATIENCE_S} s\n{self.state}\n{''.join(self.log[-30:])}")

    def logged(self, *words, since=0):
        """since: how many lines to pass over."""
        return any(all(word in line for word in words) for line in self.log[since:])

    def stop(self):
        """Ends it; returns its exit code."""
        self.process.stdin.close()
        code = self.process.wait(PATIENCE_S)
        for thread in self.threads:
            thread.join(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class ApiTest(unittest.TestCase):
    """What each test begins and ends with."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.api = FakeApi(self.directory.name)
        self.store = self.api.store
        for i in range(7):
            self.store.service(f"web-{i}", 8000 + i)
            self.store.slice(f"web-{i}-x", f"10.0.0.{i}", f"10.0.1.{i}")
        self.api.start()
        self.follower = None
        self.may_be_removed = set()

    def tearDown(self):
        if self.follower:
            code = self.follower.stop()
            self.assertEqual(code, 0, "".join(self.follower.log[-60:]))
            self.assertLessEqual(self.follower.removed, self.may_be_removed)
            self.assertFalse(self.follower.logged("token-"), "a token in the log")
        self.api.stop()
        self.directory.cleanup()

    def follow(self, **options):
        self.follower = Follower(self.api, **options)
        return self.follower

    def converge(self):
        self.follower.wait(lambda: self.follower.state == self.store.truth(), "the truth")

    def wait_for_requests(self, on, kind, count):
        with self.store.changed:
            self.assertTrue(self.store.changed.wait_for(lambda: self.api.count(on, kind) >= count, PATIENCE_S),
                            f"{count} {on} requests of {kind}")

    def delete(self, kind, name):
        self.may_be_removed.add((kind, f"shop/{name}"))
        self.store.delete(kind, name)

    def change_everything(self):
        """One change of each sort, seen by watches or lists alike."""
        self.store.service("web-1", 9001)
        self.store.slice("web-2-x", "10.0.9.9")
        self.store.service("new", 9002)
        self.delete("Service", "web-3")
        self.delete("EndpointSlice", "web-4-x")

    def follow_and_watch(self, **options):
        """Until the first lists are told and both watches are asked for."""
        follower = self.follow(**options)
        self.converge()
        for kind in ("Service", "EndpointSlice"):
            self.wait_for_requests("watch", kind, 1)
        return follower


class NoFaults(ApiTest):
    def test_lists_come_in_pages_and_changes_follow(self):
        follower = self.follow_and_watch()
        self.change_everything()
        self.converge()
        self.assertEqual(self.api.count("list", "Service"), 1)
        self.assertEqual(self.api.count("page", "Service"), 2)
        self.assertEqual(follower.replaces, {"Service": 1, "EndpointSlice": 1})

    def test_watch_resumes_where_bookmarks_say(self):
        self.follow_and_watch()
        self.store.bookmark("Service")
        marked = self.store.version
        with self.store.changed:
            self.assertTrue(self.store.changed.wait_for(lambda: self.api.sent.get("Service") == marked, PATIENCE_S))
        self.store.compact()
        self.api.end_watches.set()
        self.store.bookmark("EndpointSlice")
        self.wait_for_requests("watch", "Service", 2)
        self.api.end_watches.clear()
        self.change_everything()
        self.converge()
        resumed = [query["resourceVersion"] for on, kind, _, query in self.api.requests
                   if (on, kind) == ("watch", "Service")]
        self.assertIn(str(marked), resumed)
        self.assertEqual(self.api.count("list", "Service"), 1)

    def test_slow_relist_repairs_what_a_watch_lost(self):
        self.follow_and_watch(relist_s=1)
        self.store.change_silently("Service", "web-1", spec={"ports": [{"port": 9999}]})
        self.converge()

    def test_empty_list_after_a_full_one_is_followed(self):
        self.follow_and_watch(relist_s=1)
        self.may_be_removed = set(self.store.truth())
        with self.store.changed:
            for objects in self.store.objects.values():
                objects.clear()
        self.converge()

    def test_bad_object_keeps_its_last_good_version(self):
        follower = self.follow_and_watch(relist_s=2)
        before = dict(follower.state)
        self.store.put("Service", "web-1", spec={"ports": [{"port": "http"}]})
        self.store.service("web-2", 9002)
        before["Service", "shop/web-2"] = "9002"
        follower.wait(lambda: follower.state == before, "the other change")
        follower.wait(lambda: ("Service", "shop/web-1") in follower.bad, "the list with the bad object")
        self.assertEqual(follower.state, before)
        self.assertTrue(follower.logged("bad object", "Service shop/web-1"))
        self.store.service("web-1", 9001)
        self.converge()


class ListFaults(ApiTest):
    def check_bad_list(self, on, **fault):
        """The first list fails, and later one that replaces a good state."""
        self.api.fail(on=on, **fault)
        follower = self.follow_and_watch(relist_s=1)
        self.api.fail(on=on, **fault)
        self.change_everything()
        replaces = dict(follower.replaces)
        follower.wait(lambda: all(follower.replaces[kind] > replaces[kind] for kind in replaces), "a re-list")
        self.converge()

    def test_list_refused_as_server_error(self):
        self.check_bad_list("list", status=500)

    def test_page_refused_as_server_error_is_asked_for_again(self):
        self.api.fail(on="page", kind="Service", status=503)
        self.follow_and_watch()
        self.assertEqual(self.api.count("list", "Service"), 1)
        self.assertEqual(self.api.count("page", "Service"), 3)

    def test_expired_continue_token(self):
        self.check_bad_list("page", status=410)

    def test_continue_token_not_taken(self):
        self.check_bad_list("page", status=400)

    def test_list_cut_off(self):
        self.check_bad_list("list", cut=300)

    def test_page_cut_off(self):
        self.check_bad_list("page", cut=1)

    def test_list_that_is_half_a_json_text(self):
        self.check_bad_list("page", body=lambda text: text[:len(text) // 2])

    def test_list_of_another_kind(self):
        self.check_bad_list("list", body=lambda text: text.replace(b"List", b"Heap", 1))

    def test_list_of_another_version(self):
        self.check_bad_list("list", body=lambda text: text.replace(b"v1", b"v9", 1))

    def test_list_without_items(self):
        self.check_bad_list("list", body=lambda text: text.replace(b'"items"', b'"other"'))

    def test_list_without_version(self):
        self.check_bad_list("list", body=lambda text: text.replace(b'"resourceVersion"', b'"other"'))

    def test_list_nested_without_end(self):
        self.check_bad_list("list", body=lambda text: b"[" * 100000)

    def test_page_that_is_another_lists(self):
        self.check_bad_list("page", body=lambda text: b'{"kind":"Status","apiVersion":"v1","code":200}')

    def test_throttled_list_waits_as_long_as_it_is_told(self):
        self.api.fail(on="list", kind="Service", status=429, headers={"Retry-After": "2"},
                      text="Too many requests, please try again later.\n")
        follower = self.follow_and_watch()
        times = [when for on, kind, when, _ in self.api.requests if (on, kind) == ("list", "Service")]
        self.assertGreaterEqual(times[1] - times[0], 2)
        self.assertTrue(follower.logged("reason=throttled", "Too many requests"))

    def test_forbidden_names_verb_and_resource(self):
        self.api.fail(on="list", kind="EndpointSlice", status=403)
        follower = self.follow_and_watch()
        self.assertTrue(follower.logged("level=error", "verb=list", "resource=endpointslices",
                                        "reason=forbidden"))

    def test_redirect_is_not_followed(self):
        self.check_bad_list("list", status=302, headers={"Location": "/api/v1/services"})


class WatchFaults(ApiTest):
    def check_bad_watch(self, options=None, **fault):
        """Both watches fail after the first list; changes come meanwhile."""
        for kind in ("Service", "EndpointSlice"):
            self.api.fail(on="watch", kind=kind, **fault)
        follower = self.follow_and_watch(**(options or {}))
        self.change_everything()
        self.converge()
        return follower

    def test_stream_says_expired(self):
        self.check_bad_watch(lines=[expired_line()])
        self.assertEqual(self.api.count("list", "Service"), 2)

    def test_stream_says_internal_error(self):
        line = event_line("ERROR", {"kind": "Status", "code": 500, "message": "etcd is away"})
        follower = self.check_bad_watch(lines=[line])
        self.assertTrue(follower.logged("etcd is away"))

    def test_stream_says_error_without_code(self):
        self.check_bad_watch(lines=[event_line("ERROR", {})])

    def test_watch_expired_by_status(self):
        self.check_bad_watch(status=410)
        self.assertEqual(self.api.count("list", "Service"), 2)

    def test_watch_server_errors_resume_without_a_list(self):
        self.check_bad_watch(status=502, times=3)
        self.assertEqual(self.api.count("list", "Service"), 1)

    def test_watch_ends_at_once_again_and_again(self):
        self.check_bad_watch(lines=[], times=4)
        self.assertEqual(self.api.count("list", "Service"), 1)
        self.assertEqual(self.api.count("watch", "Service"), 5)

    def test_dropped_stream_resumes_without_a_list(self):
        self.check_bad_watch(lines=[], then="drop")
        self.assertEqual(self.api.count("list", "Service"), 1)

    def test_stream_dropped_within_a_line(self):
        self.check_bad_watch(lines=[b'{"type":"DELETED","object":{"metadata":{"name":"we'], then="drop")

    def test_stream_ended_within_a_line(self):
        self.check_bad_watch(lines=[b'{"type":"DELETED","object":{"metadata":{"name":"we'])

    def test_line_that_is_no_json(self):
        self.check_bad_watch(lines=[b"<html>\n"])
        self.assertEqual(self.api.count("list", "Service"), 2)

    def test_line_that_is_no_event(self):
        self.check_bad_watch(lines=[b'{"type":"EXPLODED","object":{"metadata":{"resourceVersion":"1"}}}\n'])

    def test_object_without_version(self):
        self.check_bad_watch(lines=[event_line("MODIFIED", {"metadata": {"namespace": "shop", "name": "web-1"},
                                                            "spec": {"ports": [{"port": 8001}]}})])

    def test_line_without_end(self):
        self.check_bad_watch(lines=[b'{"type":"' + b"A" * (1 << 20)] + [b"A" * (1 << 20)] * 17)

    def test_stalled_stream_is_given_up(self):
        follower = self.check_bad_watch(options={"idle_s": 1}, lines=[], then="stall")
        self.assertTrue(follower.logged("reason=silent"))
        self.assertEqual(self.api.count("list", "Service"), 1)

    def test_stream_silent_beyond_its_timeout_is_renewed_by_the_server(self):
        self.follow_and_watch(timeout_s=1)
        self.wait_for_requests("watch", "Service", 3)
        self.change_everything()
        self.converge()
        self.assertEqual(self.api.count("list", "Service"), 1)

    def check_disorder(self, disorder):
        """Changes are told as `disorder` has it; a list then tells the truth."""
        follower = self.follow_and_watch()
        self.api.disorder = disorder
        with self.store.changed:  # so that the watches see them all at once
            self.change_everything()
        for kind in ("Service", "EndpointSlice"):
            self.wait_for_requests("list", kind, 2)
        self.api.disorder = None
        self.converge()
        self.store.service("web-5", 9005)
        self.converge()
        self.assertTrue(follower.logged("out of order", "reason=malformed"))

    def test_events_told_twice(self):
        self.check_disorder(lambda events: events + events)

    def test_events_told_in_reverse(self):
        self.check_disorder(lambda events: events[::-1])

    def test_end_told_before_the_last_change(self):
        """The object must not come back to stay."""
        self.follow_and_watch()
        self.api.disorder = lambda events: events[::-1]
        with self.store.changed:
            self.store.service("web-3", 9003)
            self.delete("Service", "web-3")
        self.wait_for_requests("list", "Service", 2)
        self.api.disorder = None
        self.converge()


class OtherFaults(ApiTest):
    def test_token_rotates_in_the_middle(self):
        follower = self.follow_and_watch()
        self.api.tokens = {"token-2"}
        self.api.end_watches.set()
        self.store.bookmark("Service")
        self.store.bookmark("EndpointSlice")
        follower.wait(lambda: follower.logged("reason=unauthorized"), "a 401")
        self.api.end_watches.clear()
        self.change_everything()
        self.api.token_file.write_text("token-2\n")
        self.converge()
        self.assertEqual(self.api.count("list", "Service"), 1)

    def test_server_away_and_back_with_changes_meanwhile(self):
        follower = self.follow_and_watch()
        for _ in range(3):
            before = len(follower.log)
            self.api.stop()
            follower.wait(lambda before=before: follower.logged("reason=unreachable", since=before), "the loss")
            self.change_everything()
            self.store.compact()
            self.store.service("web-3", 8003)
            self.store.slice("web-4-x", "10.0.0.4")
            self.api.start()
            self.converge()

    def test_server_with_a_foreign_certificate_is_not_spoken_to(self):
        with tempfile.TemporaryDirectory() as other:
            stranger = FakeApi(other)
            self.api.ca_file.write_bytes(stranger.ca_file.read_bytes())
        follower = self.follow()
        follower.wait(lambda: follower.logged("reason=unreachable", "certificate"), "the refusal")
        self.assertEqual(self.api.requests, [])
        self.assertEqual(follower.state, {})

    def test_authority_of_the_system_vouches_for_no_api(self):
        """Who names an authority trusts that one, and not a hundred others besides."""
        named = pathlib.Path(self.directory.name) / "named"
        installed = pathlib.Path(self.directory.name) / "installed"
        named.mkdir()
        installed.mkdir()
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.api.ca_file], check=True,
                              capture_output=True, text=True).stdout.strip()
        (installed / f"{name}.0").write_bytes(self.api.ca_file.read_bytes())
        self.api.ca_file.write_bytes(FakeApi(named).ca_file.read_bytes())
        follower = self.follow(under=["unshare", "--map-root-user", "--mount", "sh", "-ec",
                                      f'mount --bind "{installed}" /etc/ssl/certs; exec "$0" "$@"'])
        follower.wait(lambda: follower.logged("reason=unreachable", "certificate"), "the refusal")
        self.assertEqual(self.api.requests, [])

    def test_many_faults_at_random_places(self):
        for i in range(4):
            self.api.fail(on="watch", status=500 if i % 2 else 0, lines=[b"x" * i], then="drop")
            self.api.fail(on="page", status=410)
            self.api.fail(on="list", cut=50 * i)
        self.follow_and_watch(relist_s=1)
        for i in range(50):
            self.store.service("web-1", 10000 + i)
            self.store.slice("web-2-x", f"10.0.2.{i}")
            time.sleep(0.01)
        self.converge()


if __name__ == "__main__":
    unittest.main(verbosity=2)
