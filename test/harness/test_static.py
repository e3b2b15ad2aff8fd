"""test/static, with tools that are missing or crash, and files that are wrong."""
import subprocess
import unittest

import scratch

FILES = {
    **{f"controller/{layer}/{layer}.c": f'#include "{layer}/{layer}.h"\n' for layer in ("base", "core", "io", "app", "announcer")},
    **{f"controller/{layer}/{layer}.h": "#pragma once\n" for layer in ("base", "core", "io", "app", "announcer")},
    "routers/resilient/a.c": '#include "resilient/a.h"\n',
    "routers/resilient/a.h": "#pragma once\n",
    "docs/coracle.8": ".TH A 8\n",
    "a.yaml": "---\na: 1\n",
    "a.py": "print(1)\n",
}
# The tool that decides; or, where that is grep or the like, a file that is wrong.
TOOLS = {"format": "clang-format-14", "tidy": "clang-tidy-14", "analyzer": "gcc", "cppcheck": "cppcheck",
         "shellcheck": "shellcheck", "yamllint": "yamllint", "python": "pyflakes3", "manual": "mandoc", "banned_calls": "grep",
         "layers": "grep", "size": "wc", "whitespace": "grep"}
FAULTS = {
    "banned_calls": ("controller/core/core.c", 'int main(void) { system("x"); }\n'),
    "layers": ("controller/core/core.c", '#include "io/io.h"\n'),
    "size": ("controller/core/core.c", "\n" * 451),
    "whitespace": ("a.py", "print(1) \n"),
}


class TestStatic(scratch.Scratch):
    SCRIPT = "static"

    def setUp(self):
        super().setUp()
        for path, text in FILES.items():
            self.write(path, text)
        self.write(".gitignore", "bin/\n")
        subprocess.run(["git", "init", "-q", self.tree], check=True)
        for tool in set(TOOLS.values()) - {"grep", "wc"}:
            self.program(f"bin/{tool}")
        for tool in ("cmake", "man", "pkg-config"):
            self.program(f"bin/{tool}")

    def verdicts(self, *names):
        """({check: whether it passed}, the exit code, all that was said)"""
        code, lines = self.run_script(*names)
        return {line.split("static.")[1].split()[0]: line.startswith("ok ") for line in lines
                if line.startswith(("ok static.", "not ok static."))}, code, lines

    def test_every_check_passes_when_its_tool_has_nothing_to_say(self):
        verdicts, code, lines = self.verdicts()
        self.assertEqual(verdicts, dict.fromkeys(TOOLS, True), lines)
        self.assertEqual(code, 0)

    def test_tool_that_fails_crashes_or_is_missing_fails_the_check(self):
        for check, tool in TOOLS.items():
            for what in ("exit 1", "kill -KILL $$", "exit 127"):
                if what == "exit 1" and tool == "grep":  # "nothing found"
                    continue
                with self.subTest(check, what=what):
                    self.program(f"bin/{tool}", what)
                    verdicts, code, lines = self.verdicts(check)
                    self.assertEqual((verdicts, code), ({check: False}, 1), lines)
            if tool in ("grep", "wc"):
                (self.tree / "bin" / tool).unlink()
            else:
                self.program(f"bin/{tool}")

    def test_files_that_are_wrong_are_found(self):
        for check, (path, text) in FAULTS.items():
            with self.subTest(check):
                before = (self.tree / path).read_text()
                self.write(path, text)
                verdicts, code, lines = self.verdicts(check)
                self.assertEqual((verdicts, code), ({check: False}, 1), lines)
                self.assertIn(path, "\n".join(lines))
                self.write(path, before)

    def test_without_a_list_of_files_every_check_fails(self):
        subprocess.run(["rm", "-rf", self.tree / ".git"], check=True)
        verdicts, code, lines = self.verdicts()
        del verdicts["cppcheck"]  # it looks for its files itself
        self.assertEqual((set(verdicts.values()), code), ({False}, 1), lines)


if __name__ == "__main__":
    unittest.main()
