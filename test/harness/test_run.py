"""test/run, with the real ctest and tests that end in every way."""
import unittest

import scratch

WAYS = {  # how a test ends that does not pass, and what is told of it
    "is_skipped": ("exit 77", "skip unit.is_skipped"),
    "fails": ("exit 1", "not ok unit.fails"),
    "aborts": ("kill -ABRT $$", "not ok unit.aborts"),
    "is_killed": ("kill -KILL $$", "not ok unit.is_killed"),
    "crashes": ("kill -SEGV $$", "not ok unit.crashes"),
    "hangs": ("sleep 60", "not ok unit.hangs"),
    "is_missing": (None, "not ok unit.is_missing"),
}


class TestRun(scratch.Scratch):
    SCRIPT = "run"

    def setUp(self):
        super().setUp()
        self.program("test/install-packages")
        self.program("bin/cmake")

    def tests(self, *names):
        """What cmake would have configured: tests that end in these ways."""
        text = ""
        for name in names:
            command = "exit 0" if name == "passes" else WAYS[name][0]
            program = f'"/bin/sh" "-c" "{command}"' if command else f'"{self.tree}/absent"'
            text += (f"add_test(unit.{name} {program})\n"
                     f"set_tests_properties(unit.{name} PROPERTIES LABELS unit TIMEOUT {1 if name == 'hangs' else 60} "
                     f"SKIP_RETURN_CODE 77)\n")
        self.write("build/asan/CTestTestfile.cmake", text)

    def test_tests_that_pass_are_success(self):
        self.tests("passes", "is_skipped")
        code, lines = self.run_script("unit")
        self.assertEqual((code, lines[-1]), (0, "1 passed, 0 failed, 1 skipped"))

    def test_every_way_to_fail_is_a_failure(self):
        for name, (_, told) in WAYS.items():
            with self.subTest(name):
                self.tests("passes", name)
                code, lines = self.run_script("unit")
                self.assertEqual(sum(line.startswith(told) for line in lines), 1, lines)
                failed = told.startswith("not ok")
                self.assertEqual(code, int(failed), lines)
                if failed:
                    self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")

    def test_failures_are_repeated_at_the_end_with_their_section(self):
        self.tests("passes", "fails")
        self.program("test/static", "echo ok static.tidy", "echo 'not ok static.size (3 ms)'", "exit 1")
        _, lines = self.run_script("unit", "static")
        self.assertEqual(lines[-4], "== failed")
        self.assertTrue(lines[-3].startswith("unit: not ok unit.fails"), lines)
        self.assertEqual(lines[-2], "static: not ok static.size (3 ms)")

    def test_what_a_failing_test_says_is_not_counted(self):
        self.write("build/asan/CTestTestfile.cmake", 'add_test(unit.talks "/bin/sh" "-c" "echo ok one; echo not ok two; exit 1")\n'
                                                     "set_tests_properties(unit.talks PROPERTIES LABELS unit)\n")
        code, lines = self.run_script("unit")
        self.assertEqual((code, lines[-1]), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertIn("   not ok two", lines)

    def test_section_without_tests_is_a_failure(self):
        self.tests()
        code, lines = self.run_script("unit")
        self.assertEqual(code, 1, lines)
        self.program("test/static")
        code, lines = self.run_script("static")
        self.assertEqual((code, lines[-2]), (1, "static: not ok static: no test has run"), lines)

    def test_section_that_was_skipped_is_a_failure_in_ci_only(self):
        self.tests("is_skipped")
        self.assertEqual(self.run_script("unit")[1][-1], "0 passed, 0 failed, 1 skipped")
        code, lines = self.run_script("unit", CI="true")
        self.assertEqual((code, lines[-1]), (1, "0 passed, 1 failed, 1 skipped"))

    def test_ctest_that_cannot_be_run_is_a_failure(self):
        self.tests("passes")
        self.program("bin/ctest", "exit 127")
        code, lines = self.run_script("unit")
        self.assertEqual((code, lines[-2]), (1, "unit: not ok unit: ended with status 127"), lines)

    def test_ctest_that_dies_half_way_is_a_failure(self):
        self.program("bin/ctest", "echo '1/2 Test  #1: unit.one ....   Passed    0.05 sec'", "kill -KILL $$")
        code, lines = self.run_script("unit")
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_build_that_fails_is_a_failure(self):
        self.program("bin/cmake", "echo no compiler", "exit 1")
        code, lines = self.run_script("unit")
        self.assertEqual(code, 1)
        self.assertIn("no compiler", lines)


if __name__ == "__main__":
    unittest.main()
