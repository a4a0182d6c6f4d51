#!/usr/bin/env python3
"""Runs the exported file on the held-out tests, in PyTorch and float32: the numbers that the engine has to reach as well.

    evaluate.py --model vkinfer-demo.gguf --heldout heldout.json [--failures] [--reference reference_logits.json]

Everything comes from the file: weights, vocabulary, template. Decoding is greedy. --reference also writes the five largest logits
after some prompts, for comparison with an engine.
"""

import argparse
import json
import os
import struct

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait busily, which on a loaded machine takes most of the time

import numpy as np
import torch

from model import Config, Model
from tokenizer import Tokenizer

MAX_TOKENS = 64
REFERENCE_PROMPTS = ["What is 17 + 25?", "What is vkinfer?", "Sort 31, 4, 15.", "Reverse pear, apple, plum.", "Hello"]


class Reader:
    """Just enough of a GGUF reader for the file that export_gguf.py writes."""

    SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.at = 4
        version, n_tensors, n_entries = self.unpack("<IQQ")
        assert self.data[:4] == b"GGUF" and version == 3
        self.metadata = {}
        for _ in range(n_entries):
            key = self.string()
            self.metadata[key] = self.value(*self.unpack("<I"))
        infos = []
        for _ in range(n_tensors):
            name = self.string()
            (n_dims,) = self.unpack("<I")
            infos.append((name, self.unpack(f"<{n_dims}Q"), *self.unpack("<IQ")))
        alignment = self.metadata.get("general.alignment", 32)
        start = (self.at + alignment - 1) // alignment * alignment
        self.tensors = {name: self.tensor(dims, kind, start + offset) for name, dims, kind, offset in infos}

    def unpack(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def string(self):
        (n,) = self.unpack("<Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            element, n = self.unpack("<IQ")
            return [self.value(element) for _ in range(n)]
        return self.unpack(self.SCALARS[kind])[0]

    def tensor(self, dims, kind, offset):
        n = int(np.prod(dims))
        if kind == 0:
            x = np.frombuffer(self.data, "<f4", n, offset)
        else:
            assert kind == 8, "only F32 and Q8_0 are written"
            blocks = np.frombuffer(self.data, np.uint8, n // 32 * 34, offset).reshape(-1, 34)
            scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
            x = (blocks[:, 2:].view(np.int8) * scale).reshape(-1)
        return torch.from_numpy(x.reshape(dims[::-1]).astype(np.float32))


def load(path):
    """(model, tokenizer, render) of a file."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    reader = Reader(path)
    m = reader.metadata
    key = lambda name: m["qwen3." + name]
    config = Config(n_vocab=len(m["tokenizer.ggml.tokens"]), n_embd=key("embedding_length"), n_layer=key("block_count"),
                    n_head=key("attention.head_count"), n_head_kv=key("attention.head_count_kv"), head_dim=key("attention.key_length"),
                    n_ff=key("feed_forward_length"), n_context=key("context_length"), rope_base=key("rope.freq_base"),
                    eps=key("attention.layer_norm_rms_epsilon"))
    model = Model(config)
    model.load_state_dict(reader.tensors)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda v: json.dumps(v, ensure_ascii=False)
    template = environment.from_string(m["tokenizer.chat_template"])
    render = lambda case: template.render(messages=case["messages"], tools=case.get("tools"), add_generation_prompt=True)
    return model.eval(), Tokenizer(m["tokenizer.ggml.tokens"], m["tokenizer.ggml.merges"]), render


class Cache:
    """Keys and values of a batch of left-padded sequences, and one step through the model that adds to them."""

    def __init__(self, model, padding):
        self.model, self.padding = model, torch.tensor(padding)[:, None]
        self.k, self.v, self.length = [None] * model.c.n_layer, [None] * model.c.n_layer, 0

    def step(self, tokens):
        """Logits after the last of tokens (batch, time)."""
        n, t = tokens.shape
        at = torch.arange(self.length, self.length + t)
        self.length += t
        cos, sin = self.model.angles((at[None] - self.padding).clamp(min=0))
        keys = torch.arange(self.length)
        visible = (keys[None, None] <= at[None, :, None]) & (keys[None, None] >= self.padding[:, :, None]) | \
                  (keys[None, None] == at[None, :, None])
        x = self.model.token_embd(tokens)
        for i, block in enumerate(self.model.blk):
            q, k, v = block.qkv(x, cos, sin)
            self.k[i] = k if self.k[i] is None else torch.cat([self.k[i], k], dim=1)
            self.v[i] = v if self.v[i] is None else torch.cat([self.v[i], v], dim=1)
            a = torch.nn.functional.scaled_dot_product_attention(q.transpose(1, 2), self.k[i].transpose(1, 2), self.v[i].transpose(1, 2),
                                                                 attn_mask=visible[:, None], enable_gqa=True)
            x = block.finish(x, a.transpose(1, 2).reshape(n, t, -1))
        return self.model.output(self.model.output_norm(x[:, -1]))


@torch.inference_mode()
def answer(model, tokenizer, prompts):
    """Greedy answers to a batch of prompts."""
    rows = [tokenizer.encode(p) for p in prompts]
    longest, end = max(map(len, rows)), tokenizer.ids["<|im_end|>"]
    cache = Cache(model, [longest - len(r) for r in rows])
    tokens, answers = torch.tensor([[0] * (longest - len(r)) + r for r in rows]), [[] for _ in rows]
    for _ in range(MAX_TOKENS):
        tokens = cache.step(tokens).argmax(-1, keepdim=True)
        for out, token in zip(answers, tokens[:, 0].tolist()):
            if end not in out:
                out.append(token)
        if all(end in out for out in answers):
            break
    return [tokenizer.decode(out).removesuffix("<|im_end|>") for out in answers]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--heldout", required=True)
    parser.add_argument("--reference")
    parser.add_argument("--failures", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer, render = load(args.model)
    with open(args.heldout, encoding="utf-8") as f:
        groups = json.load(f)["groups"]
    enough = True
    for group in groups:
        cases, right = group["cases"], 0
        for at in range(0, len(cases), 40):
            batch = cases[at:at + 40]
            for case, text in zip(batch, answer(model, tokenizer, [render(c) for c in batch])):
                if any(a in text for a in case["accept"]):
                    right += 1
                elif args.failures:
                    print(f"    {case['messages'][-1]['content']!r}: {text!r}, expected {case['accept'][0]!r}")
        enough = enough and right >= group["minimum"] * len(cases)
        print(f"{group['name']}: {right} of {len(cases)} ({100 * right / len(cases):.1f} %, required {100 * group['minimum']:.0f} %)", flush=True)
    if args.reference:
        entries = []
        for text in REFERENCE_PROMPTS:
            prompt = render({"messages": [{"role": "user", "content": text}]})
            ids = tokenizer.encode(prompt)
            with torch.inference_mode():
                top = model(torch.tensor([ids]))[0, -1].topk(5)
            entries.append({"text": text, "prompt": prompt, "tokens": ids, "top_tokens": top.indices.tolist(),
                            "top_logits": [round(x, 4) for x in top.values.tolist()],
                            "answer": answer(model, tokenizer, [prompt])[0]})
        with open(args.reference, "w", encoding="utf-8") as out:
            out.write("[\n" + ",\n".join(json.dumps(e, ensure_ascii=False) for e in entries) + "\n]\n")
    raise SystemExit(0 if enough else 1)


if __name__ == "__main__":
    main()
