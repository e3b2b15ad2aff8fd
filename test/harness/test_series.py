#!/usr/bin/env python3
"""The lab's series of changes: to whom it puts down what failed. Records are given to it as the guest's would be."""

import pathlib
import sys
import types
import unittest
from unittest import mock

SCENARIOS = pathlib.Path(__file__).resolve().parents[1] / "lab/scenarios"
LB1, LB4, NODE = "172.16.1.11", "172.16.1.14", "10.0.0.106"  # both pods are on node1


def pod(name):
    return mock.Mock(node="node1", node_address=NODE, address={"lb1": LB1, "lb4": LB4}[name])


def imported():
    """series.py, without the guest that its modules are made for."""
    guest = {name: mock.MagicMock(name=name) for name in ("fig6", "figures", "load", "recorder", "lost")}
    guest["fig6"].lb_pod, guest["fig6"].NODES = pod, {1: NODE}
    guest["lost"].now.return_value = guest["lost"].since.return_value = 0.0
    module = types.ModuleType("series")
    with mock.patch.dict(sys.modules, guest):
        exec(compile((SCENARIOS / "series.py").read_text(), "series.py", "exec"), module.__dict__)
    return module


class WhoseDoing(unittest.TestCase):
    def setUp(self):
        self.module = imported()
        self.series = self.module.Series(None, None, "seed")
        self.series.fibs = {"router": {NODE: 1}, "node1": {LB4: 255}}
        self.series.tables = {"lb1": {}, "lb4": {"172.16.1.21:80": 1}}
        self.series.sessions = {"lb1": 1, "lb4": 1}
        self.series.lives = {name: self.module.Life(name, self.series) for name in ("lb1", "lb4")}
        for number, life in enumerate(self.series.lives.values()):
            life.number = number

    def begin(self, moment, name, kind):
        with mock.patch.object(self.module.time, "monotonic", return_value=moment):
            self.series.lives[name].begin(kind)

    def crashed(self, start, end):
        return self.module.in_crash(self.series, start, end)

    def test_killed_pods_share_that_a_neighbours_route_leads_to_again_is_the_kills(self):
        self.begin(10.00, "lb4", "pod")
        self.series.take(10.04, "fib", "router", {})
        self.series.take(10.10, "table", "lb1", {"172.16.1.21:80": 1})
        self.series.take(10.11, "fib", "node1", {LB4: 255, LB1: 255})
        self.begin(10.40, "lb4", "start")  # with the dead one's address
        self.series.take(10.50, "fib", "router", {NODE: 1})
        self.series.take(10.90, "fib", "node1", {LB1: 255})
        self.assertTrue(self.crashed(10.03, 10.03))
        self.assertFalse(self.crashed(10.30, 10.30), "nothing led to it")
        self.assertTrue(self.crashed(10.80, 10.80))
        self.assertFalse(self.crashed(11.10, 11.10))
        self.assertEqual([(culprit, kind) for _, _, culprit, _, kind in self.series.untruths], [(LB4, "pod"), (LB4, "pod")])

    def test_way_to_a_pod_that_only_starts_is_nobody_elses_doing(self):
        self.series.lives["lb1"].exists = False
        self.begin(10.00, "lb1", "start")
        self.series.take(10.10, "fib", "node1", {LB4: 255, LB1: 255})
        self.series.take(10.50, "fib", "node1", {LB4: 255})
        self.assertFalse(self.crashed(10.30, 10.30))
        self.assertEqual([(culprit, kind) for _, _, culprit, _, kind in self.series.untruths], [(LB1, "start")])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
