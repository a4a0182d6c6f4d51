"""Runs the programs as users do, on one device: load a model, compile every pipeline, record, submit, answer.

    programs_test.py --rig NAME --vkinfer PROGRAM --bench PROGRAM --make-model PROGRAM --demo MODEL.gguf

The meson test sets the device's environment. Only lavapipe computes; the AMD rigs compile, record and submit for GPUs that
are not there, so nothing they answer is looked at.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
import py_totals

KV_TYPES = ("f16", "q8_0", "q4_0")


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("rig", "vkinfer", "bench", "make-model", "demo"):
        parser.add_argument("--" + name, required=True)
    options, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return options


OPTIONS = arguments()
COMPUTES = OPTIONS.rig == "lavapipe"


def run(*command, **options):
    environment = {**os.environ, "XDG_CACHE_HOME": CACHE.name}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def setUpModule():
    global CACHE, SYNTHETIC
    CACHE = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(CACHE.cleanup)
    SYNTHETIC = os.path.join(CACHE.name, "synthetic.gguf")
    run(OPTIONS.make_model, "--layers", "2", "--embd", "256", "--ff", "512", "--heads", "4", "--kv-heads", "2", "--head-size",
        "64", "--vocab", "512", "--type", "Q4_0", SYNTHETIC)


def demo_model():
    if not os.path.exists(OPTIONS.demo):
        raise unittest.SkipTest("there is no demo model")
    return OPTIONS.demo


class Devices(unittest.TestCase):
    def test_the_rig_is_the_first_device(self):
        first = json.loads(run(OPTIONS.vkinfer, "devices", "--json"))[0]
        self.assertTrue(first["usable"], first)
        self.assertIn("llvmpipe" if COMPUTES else "RADV", first["name"])


class Bench(unittest.TestCase):
    """Prompts longer than a tile and single tokens, through every path that can be chosen."""

    def check(self, model, *options):
        rows = json.loads(run(OPTIONS.bench, "-m", model, "-p", "70", "-n", "3", "-r", "1", "-o", "json", *options))
        self.assertEqual([(row["n_prompt"], row["n_gen"]) for row in rows], [(70, 0), (0, 3)])
        for row in rows:
            self.assertGreater(row["avg_ts"], 0)
            self.assertEqual(len(row["samples_ts"]), 1)
        return rows

    def test_coopmat(self):
        for coopmat in ("auto", "off"):
            with self.subTest(coopmat):
                self.check(SYNTHETIC, "--coopmat", coopmat)

    def test_kv_types(self):
        for k in KV_TYPES:
            for v in KV_TYPES:
                with self.subTest(k=k, v=v):
                    self.check(SYNTHETIC, "-ctk", k, "-ctv", v)

    def test_micro_batches(self):
        self.check(SYNTHETIC, "-ub", "7")

    def test_demo_model(self):
        self.check(demo_model())


if COMPUTES:

    class Answers(unittest.TestCase):
        def test_every_path_adds_up(self):
            model = demo_model()
            for options in (("--coopmat", "auto"), ("--coopmat", "off"), ("--act", "f32"), ("-ctk", "q8_0", "-ctv", "q8_0")):
                with self.subTest(" ".join(options)):
                    self.assertIn("42", run(OPTIONS.vkinfer, "run", "-m", model, "-p", "What is 17 + 25?", *options))


if __name__ == "__main__":
    py_totals.main()
