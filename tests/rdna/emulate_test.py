#!/usr/bin/env python3
"""`vkinfer shaders --emulate` on a chip: every kernel of the demo model's plans has its name, counts and terms of the model."""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import py_totals  # noqa: E402
import unittest  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--vkinfer", required=True)
parser.add_argument("--rig", required=True)
parser.add_argument("--demo", required=True)
parser.add_argument("--chip", required=True)
options, rest = parser.parse_known_args()
sys.argv[1:] = rest


def emulate(*more):
    # The program preloads the rig by itself; here it must not be there already.
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "AMDGPU_GPU_ID", "VKINFER_RDNA")}
    return subprocess.run([options.vkinfer, "shaders", "--emulate", options.chip, "--rig", options.rig, "-m", options.demo,
                           "-p", "40", "-n", "2", *more], capture_output=True, text=True, env=environment, timeout=300)


class Emulate(unittest.TestCase):
    def test_counts_by_kernel(self):
        done = emulate("--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        for phase, expected in (("prefill", "gemm_coopmat.q8_0"), ("decode", "matvec.q8_0.q8")):
            kernels = report[phase]["kernels"]
            self.assertEqual(report[phase]["chip"]["id"], options.chip)
            self.assertTrue(all(k["pipeline"] for k in kernels), [k["code"] for k in kernels if not k["pipeline"]])
            self.assertTrue(any(k["pipeline"].startswith(expected) for k in kernels), expected)
            for k in kernels:
                self.assertGreater(k["waves"], 0)
                self.assertGreater(k["model"]["clocks"], 0)
                self.assertGreater(k["model"]["together"], 0)
                self.assertIn(k["lanes"], (32, 64))
                self.assertLessEqual(k["loads"]["line_use"], 1)
                self.assertGreaterEqual(k["lds_clocks"], k["lds_ideal_clocks"])
            products = sum(k["instructions"]["matrix"] for k in kernels)
            self.assertEqual(products > 0, phase == "prefill")
        # 40 tokens against a weight of 128 x 128 in 16 x 16 x 16 products: 3 columns of tiles at least.
        self.assertGreater(sum(k["instructions"]["matrix"] for k in report["prefill"]["kernels"]), 8 * 8 * 3)

    def test_table(self):
        done = emulate()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("decode of 2 tokens", done.stdout)
        self.assertIn("An estimate from counts, not a measurement", done.stdout)
        self.assertNotIn("(the driver's own)", done.stdout)


if __name__ == "__main__":
    py_totals.main()
