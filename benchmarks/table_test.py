"""Tests of benchmarks/table with made-up programs whose speeds are known."""

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

PROGRAMS = {
    "vkinfer": 'print(json.dumps([dict(name="device X", type="cpu", driver_name="driver", driver_info="1.0 (c)")]))',
    "vkinfer-make-model": 'if "broken" in sys.argv: sys.exit("no such preset")\nopen(sys.argv[-1], "w").write("model")',
    "vkinfer-bench": """
if '--profile' in sys.argv:
    print('all 100.0 %')
    sys.exit()
flag = lambda name, default='0': sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default
peer = '-fa' in sys.argv
if flag('-d') == '9': sys.exit('out of memory')
roofs = dict(bytes_per_token=2e6, bytes_per_second=5e9, flops_per_second=1e11, roof_read_bytes=2e10, roof_copy_bytes=1e10,
             roof_f32_flops=2e11, roof_f16_matrix_flops=0, roof_s8_dot_flops=0, roof_s8_matrix_flops=0)
rows = []
for kind, values in (('n_prompt', flag('-p')), ('n_gen', flag('-n'))):
    for value in values.split(','):
        if value == '0': continue
        row = dict(n_prompt=0, n_gen=0, build_commit='abc', build_number=1, gpu_info='device X', model_type='a model', median_ts=100.0,
                   samples_ts=[50.0 if peer else 100.0] * int(flag('-r')))
        row[kind] = int(value)
        if not peer: row['paths'] = 'device X (driver 1.0 (c)), coopmat off'
        if '--roofline' in sys.argv: row.update(roofs)
        rows.append(row)
print(json.dumps(rows))
""",
}


class Table(unittest.TestCase):
    def run_table(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            binaries = pathlib.Path(folder, "bin")
            binaries.mkdir()
            for name, text in PROGRAMS.items():
                path = binaries / name
                path.write_text(f"#!{sys.executable}\nimport json, sys\n{text}\n")
                path.chmod(0o755)
            info = pathlib.Path(folder, "info")
            info.write_text("GPU0:\n\tdeviceName = device X\n\tdriverName = driver\n\tdriverInfo = 1.0 (c)\n")
            out = pathlib.Path(folder, "out")
            done = subprocess.run([sys.executable, HERE / "table", "--bin", str(binaries), "--out", str(out), "--rounds", "2",
                                   *(o.format(binaries=binaries, info=info) for o in options)],
                                  capture_output=True, text=True, env=os.environ)
            self.assertEqual(done.returncode, 0, done.stderr)
            report = json.loads((out / "table.json").read_text())
            self.assertEqual((out / "table.md").read_text(), done.stdout)
            self.profiles = sorted(path.name for path in out.glob("profile.*"))
        return done.stdout, report

    def test_our_numbers_with_shares(self):
        text, report = self.run_table("--models", "small,small:Q8_0", "--tests", "pp64,c8/tg16@d9")
        self.assertIn("Device: device X (driver 1.0 (c)).", text)
        self.assertIn("| pp64 | 100.00 | 2.00 | 5.00 | 25.0 % | 50.0 % | 0.1000 | 50.0 % |  |", text)
        self.assertIn("| c8 | 100.00 | 100.00 - 100.00 |", text)
        self.assertIn("| tg16@d9 | failed | |", text)
        self.assertEqual(list(report["models"]), ["small", "small:Q8_0"])
        self.assertEqual(self.profiles, ["profile.small.Q8_0.txt", "profile.small.txt"])

    def test_beside_another_engine(self):
        text, report = self.run_table("--models", "small", "--tests", "pp64", "--peer", "{binaries}/vkinfer-bench",
                                      "--peer-vulkaninfo", "cat {info}")
        self.assertIn("| pp64 | 100.00 | 100.00 - 100.00 | 50.00 | coopmat on, fa 0 | 2.00 | 2.00 - 2.00 |", text)
        self.assertNotIn("DIFFERENT", text)
        text, report = self.run_table("--models", "small", "--tests", "pp64", "--peer", "{binaries}/vkinfer-bench")
        self.assertIn("2.00 (!)", text)

    def test_what_is_left_out_is_said(self):
        text, report = self.run_table("--models", "small,broken", "--tests", "pp64,tg16", "--minutes", "0.1")
        self.assertEqual(report["left_out"], ["small pp64", "small tg16"])
        self.assertIn("No time was left for: small pp64, small tg16.", text)
        self.assertIn("broken: no such preset", text)


if __name__ == "__main__":
    py_totals.main()
