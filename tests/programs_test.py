"""Runs the programs as users do, on one device: load a model, compile every pipeline, record, submit, answer.

    programs_test.py --rig NAME --vkinfer PROGRAM --bench PROGRAM --make-model PROGRAM --demo MODEL.gguf

The meson test sets the device's environment. Only lavapipe computes; the AMD rigs compile, record and submit for GPUs that
are not there, so nothing they answer is looked at.
"""

import argparse
import array
import json
import os
import pathlib
import pty
import re
import random
import signal
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
PROFILES = pathlib.Path(__file__).resolve().parent / "profiles"


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


class Memory(unittest.TestCase):
    def test_a_plan_for_this_machine_and_for_its_profile(self):
        here = json.loads(run(OPTIONS.vkinfer, "plan", SYNTHETIC, "-c", "1024", "-np", "2", "--json"))
        self.assertEqual((here["n_ctx"], here["n_parallel"], here["is_estimate"]), (1024, 2, False))
        self.assertGreater(here["needs"]["weights"], 0)
        self.assertLessEqual(here["allocated_bytes"], here["peak_bytes"])
        self.assertEqual(sum(heap["planned_bytes"] for heap in here["heaps"]), here["peak_bytes"])
        profile = os.path.join(CACHE.name, "profile.json")
        with open(profile, "w") as file:
            file.write(run(OPTIONS.vkinfer, "devices", "--json"))
        there = json.loads(run(OPTIONS.vkinfer, "plan", SYNTHETIC, "-c", "1024", "-np", "2", "--profile", profile, "--json"))
        self.assertEqual(here["needs"], there["needs"])

    def test_a_plan_from_the_beginning_of_a_file(self):
        beginning = os.path.join(CACHE.name, "beginning.gguf")
        with open(SYNTHETIC, "rb") as whole, open(beginning, "wb") as part:
            part.write(whole.read(256 * 1024))
        text = run(OPTIONS.vkinfer, "plan", beginning, "--profile", str(PROFILES / "strix-halo-64.json"))
        self.assertIn("It fits: -c ", text)

    def test_the_doctor(self):
        self.assertIn("GTT limit", run(OPTIONS.vkinfer, "doctor", "--profile", str(PROFILES / "strix-halo-128-default.json")))
        done = subprocess.run([OPTIONS.vkinfer, "doctor"], capture_output=True, text=True, timeout=60)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertIn("driver", done.stdout)


class Loading(unittest.TestCase):
    def test_ctrl_c_ends_it_cleanly_and_a_terminal_sees_rate_and_time_left(self):
        model = os.path.join(CACHE.name, "large.gguf")
        run(OPTIONS.make_model, "--layers", "4", "--embd", "2048", "--ff", "8192", "--heads", "16", "--kv-heads", "4",
            "--head-size", "128", "--vocab", "512", "--type", "F32", model)  # 1 GB
        ours, theirs = pty.openpty()
        process = subprocess.Popen([OPTIONS.vkinfer, "run", "-m", model, "-p", "x", "-n", "1", "-c", "64", "-ub", "8"],
                                   stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "XDG_CACHE_HOME": CACHE.name})
        os.close(theirs)
        shown = ""
        is_interrupted = False
        while True:
            try:
                part = os.read(ours, 4096).decode(errors="replace")
            except OSError:  # the other end was closed
                break
            if not part:
                break
            shown += part
            if not is_interrupted and re.search(r"loading .* GB/s, \d+ s left", shown):
                process.send_signal(signal.SIGINT)
                is_interrupted = True
        os.close(ours)
        out, _ = process.communicate(timeout=60)
        os.remove(model)
        self.assertTrue(is_interrupted, shown)
        self.assertIn("Loading was cancelled.", shown)
        self.assertGreater(process.returncode, 0)
        self.assertEqual(out, b"")


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

    @unittest.skipUnless(COMPUTES, "no time passes where nothing is computed")
    def test_profile(self):
        trace = os.path.join(CACHE.name, "trace.json")
        done = subprocess.run([OPTIONS.bench, "-m", SYNTHETIC, "-p", "64", "-n", "2", "-r", "1", "--profile", "--profile-trace", trace],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("prefill: 1 step of 64.0 tokens", done.stderr)
        self.assertIn("decode: 2 steps of 1.0 tokens", done.stderr)
        with open(trace) as file:
            events = [event for event in json.load(file)["traceEvents"] if event["ph"] == "X"]
        steps = [event for event in events if event["tid"] == 1]
        self.assertEqual(len(steps), 3)
        for step in steps:
            inside = [event for event in events if event["tid"] == 2 and event["args"]["step"] == step["args"]["step"]]
            self.assertGreater(len(inside), 10)
            # Every dispatch takes time, and together they are the step.
            self.assertGreater(min(event["dur"] for event in inside), 0)
            self.assertAlmostEqual(sum(event["dur"] for event in inside), step["dur"], delta=1)

    def test_micro_batches(self):
        self.check(SYNTHETIC, "-ub", "7")

    def test_demo_model(self):
        self.check(demo_model())

    @unittest.skipUnless(COMPUTES, "the shapes differ from others in nothing that a compiler sees")
    def test_every_architecture(self):
        for name, *options in (("llama",), ("qwen2",), ("qwen3",), ("llama", "--experts", "8"), ("qwen2moe", "--experts", "8"),
                               ("qwen3moe", "--experts", "8"), ("glm4moe", "--experts", "8"), ("gpt-oss", "--experts", "8")):
            with self.subTest(name, options=options):
                model = os.path.join(CACHE.name, "architecture.gguf")
                run(OPTIONS.make_model, "--architecture", name, *options, "--layers", "2", "--embd", "256", "--ff", "256", "--heads",
                    "4", "--kv-heads", "2", "--vocab", "512", "--type", "Q4_K_M", "--type-of", "attn_q=Q8_0", model)
                model_type = self.check(model)[0]["model_type"]
                self.assertTrue(model_type.startswith(name + " ") and model_type.endswith(" Q4_K_M"), model_type)


# Name, elements and bytes of a block of every type of weight tensors.
BLOCKS = {
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24),
    "Q8_0": (32, 34), "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210),
    "IQ1_S": (256, 50), "IQ1_M": (256, 56), "IQ2_XXS": (256, 66), "IQ2_XS": (256, 74), "IQ2_S": (256, 82),
    "IQ3_XXS": (256, 98), "IQ3_S": (256, 110), "IQ4_NL": (32, 18), "IQ4_XS": (256, 136), "TQ1_0": (256, 54),
    "TQ2_0": (256, 66), "MXFP4": (32, 17), "NVFP4": (64, 36), "Q1_0": (128, 18), "Q2_0": (64, 18),
}


class Dequant(unittest.TestCase):
    """Random bytes are blocks too. A number of blocks that fills no row, and more than one chunk of the stream."""

    def decode(self, name, place, blocks):
        done = subprocess.run([OPTIONS.vkinfer, "dequant", "--type", name, "--on", place], input=blocks, capture_output=True,
                              timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return array.array("f", done.stdout)

    def check(self, name, n_blocks):
        elements, size = BLOCKS[name]
        blocks = random.Random(name).randbytes(n_blocks * size)
        on_gpu = self.decode(name, "gpu", blocks)
        self.assertEqual(len(on_gpu), n_blocks * elements)
        if not COMPUTES:
            return
        for i, (x, y) in enumerate(zip(on_gpu, self.decode(name, "cpu", blocks))):
            # Random scales may be NaN; a device may flush what is too small for a normal float.
            if not (x == y or (x != x and y != y) or abs(y) < 2.0**-126):
                self.fail(f"element {i} is {x} on the device and {y} on the CPU")

    def test_every_type(self):
        for name in BLOCKS if COMPUTES else ("Q4_K", "IQ2_XS"):
            with self.subTest(name):
                self.check(name, 37)

    def test_a_long_stream(self):
        self.check("Q4_0", (1 << 15) + 3)

    def test_a_type_without_kernel(self):
        done = subprocess.run([OPTIONS.vkinfer, "dequant", "--type", "Q8_K", "--on", "gpu"], input=b"", capture_output=True,
                              timeout=600)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"no kernel decodes Q8_K", done.stderr)


if COMPUTES:

    class Answers(unittest.TestCase):
        def test_every_path_adds_up(self):
            model = demo_model()
            for options in (("--coopmat", "auto"), ("--coopmat", "off"), ("--act", "f32"), ("-ctk", "q8_0", "-ctv", "q8_0")):
                with self.subTest(" ".join(options)):
                    self.assertIn("42", run(OPTIONS.vkinfer, "run", "-m", model, "-p", "What is 17 + 25?", *options))


    class Perplexity(unittest.TestCase):
        def test_a_run_agrees_with_itself_and_other_caches_move_it(self):
            model, text, base = demo_model(), os.path.join(CACHE.name, "text"), os.path.join(CACHE.name, "base")
            with open(text, "w", encoding="utf-8") as out:
                out.write("vkinfer is an engine that runs language models on the GPU through Vulkan.\n" * 20)
            common = (OPTIONS.vkinfer, "perplexity", "-m", model, "-f", text, "-c", "64", "--chunks", "3")
            first = run(*common, "--save-base", base)
            self.assertRegex(first, r"perplexity [0-9.]+ \+/- [0-9.]+ \(93 positions\)")
            divergence = {}
            for cache in ("f16", "q8_0", "q4_0"):
                again = run(*common, "--kl-divergence-base", base, "-ctk", cache, "-ctv", cache)
                divergence[cache] = float(re.search(r"mean ([0-9.]+)", again).group(1))
            self.assertLess(divergence["f16"], 1e-4)
            self.assertLess(divergence["f16"], divergence["q8_0"])
            self.assertLess(divergence["q8_0"], divergence["q4_0"])
            refused = subprocess.run([*common[:-1], "2", "--kl-divergence-base", base], capture_output=True, text=True)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("--save-base", refused.stderr)


if __name__ == "__main__":
    py_totals.main()
