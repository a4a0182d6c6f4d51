#!/usr/bin/env python3
"""The full sweep of the RDNA rig: every variant of every kernel on every chip, in every order of waves, groups and dispatches,
with all checks on; then which rows of the opcode table ran.

    sweep.py --ops-test PROGRAM --interpreter-test PROGRAM --rig LIBRARY --driver ICD [--jobs N]

`ninja -C build rdna-sweep` runs it. Exit status 0: everything passed.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

CHIPS = ("gfx1201", "navi31", "strix1")
ORDERS = ("", "reverse", "random=1", "random=2")


def run(options, opcodes, chip, order):
    environment = dict(os.environ, LD_PRELOAD=f"{options.rig} libamdgpu_noop_drm_shim.so", AMDGPU_GPU_ID=chip,
                       VK_DRIVER_FILES=options.driver, MESA_SHADER_CACHE_DISABLE="true", MESA_VK_IGNORE_CONFORMANCE_WARNING="true",
                       VKINFER_RDNA=",".join(["report", "strict", f"opcodes={opcodes}"] + ([order] if order else [])))
    start = time.time()
    done = subprocess.run([options.ops_test], env=environment, capture_output=True, text=True, errors="replace")
    return chip, order or "forward", done, time.time() - start


def row_names(lines):
    """{generation: {what: set of rows}} of an opcode file."""
    rows = collections.defaultdict(lambda: collections.defaultdict(set))
    for line in lines:
        generation, rest = line.strip().split(" ", 1)
        name, what = rest.rsplit(" ", 1)
        rows[generation][what].add(name)
    return rows


def print_opcodes(path):
    with open(path, encoding="utf-8") as file:
        rows = row_names(file)
    for generation, what in sorted(rows.items()):
        known, ran, tested = what["known"], what["run"], what["tested"]
        print(f"opcode table of {generation}: {len(known)} rows; kernels ran {len(ran)} ({100 * len(ran) / len(known):.0f} %), "
              f"unit tests alone {len(tested - ran)}, nothing {len(known - ran - tested)}")
        print("  unit tests alone: " + ", ".join(sorted(tested - ran)))
        print("  nothing: " + ", ".join(sorted(known - ran - tested)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ops-test", "interpreter-test", "rig", "driver"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    start, failed = time.time(), 0
    with tempfile.TemporaryDirectory() as folder:
        opcodes = os.path.join(folder, "opcodes")
        tested = subprocess.run([options.interpreter_test], env=dict(os.environ, VKINFER_RDNA=f"opcodes={opcodes}"),
                                capture_output=True, text=True)
        failed += tested.returncode != 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            jobs = [pool.submit(run, options, opcodes, chip, order) for order in ORDERS for chip in CHIPS]
            for job in concurrent.futures.as_completed(jobs):
                chip, order, done, seconds = job.result()
                text = done.stdout + done.stderr
                cases = re.search(r"vkinfer-tests: .*", text)
                counts = re.search(r"rdna: (\d+ dispatches, \d+ instructions).*?(\d+ faults, \d+ loads beyond a buffer)", text)
                variants = re.search(r"\d+ of \d+ variants", text)
                print(f"{chip:8} {order:9} {'passed' if done.returncode == 0 else 'FAILED'}  {seconds:4.0f} s  "
                      f"{cases.group(0)[15:] if cases else 'no totals'}; {variants.group(0) if variants else 'no variants'}; "
                      f"{', '.join(counts.groups()) if counts else 'no report'}", flush=True)
                if done.returncode != 0:
                    failed += 1
                    print("\n".join(text.splitlines()[-40:]))
        print_opcodes(opcodes)
    print(f"{'passed' if failed == 0 else 'FAILED'} in {time.time() - start:.0f} s with {options.jobs} at a time")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
