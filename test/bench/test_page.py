#!/usr/bin/env python3
"""docs/evaluation.md is what docs/evaluation/*.csv give, and the figures decide what it says of who is behind whom."""

import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parent
DOCS = BENCH.parents[1] / "docs"


def read(path):
    with open(path, encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with open(path, "w", encoding="ascii", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


class TestOfPage(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.docs = pathlib.Path(self.temporary.name)
        self.csv = self.docs / "evaluation"
        self.csv.mkdir()
        for path in (DOCS / "evaluation").glob("*.csv"):
            if not path.name.endswith("-plot.csv"):
                shutil.copy(path, self.csv)

    def make(self, *benches):
        """The page, of these sections or of all; words without the line breaks between them."""
        done = subprocess.run([BENCH / "run", "--again", *benches], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "CORACLE_BENCH_DOCS": str(self.docs), "CORACLE_BENCH_PLOTS": "no"})
        self.assertEqual(done.returncode, 0, done.stdout)
        return re.sub(r"\s+", " ", (self.docs / "evaluation.md").read_text())

    def scale(self, name, factor, column, **wanted):
        """Multiplies a column of the rows that have these values, in the copy."""
        rows = read(self.csv / name)
        chosen = [row for row in rows if all(row[key] in values for key, values in wanted.items())]
        self.assertTrue(chosen, f"{name} has no row with {wanted}")
        for row in chosen:
            row[column] = str(float(row[column]) * factor)
        write(self.csv / name, rows)


class PageThatIsThere(TestOfPage):
    def test_page_and_data_of_plots_are_those_that_the_figures_give(self):
        self.make()
        again = "differs from what `test/bench/run --again` makes"
        for path in [DOCS / "evaluation.md", *(DOCS / "evaluation").glob("*.csv")]:
            self.assertEqual((self.docs / path.relative_to(DOCS)).read_bytes(), path.read_bytes(), f"{path.name} {again}")
        for path in self.csv.glob("*.csv"):
            self.assertTrue((DOCS / "evaluation" / path.name).exists(), f"{path.name} is made, and not there")

    def test_section_made_alone_leaves_the_others(self):
        whole = self.make()
        for bench in ("redundancy", "scalability", "datapath", "control"):
            self.assertEqual(self.make(bench), whole)


class BesideThePaper(TestOfPage):
    def test_redundancy_slower_than_the_paper_is_said(self):
        self.assertNotIn("behind the paper in", self.make("redundancy"))
        self.scale("redundancy.csv", 100, "seconds", where=["router"])
        self.assertIn("behind the paper in: mean, 99 %, longest.", self.make("redundancy"))

    def test_downloads_that_broke_are_counted_and_none_is_a_word(self):
        rows = read(self.csv / "redundancy-flows.csv")
        for row in rows:
            row["broken"] = "0" if row["forwarding"] == "nat" else "1"
        write(self.csv / "redundancy-flows.csv", rows)
        text = self.make("redundancy")
        self.assertIn("With nat none broke", text)
        self.assertRegex(text, r"With tunnel \d+ broke \(plain\) and \d+ broke \(resilient\)")

    def test_second_run_of_the_redundancy_agrees_or_does_not(self):
        for name in ("", "-failures", "-link-lost", "-flows"):
            shutil.copy(DOCS / f"evaluation/redundancy{name}.csv", self.csv / f"redundancy{name}-second.csv")
        self.assertIn("In a second run 17 of the 17 means, medians and 99 % of all series and medians after silence agree: their "
                      "ranges overlap with these. Of the connections made in it ", self.make("redundancy"))
        self.scale("redundancy-second.csv", 10, "seconds", hold=["3"], reflectors=["1"])
        self.scale("redundancy-link-lost-second.csv", 2, "seconds", hold=["9"])
        self.assertRegex(self.make("redundancy"), r"In a second run 13 of the 17 .* Apart are: mean of series-3-1 \(.* s and then .* s\); "
                         r"median of series-3-1 \(.*\); 99 % of series-3-1 \(.*\); silence with hold 9 s \(")

    def test_scalability_below_goals_and_paper_is_said(self):
        self.assertIn("Both goals (3.95 with 4 pods, 7.8 with 8) were met.", self.make("scalability"))
        self.scale("scalability.csv", 0.9, "bytes_per_s", pods=["4"])
        text = self.make("scalability")
        self.assertIn("Missed: 3.95 with 4 (the goals: 3.95 with 4 pods, 7.8 with 8). Behind the paper with 4 LB pods.", text)
        self.assertIn("four LB pods pass 3.59 times what one passes (the paper: 3.91)", text)

    def test_second_run_of_the_scalability_agrees_or_does_not(self):
        shutil.copy(DOCS / "evaluation/scalability.csv", self.csv / "scalability-second.csv")
        self.assertIn("agrees within the spread: its medians differ from these by at most 0.0 %", self.make("scalability"))
        self.scale("scalability-second.csv", 0.9, "bytes_per_s", pods=["4"])
        self.assertIn("does not agree within the spread: its medians differ from these by at most 10.0 %", self.make("scalability"))


class DataPath(TestOfPage):
    def test_nat_is_said_to_be_behind_where_it_is_and_only_there(self):
        for factor, verdicts in ((2, ("**Coracle's nat is behind kube-proxy's nftables and iptables**",) * 2),
                                 (0.1, ("Coracle's nat is behind neither of kube-proxy's modes",) * 2)):
            with self.subTest(factor):
                shutil.copy(DOCS / "evaluation/datapath-boots.csv", self.csv)
                self.scale("datapath-boots.csv", factor, "instructions", mode=["nat"])
                text = self.make("datapath")
                self.assertEqual("; nat is not behind nftables." in text, factor < 1)
                self.assertIn(f"{verdicts[0]} for a connection, with one service and three servers: it costs", text)
                self.assertIn(f"{verdicts[1]} for a request on a connection that stays", text)

    def test_nat_with_many_services_is_said_to_be_behind_where_it_is(self):
        self.scale("datapath-boots.csv", 10, "instructions", mode=["nat"], services=["1000"])
        self.scale("datapath-boots.csv", 0.1, "instructions", mode=["nat"], servers=["1000"])
        text = self.make("datapath")
        self.assertRegex(text, r"With 1,000 services nat is behind (\w[\w-]* and )*nft")
        self.assertIn("With 1,000 servers of one service nat is behind none of them.", text)

    def test_second_run_of_the_data_path_agrees_or_does_not(self):
        shutil.copy(DOCS / "evaluation/datapath-boots.csv", self.csv / "datapath-second.csv")
        self.assertIn("agrees within the boots' spread: its medians differ from these by at most 0.0 %", self.make("datapath"))
        self.scale("datapath-second.csv", 1.05, "instructions", mode=["nat"], services=["1"], servers=["3"])
        self.assertIn("does not agree within the boots' spread: its medians differ from these by at most 5.0 %",
                      self.make("datapath"))


class ControlPlane(TestOfPage):
    """With figures that are all made up."""

    def setUp(self):
        super().setUp()
        for path in self.csv.glob("control*.csv"):
            if path.name != "control-versions.csv":
                path.unlink()
        self.put("control-many-services", [{"services": services, "check": check, "what": what, "seconds": 0.1,
                                            "keepalived_seconds": ""}
                                           for services in (10, 100) for check in ("none", "tcp") for what in ("drain", "go", "come")])
        self.put("control-many-servers", [{"real_servers": 5000, "what": what, "seconds": 0.1, "keepalived_seconds": ""}
                                          for what in ("drain", "go", "come")])
        tools = ("coracle", "kube-proxy nftables", "kube-proxy iptables")
        self.put("control", [{"tool": tool, "services": services, "round": 0, "seconds": second} for tool in tools
                             for services in (10, 100) for second in (1.0, 1.0)])
        cost = {"round": 0, "sync_s": 1, "sync_cpu_s": 1, "idle_ms_per_s": 1, "cpu_ms_per_change": 1, "rss_mb": 20}
        self.put("control-cost", [{"tool": tool, "services": services, **cost} for tool in tools for services in (10, 100)])
        self.put("control-balancers-cost", [
            {"tool": tool, "program": program, "services": services, **cost, "cpu_ms_per_service": 1}
            for tool, program in (("Coracle", "coracle"), ("MetalLB", "controller"), ("MetalLB", "speaker"))
            for services in (10, 100)])
        for name in ("control-routes", "control-balancers"):
            self.put(name, [{"tool": tool, "services": services, "round": 0, "what": what, "seconds": 1.0}
                            for tool in ("Coracle", "MetalLB") for services in (10, 100)
                            for what in ("address", "route", "gone", "back", "deleted")])
        self.put("control-parts", [{"part": part, "vips": vips, "round": 0, "rss_mb": 5, "idle_ms_per_s": 1, "cpu_ms_per_change": 1}
                                   for part in ("exabgp", "coracle-announcer", "gobgpd") for vips in (10, 100)])
        self.put("control-checks", [{"vips": vips, "real_servers": 3 * vips, "rss_mb": 5, "peak_mb": 6, "idle_million_per_s": 1,
                                     "reload_million": 1, "check_million": 1, "check_ms_here": 1} for vips in (10, 100)])

    def put(self, name, rows):
        write(self.csv / f"{name}.csv", rows)

    def test_equal_figures_are_behind_nowhere(self):
        text = self.make("control")
        for words in ("No change took longer than 0.5 s.", "| 10 | 1.00 (1.00 to 1.00) | 1.00 (1.00 to 1.00) |",
                      "All 3 stayed below the goal of 0.5 s; the median is 0.10 s.",
                      "Coracle is behind kube-proxy nftables in none of these figures.",
                      "Coracle is behind kube-proxy iptables in none of these figures.",
                      "Coracle is behind MetalLB in none of these.",
                      "coracle is behind MetalLB's two programs together in none of these figures.",
                      "with 10 Services all processes of an LB pod take 35 MB, MetalLB's two 40 MB; with 100",
                      "None of the requests and limits is exceeded."):
            self.assertIn(words, text)
        self.assertIn("[Control plane](#control-plane): an endpoint's change is in the kernel after 0.10 s with 10 Services and "
                      "0.10 s with 100 (medians; at most 0.10 s)", text)
        self.assertIn("behind MetalLB in none of 10 medians", text)
        self.assertNotIn("second run", text.partition("## Control plane")[2])

    def test_late_changes_are_counted(self):
        self.scale("control-many-servers.csv", 10, "seconds", what=["come"])
        self.assertIn("1 of 3 took longer than the goal of 0.5 s;", self.make("control"))

    def test_numbers_of_services_with_late_changes_are_named(self):
        self.scale("control-many-services.csv", 10, "seconds", what=["go"], services=["100"])
        self.assertIn("With 100 Services (check: none) 1 of 3 changes took longer than 0.5 s", self.make("control"))

    def test_slower_and_dearer_than_kube_proxy_is_said(self):
        self.scale("control.csv", 2, "seconds", tool=["coracle"], services=["10"])
        self.scale("control-cost.csv", 0.5, "rss_mb", tool=["kube-proxy iptables"])
        text = self.make("control")
        self.assertIn("Coracle is behind kube-proxy nftables in: the delay with 10 Services.", text)
        self.assertIn("Coracle is behind kube-proxy iptables in: the delay with 10 Services; memory with 10, 100 Services.", text)

    def test_slower_and_dearer_than_metallb_is_said(self):
        self.scale("control-routes.csv", 2, "seconds", tool=["Coracle"], what=["route"], services=["100"])
        self.scale("control-balancers-cost.csv", 3, "cpu_ms_per_change", tool=["Coracle"])
        self.scale("control-parts.csv", 10, "rss_mb", part=["exabgp"])
        text = self.make("control")
        self.assertIn("**Coracle is behind MetalLB** in: created → route at the reflector (with 100 Services).", text)
        self.assertIn("behind MetalLB in 1 of 10 medians", text)
        self.assertIn("together in: CPU of a changed endpoint with 10, 100 Services.", text)
        self.assertIn("with 10 Services all processes of an LB pod take 80 MB, MetalLB's two 40 MB (Coracle is behind)", text)

    def test_requests_and_limits_that_do_not_do_are_named(self):
        self.scale("control-checks.csv", 100, "peak_mb", vips=["100"])
        self.scale("control-parts.csv", 1000, "idle_ms_per_s", part=["gobgpd"])
        self.assertIn("Exceeded is its limit of memory for ipvs, with 100 addresses; its request of CPU for gobgpd, with 10, 100 "
                      "addresses: an overlay should ask for more.", self.make("control"))

    def test_parts_that_failed_are_named_and_the_others_are_there(self):
        whole = self.make("control")
        for name in ("control", "control-many-services", "control-many-servers", "control-routes", "control-balancers-cost", "control-parts",
                     "control-checks"):
            with self.subTest(name):
                path = self.csv / f"{name}.csv"
                content = path.read_bytes()
                path.unlink()
                text = self.make("control")
                self.assertNotIn("**Not measured in this run**: what", whole)
                self.assertIn(f"**Not measured in this run**: what would be in {name}.csv.", text)
                self.assertIn("### Beside MetalLB", text)
                path.write_bytes(content)
        self.assertEqual(self.make("control"), whole)

    def test_tool_without_figures_for_a_size_is_named(self):
        for name in ("control", "control-cost"):
            rows = read(self.csv / f"{name}.csv")
            write(self.csv / f"{name}.csv", [row for row in rows if (row["tool"], row["services"]) != ("kube-proxy iptables", "10")])
        text = self.make("control")
        self.assertIn("**Not measured in this run**: coracle with 1,000, 10,000 Services; kube-proxy nftables with 1,000, 10,000 "
                      "Services; kube-proxy iptables with 10, 1,000 Services.", text)
        self.assertIn("| 10 | 1.000 (1.000 to 1.000) | 1.000 (1.000 to 1.000) | |", text)

    def test_figures_of_an_earlier_run_do_not_stand_for_a_part_that_failed(self):
        figures = self.docs / "figures"
        figures.mkdir()
        shutil.copy(self.csv / "control.csv", figures / "control_delay.csv")
        shutil.copy(self.csv / "control-routes.csv", self.csv / "control-routes-second.csv")
        subprocess.run([sys.executable, "-B", BENCH / "control.py", "--second", self.docs, figures], check=True,
                       env={**os.environ, "CORACLE_BENCH_PLOTS": "no"})
        self.assertFalse((self.csv / "control-routes-second.csv").exists())
        self.assertEqual(read(self.csv / "control-second.csv"), read(self.csv / "control.csv"))

    def test_second_run_is_compared_value_by_value(self):
        for path in list(self.csv.glob("control*.csv")):
            if path.name != "control-versions.csv":
                shutil.copy(path, path.with_stem(path.stem + "-second"))
        text = self.make("control")
        self.assertIn("In a second run 4 of the 4 ratios agree: their ranges overlap with these.", text)
        self.assertIn("In a second run 10 of the 10 ratios of Coracle's time to MetalLB's, each of one run, agree", text)
        self.assertIn("In a second run 4 of the 4 medians agree", text)
        self.scale("control-second.csv", 2, "seconds")
        self.assertIn("In a second run 4 of the 4 ratios agree", self.make("control"))
        self.scale("control-second.csv", 2, "seconds", tool=["coracle"], services=["10"])
        self.assertIn("In a second run 2 of the 4 ratios agree: their ranges overlap with these. Apart are: coracle beside kube-proxy "
                      "nftables with 10 (1 and then 2); coracle beside", self.make("control"))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main(verbosity=2)
