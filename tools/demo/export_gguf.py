#!/usr/bin/env python3
"""Writes the demo model as GGUF v3: export_gguf.py --weights model.pt --vocabulary vocabulary.json --out vkinfer-demo.gguf

Matrices become Q8_0, norms stay F32. Nothing but the file format is shared with the engine, so this writer is also a second opinion.
"""

import argparse
import json
import struct

import numpy as np

from render import TEMPLATE
from tokenizer import N_CONTROL, SPECIAL

ALIGNMENT = 32
F32, Q8_0 = 0, 8
U32, I32, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, v):
    if kind == STRING:
        return string(v)
    return struct.pack({U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}[kind], v)


def entry(key, kind, v):
    return string(key) + struct.pack("<I", kind) + value(kind, v)


def array_entry(key, kind, values):
    return string(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(value(kind, v) for v in values)


def quantise_q8_0(x):
    """Blocks of 32: an f16 scale and 32 signed bytes; rounds half away from zero."""
    blocks = x.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1) / np.float32(127)
    inverse = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0).astype(np.float32)
    scaled = blocks * inverse[:, None]
    codes = (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int8)
    out = np.empty((len(blocks), 34), np.uint8)
    out[:, :2] = scale.astype(np.float16).view(np.uint8).reshape(-1, 2)
    out[:, 2:] = codes.view(np.uint8)
    return out.tobytes()


def metadata(config, vocabulary):
    tokens = vocabulary["tokens"]
    types = [NORMAL] * (len(tokens) - len(SPECIAL)) + [CONTROL] * N_CONTROL + [USER_DEFINED] * (len(SPECIAL) - N_CONTROL)
    ids = {t: i for i, t in enumerate(tokens)}
    c = config
    return [
        entry("general.architecture", STRING, "qwen3"),
        entry("general.type", STRING, "model"),
        entry("general.name", STRING, "vkinfer demo"),
        entry("general.description", STRING, "Small chat model that comes with vkinfer: sums, lists, and facts about vkinfer."),
        entry("general.license", STRING, "mit"),
        entry("general.file_type", U32, 7),
        entry("general.quantization_version", U32, 2),
        entry("general.alignment", U32, ALIGNMENT),
        entry("general.sampling.temp", FLOAT, 0.0),
        entry("qwen3.block_count", U32, c.n_layer),
        entry("qwen3.context_length", U32, c.n_context),
        entry("qwen3.embedding_length", U32, c.n_embd),
        entry("qwen3.feed_forward_length", U32, c.n_ff),
        entry("qwen3.attention.head_count", U32, c.n_head),
        entry("qwen3.attention.head_count_kv", U32, c.n_head_kv),
        entry("qwen3.attention.key_length", U32, c.head_dim),
        entry("qwen3.attention.value_length", U32, c.head_dim),
        entry("qwen3.attention.layer_norm_rms_epsilon", FLOAT, c.eps),
        entry("qwen3.rope.freq_base", FLOAT, c.rope_base),
        entry("tokenizer.ggml.model", STRING, "gpt2"),
        entry("tokenizer.ggml.pre", STRING, "qwen2"),
        array_entry("tokenizer.ggml.tokens", STRING, tokens),
        array_entry("tokenizer.ggml.token_type", I32, types),
        array_entry("tokenizer.ggml.merges", STRING, vocabulary["merges"]),
        entry("tokenizer.ggml.bos_token_id", U32, ids["<|endoftext|>"]),
        entry("tokenizer.ggml.eos_token_id", U32, ids["<|im_end|>"]),
        entry("tokenizer.ggml.padding_token_id", U32, ids["<|endoftext|>"]),
        entry("tokenizer.ggml.add_bos_token", BOOL, False),
        entry("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def write(path, config, vocabulary, tensors):
    """tensors: name -> float array in row-major order (rows are outputs)."""
    entries = metadata(config, vocabulary)
    infos, data, offset = [], [], 0
    for name, x in tensors.items():
        kind, content = (Q8_0, quantise_q8_0(x)) if x.ndim == 2 else (F32, x.astype("<f4").tobytes())
        dims = x.shape[::-1]  # innermost first
        infos.append(string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset))
        content += bytes(-len(content) % ALIGNMENT)
        data.append(content)
        offset += len(content)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries) + b"".join(infos)
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % ALIGNMENT) + b"".join(data))


def main():
    import torch

    from model import Config

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.vocabulary, encoding="utf-8") as f:
        vocabulary = json.load(f)
    state = torch.load(args.weights, map_location="cpu")
    write(args.out, Config(), vocabulary, {name: x.float().numpy() for name, x in state.items()})


if __name__ == "__main__":
    main()
