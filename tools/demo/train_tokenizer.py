#!/usr/bin/env python3
"""Trains the demo model's vocabulary on its own training text: train_tokenizer.py --out vocabulary.json"""

import argparse
import json

import tokenizer
from generate_text import SEED, Generator
from render import render

N_VOCAB = 1536
N_CONVERSATIONS = 20000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    generator = Generator(SEED + 4)
    texts = [render(generator.conversation()) for _ in range(N_CONVERSATIONS)]
    vocabulary = tokenizer.train(texts, N_VOCAB)
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(vocabulary, out, ensure_ascii=False, indent=0)
    t = tokenizer.Tokenizer(vocabulary["tokens"], vocabulary["merges"])
    ids = [t.encode(x) for x in texts[:2000]]
    assert all(t.decode(i) == x for i, x in zip(ids, texts))
    print(f"{len(vocabulary['tokens'])} tokens, {sum(map(len, ids)) / len(ids):.1f} tokens per conversation, "
          f"{sum(map(len, texts[:2000])) / sum(map(len, ids)):.2f} characters per token")


if __name__ == "__main__":
    main()
