#!/usr/bin/env python3
"""The demo model answers on an emulated chip: the whole program, with tokens chosen by the chip and several steps in one
submission."""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import py_totals  # noqa: E402
import unittest  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--vkinfer", required=True)
parser.add_argument("--demo", required=True)
options, rest = parser.parse_known_args()
sys.argv[1:] = rest


class Answer(unittest.TestCase):
    def test_answer(self):
        for sampling in (["--temp", "0"], ["--seed", "7"]):
            for where in ("on", "off"):
                done = subprocess.run([options.vkinfer, "run", "-m", options.demo, "-c", "256", "-ub", "32", "-n", "16",
                                       "-bs", where, "-p", "What is 17 + 25?", *sampling],
                                      capture_output=True, text=True, timeout=200)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout.strip(), "17 + 25 = 42.", (sampling, where))
                self.assertIn(" 0 faults", done.stderr)


if __name__ == "__main__":
    py_totals.main()
