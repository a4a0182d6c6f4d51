#!/usr/bin/env python3
"""Counts the machine instructions of kernels' loops: what a hot loop spends per matrix product or per weight.

    isa_report.py [--vkinfer PROGRAM] [--match TEXT] [--min N] [-m MODEL.gguf ...] [options of vkinfer shaders]

Reads `vkinfer shaders --isa TEXT`, so it sees the driver and device that the environment selects; Mesa's DRM shim shows AMD GPUs
that are not there (docs/benchmarking.md). Every basic block of at least N instructions (default 24) inside a loop is one line, as
a loop may have a common and a rare path. Cycles are a model: a matrix instruction costs what RADV's compiler assumes (f16: 32 on
gfx11, 16 on gfx12), a vector instruction 1 in waves of 32 and 2 in waves of 64, a transcendental one four times that.
"""

import argparse
import collections
import re
import subprocess
import sys

CLASSES = (("wmma", r"v_s?wmma"), ("dot", r"v_dot"), ("trans", r"v_(s_)?(rcp|rsq|sqrt|exp|log|sin|cos)_"),
           ("lane", r"v_(read|write)lane|v_readfirstlane|v_permlane|ds_bpermute|ds_swizzle"), ("valu", r"v_(?!nop)"), ("lds", r"ds_"),
           ("vmem", r"(global|buffer|scratch|flat)_"), ("smem", r"s_(buffer_)?load"), ("wait", r"s_wait"), ("barrier", r"s_barrier"),
           ("salu", r"s_(?!nop|delay|clause|code_end|set|inst)"))
BRANCH = re.compile(r"s_c?branch\w*\s+(BB\d+)")


def class_of(instruction):
    return next((name for name, pattern in CLASSES if re.match(pattern, instruction)), "other")


def pipelines(text):
    """(name, lines of assembly) of each pipeline in the output of vkinfer shaders --isa."""
    name, lines = None, []
    for line in text.splitlines():
        if line.startswith("== "):
            if name:
                yield name, lines
            name, lines = line[3:].strip(), []
        elif name:
            lines.append(line)
    if name:
        yield name, lines


def basic_blocks(lines):
    """[(label, instructions)] in order; blocks end at branches too."""
    blocks = [("entry", [])]
    for line in lines:
        label = re.match(r"\s*(BB\d+):", line)
        code = line.split(";")[0].strip()
        if label:
            blocks.append((label.group(1), []))
        elif code and not code.startswith("(invalid"):
            blocks[-1][1].append(code)
            if BRANCH.match(code):
                blocks.append((None, []))
        elif code:
            blocks[-1][1].append("v_undecoded")
    return blocks


def loops(blocks):
    """Ranges of blocks that a branch leads back over, innermost first."""
    at = {label: i for i, (label, _) in enumerate(blocks) if label}
    found = {}
    for i, (_, code) in enumerate(blocks):
        for instruction in code:
            target = BRANCH.match(instruction)
            if target and at.get(target.group(1), i + 1) <= i:
                found[at[target.group(1)]] = max(i, found.get(at[target.group(1)], 0))
    return sorted(found.items(), key=lambda r: r[1] - r[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vkinfer", default="build/tools/vkinfer")
    parser.add_argument("--match", default="")
    parser.add_argument("--min", type=int, default=24)
    parser.add_argument("--wave", type=int, default=32)
    options, rest = parser.parse_known_args()
    done = subprocess.run([options.vkinfer, "shaders", "--isa", options.match, *rest], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    for name, lines in pipelines(done.stdout):
        blocks, seen = basic_blocks(lines), set()
        gfx12 = any("s_wait_loadcnt" in line for line in lines)
        print(f"{name}: {sum(len(code) for _, code in blocks)} instructions")
        for first, last in loops(blocks):
            for i in range(first, last + 1):
                code = blocks[i][1]
                if i in seen or len(code) < options.min:
                    continue
                seen.add(i)
                count = collections.Counter(class_of(c) for c in code)
                widths = collections.Counter(c.split()[0] for c in code if class_of(c) in ("vmem", "lds", "smem"))
                text = " ".join(f"{k} {count[k]}" for k, _ in CLASSES if count[k])
                if count["wmma"]:
                    issue = (count["valu"] + count["dot"] + 4 * count["trans"]) * options.wave // 32
                    cycles = (issue + count["wmma"] * (16 if gfx12 else 32)) / count["wmma"]
                    text += f" | per wmma: {len(code) / count['wmma']:.1f} instructions, {cycles:.1f} modelled cycles"
                print(f"  block of {len(code)}: {text}")
                print("    " + " ".join(f"{v} {k}" for k, v in widths.most_common(8)))


if __name__ == "__main__":
    main()
