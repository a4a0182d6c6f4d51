"""Tests of benchmarks/compare with two made-up engines whose speeds are known."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
import py_totals

FAKE = """\
import json, os, sys
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
side = flags.pop('--side')
speed = 100.0 if flags['-n'] == '0' else 10.0
if side == 'peer':   # prefill is best without coopmat, generation with it, both without flash attention
    off = os.environ.get('GGML_VK_DISABLE_COOPMAT') == '1'
    speed *= (2.0 if off else 1.0) if flags['-n'] == '0' else (0.5 if off else 1.0)
    speed *= 0.5 if flags['-fa'] == '1' else 1.0
else:
    assert '-fa' not in flags and 'GGML_VK_DISABLE_COOPMAT' not in os.environ
row = dict(gpu_info=os.environ.get('FAKE_' + side, 'device X (a, b)'), build_commit='c', build_number=1,
           avg_ts=speed, samples_ts=[speed] * int(flags['-r']))
if side == 'ours': row['paths'] = 'device X (a, b) (driver 1.0 (c)), coopmat off, act f32'
print(json.dumps([row]))
"""

VULKANINFO = "GPU0:\n\tdeviceName         = device X (a, b)\n\tdriverName         = driver\n\tdriverInfo         = {} (c)\n"


class Compare(unittest.TestCase):
    def run_compare(self, *options, **environment):
        with tempfile.TemporaryDirectory() as folder:
            fake = pathlib.Path(folder, "fake.py")
            fake.write_text(FAKE)
            for version in ("1.0", "2.0"):
                pathlib.Path(folder, version).write_text(VULKANINFO.format(version))
            done = subprocess.run(
                [sys.executable, HERE / "compare", "-m", "model.gguf", "--rounds", "3", "--ours",
                 f"{sys.executable} {fake} --side ours", "--peer", f"{sys.executable} {fake} --side peer",
                 *(o.format(folder) for o in options)],
                capture_output=True, text=True, env={**os.environ, **environment})
        return done

    def test_peer_is_at_its_best_in_each_test(self):
        done = self.run_compare("-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        pp, tg = json.loads(done.stdout)["tests"]
        self.assertEqual((pp["peer_configuration"], pp["ratio"]), ("coopmat off, fa 0", 0.5))
        self.assertEqual((tg["peer_configuration"], tg["ratio"]), ("coopmat on, fa 0", 1.0))
        self.assertEqual(len(pp["peer_tried_ts"]), 4)
        self.assertEqual(len(pp["ratios"]), 3)

    def test_drivers(self):
        for options, environment, note in (
                ((), {"FAKE_peer": "device Y"}, "DIFFERENT DRIVERS OR DEVICES"),
                ((), {}, "not known"),
                (("--peer-vulkaninfo", "cat {}/2.0"), {}, "DIFFERENT DRIVERS:"),
                (("--peer-vulkaninfo", "cat {}/1.0"), {}, None)):
            done = self.run_compare(*options, **environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            if note:
                self.assertIn(note, done.stdout)
                self.assertIn("(!)", done.stdout)
            else:
                self.assertNotIn("note:", done.stdout)
                self.assertNotIn("(!)", done.stdout)

    def test_required_ratio(self):
        self.assertEqual(self.run_compare("--require", "0.4").returncode, 0)
        self.assertEqual(self.run_compare("--require", "0.9").returncode, 1)

    def test_failing_bench_and_wrong_test_are_named(self):
        done = self.run_compare("--peer", "false")
        self.assertEqual(done.returncode, 2)
        self.assertIn("gave no result (exit status 1)", done.stderr)
        self.assertIn("xx3 is no test", self.run_compare("--tests", "xx3").stderr)

    def test_peer_only(self):
        done = self.run_compare("--peer-only")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| pp64 | coopmat off, fa 0 | 200.00 |", done.stdout)


if __name__ == "__main__":
    py_totals.main()
