#!/usr/bin/env python3
"""Writes engine/format/types/iq_grids.cpp, the codebooks of the IQ types, from a JSON description of them.

Usage: tools/generate/iq_grids.py GRIDS.json engine/format/types/iq_grids.cpp

The JSON holds {"grids": {name: {entries, dim, bits_per_coordinate, value_of_code, words_le16_hex, sha256_of_words}}}:
word k (little-endian, 16 bits) is entry k. The data is ggml's (MIT licence, see NOTICE); run this only if it changes.
"""
import hashlib
import json
import sys

ORDER = ["iq2xxs", "iq2xs", "iq2s", "iq3xxs", "iq3s", "iq1s"]


def main():
    source, target = sys.argv[1:3]
    with open(source) as file:
        grids = json.load(file)["grids"]
    lines = [
        "// Codebooks of the IQ types, one 16-bit word an entry; made by tools/generate/iq_grids.py, do not edit.",
        "// The numbers are data of the ggml project (MIT licence, see NOTICE).",
        '#include "format/types/iq_grids.h"',
        "",
        "namespace vkinfer::format::types {",
        "",
        "// clang-format off",
    ]
    for name in ORDER:
        grid = grids[name]
        raw = bytes.fromhex(grid["words_le16_hex"])
        assert hashlib.sha256(raw).hexdigest() == grid["sha256_of_words"], name
        assert len(raw) == 2 * grid["entries"], name
        words = [int.from_bytes(raw[i:i + 2], "little") for i in range(0, len(raw), 2)]
        lines.append(f"const uint16_t k{name.capitalize()}Words[{len(words)}] = {{")
        for i in range(0, len(words), 24):
            lines.append("".join(f"{word}," for word in words[i:i + 24]))
        lines.append("};")
        lines.append("")
    lines += ["// clang-format on", "", "} // namespace vkinfer::format::types", ""]
    with open(target, "w") as file:
        file.write("\n".join(lines))


if __name__ == "__main__":
    main()
