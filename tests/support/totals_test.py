"""Tests of totals.py: nothing that went wrong may look like a pass."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import py_totals
import totals


def entry(stdout="", result="OK", returncode=0, stderr=""):
    return {"name": "t", "stdout": stdout, "stderr": stderr, "result": result, "returncode": returncode}


class Count(unittest.TestCase):
    def test_line_is_taken_as_it_stands(self):
        self.assertEqual(totals.count(entry("x\nvkinfer-tests: 5 passed, 0 failed, 2 skipped\n")), (5, 0, 2, ""))

    def test_several_lines_add_up(self):
        line = "vkinfer-tests: 5 passed, 0 failed, 2 skipped\n"
        self.assertEqual(totals.count(entry(line + line))[:3], (10, 0, 4))

    def test_crash_after_the_line_is_a_failure(self):
        counted = totals.count(entry("vkinfer-tests: 5 passed, 0 failed, 0 skipped\n", "FAIL", -11))
        self.assertEqual(counted[:3], (5, 1, 0))

    def test_crash_and_time_out_without_a_line_are_failures(self):
        for result in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"):
            self.assertEqual(totals.count(entry("", result, 1))[:3], (0, 1, 0))

    def test_skip_is_no_pass(self):
        self.assertEqual(totals.count(entry("skipped: no device\n", "SKIP", 77))[:3], (0, 0, 1))

    def test_validation_error_is_a_failure(self):
        said = entry("Validation Error: [ SYNC-HAZARD-WRITE-AFTER-WRITE ]\nvkinfer-tests: 5 passed, 0 failed, 0 skipped\n")
        self.assertEqual(totals.count(said)[:3], (5, 1, 0))


class Program(unittest.TestCase):
    def run_on(self, entries, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
            log.write("".join(json.dumps(e) + "\n" for e in entries))
            log.flush()
            done = subprocess.run([sys.executable, totals.__file__, *options, log.name], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_nothing_ran(self):
        self.assertEqual(self.run_on([]), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertEqual(self.run_on([entry("", "SKIP", 77)]), (1, "0 passed, 1 failed, 1 skipped"))

    def test_a_program_that_did_not_run(self):
        self.assertEqual(self.run_on([entry()], "--expect", "2"), (1, "1 passed, 1 failed, 0 skipped"))

    def test_all_passed(self):
        self.assertEqual(self.run_on([entry(), entry()], "--expect", "2"), (0, "2 passed, 0 failed, 0 skipped"))


class PythonTests(unittest.TestCase):
    """What py_totals says of a program whose tests end in every way there is."""

    def run_tests(self, body):
        text = ("import sys, unittest\n" + f"sys.path.insert(0, {os.path.dirname(totals.__file__)!r})\n"
                + "import py_totals\nclass T(unittest.TestCase):\n"
                + "".join(f"    {line}\n" for line in body.splitlines()) + "py_totals.main()\n")
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[-1].removeprefix("vkinfer-tests: ")

    def test_each_way(self):
        good, bad, skip = "def test_a(self): pass\n", "def test_b(self): 1 / 0\n", "def test_c(self): self.skipTest('x')\n"
        self.assertEqual(self.run_tests(good), (0, "1 passed, 0 failed, 0 skipped"))
        self.assertEqual(self.run_tests(good + bad), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertEqual(self.run_tests(good + skip), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.run_tests(skip), (77, "0 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.run_tests("pass"), (1, "0 passed, 0 failed, 0 skipped"))

    def test_parts_of_a_test_count_once(self):
        parts = "def test_d(self):\n    for i in range(3):\n        with self.subTest(i=i): {}\n"
        self.assertEqual(self.run_tests(parts.format("1 / 0")), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertEqual(self.run_tests(parts.format("self.skipTest('x')")), (77, "0 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.run_tests(parts.format("pass")), (0, "1 passed, 0 failed, 0 skipped"))

    def test_a_set_up_that_fails(self):
        body = "@classmethod\ndef setUpClass(cls): 1 / 0\ndef test_a(self): pass\n"
        self.assertEqual(self.run_tests(body), (1, "0 passed, 1 failed, 0 skipped"))


if __name__ == "__main__":
    py_totals.main()
