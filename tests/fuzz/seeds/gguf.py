#!/usr/bin/env python3
"""Writes the seed corpus of gguf_fuzz: small GGUF files that together use every value type and tensor type.

Usage: seeds/gguf.py FOLDER
"""
import os
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
PACK = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<B", U64: "<Q", I64: "<q",
        F64: "<d"}
# id: elements and bytes of a block
TYPES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
         11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66), 17: (256, 74), 18: (256, 98),
         19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
         27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36),
         41: (128, 18), 42: (64, 18)}


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == STRING:
        return string(content)
    return struct.pack(PACK[kind], content)


def entry(key, kind, content, element=None):
    data = string(key) + struct.pack("<I", kind)
    if kind == ARRAY:
        return data + struct.pack("<IQ", element, len(content)) + b"".join(value(element, c) for c in content)
    return data + value(kind, content)


def gguf(entries, tensors, version=3, alignment=32):
    """tensors: (name, dims, type)"""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries)) + b"".join(entries)
    data = b""
    for name, dims, kind in tensors:
        elements, size = TYPES[kind]
        count = 1
        for dim in dims:
            count *= dim
        out += string(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims)
        out += struct.pack("<IQ", kind, len(data))
        data += bytes((7 * i + kind) % 251 for i in range(count // elements * size))
        data += bytes(-len(data) % alignment)
    if tensors:
        out += bytes(-len(out) % alignment) + data
    return out


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    arch = entry("general.architecture", STRING, "llama")
    scalars = [entry("k%d" % kind, kind, "text" if kind == STRING else 1) for kind in range(13) if kind != ARRAY]
    arrays = [entry("a%d" % kind, ARRAY, ["a", "", b"\xff\0"] if kind == STRING else [0, 1, 1], kind)
              for kind in range(13) if kind != ARRAY]
    tokens = entry("tokenizer.ggml.tokens", ARRAY, ["a", "b", "ab"], STRING)
    seeds = {
        "empty": gguf([], []),
        "vocabulary_only": gguf([arch, tokens], []),
        "scalars": gguf([arch] + scalars, []),
        "arrays": gguf([arch] + arrays, []),
        "version_2": gguf([arch], [("w", (8, 2), 0)], version=2),
        "alignment_64": gguf([entry("general.alignment", U32, 64)], [("a", (3,), 0), ("b", (5,), 1)], alignment=64),
        "split": gguf([arch, entry("split.no", U16, 0), entry("split.count", U16, 2), entry("split.tensors.count", I32, 3)],
                      [("w", (1,), 0)]),
        "dims": gguf([arch, tokens], [("d%d" % n, (32,) + (2,) * (n - 1), 0) for n in range(1, 5)]),
    }
    for kind, (elements, _) in TYPES.items():
        seeds["type_%d" % kind] = gguf([arch], [("w", (max(elements, 4), 2), kind)])
    seeds["all_types"] = gguf([arch], [("t%d" % kind, (elements,), kind) for kind, (elements, _) in TYPES.items()])
    for name, data in seeds.items():
        with open(os.path.join(folder, name + ".gguf"), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
