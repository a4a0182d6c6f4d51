"""Byte-level BPE with the `qwen2` pre-tokeniser, in plain Python: enough to train, to tokenise the training text and to check.

The engine has its own implementation (engine/text); this one only has to agree with it on the demo model's vocabulary.
"""

import collections
import json
import re

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
N_CONTROL = 3  # of SPECIAL: the first are control tokens, the others user-defined, so that their text is shown

# The letters of Python's re are \w without digits and underscore; close enough to \p{L} for every text that we tokenise here.
LETTER = r"[^\W\d_]"
PIECE = re.compile(rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?{LETTER}+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_alphabet():
    """The character that stands for each byte: printable bytes for themselves, the others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    chars, extra = {b: chr(b) for b in printable}, 0
    for b in range(256):
        if b not in chars:
            chars[b] = chr(0x100 + extra)
            extra += 1
    return [chars[b] for b in range(256)]


ALPHABET = byte_alphabet()
BYTES = {c: b for b, c in enumerate(ALPHABET)}
SPLIT_SPECIAL = re.compile("(" + "|".join(re.escape(s) for s in sorted(SPECIAL, key=len, reverse=True)) + ")")


def pieces(text):
    return ["".join(ALPHABET[b] for b in piece.encode()) for piece in PIECE.findall(text)]


def train(texts, n_vocab):
    """The usual procedure: merge the most frequent pair until the vocabulary is full. Ties go to the smaller pair, for repeatability."""
    counts = collections.Counter(p for text in texts for part in SPLIT_SPECIAL.split(text) if part not in SPECIAL for p in pieces(part))
    words = [[list(w), n] for w, n in sorted(counts.items())]
    merges = []
    while 256 + len(merges) + len(SPECIAL) < n_vocab:
        pairs = collections.Counter()
        for symbols, n in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        for word in words:
            word[0] = merge_pair(word[0], best)
    return {"tokens": ALPHABET + [a + b for a, b in merges] + SPECIAL, "merges": [f"{a} {b}" for a, b in merges]}


def merge_pair(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, tokens, merges):
        self.tokens = tokens
        self.ids = {t: i for i, t in enumerate(tokens)}
        self.ranks = {tuple(m.split(" ")): r for r, m in enumerate(merges)}
        self.cache = {}

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as f:
            vocabulary = json.load(f)
        return cls(vocabulary["tokens"], vocabulary["merges"])

    def encode(self, text):
        out = []
        for part in SPLIT_SPECIAL.split(text):
            if part in self.ids and part in SPECIAL:
                out.append(self.ids[part])
            else:
                for piece in pieces(part):
                    out += self.encode_piece(piece)
        return out

    def encode_piece(self, piece):
        if piece not in self.cache:
            symbols = list(piece)
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]), key=lambda p: self.ranks.get(p, 1 << 30))
                if best not in self.ranks:
                    break
                symbols = merge_pair(symbols, best)
            self.cache[piece] = [self.ids[s] for s in symbols]
        return self.cache[piece]

    def decode(self, ids):
        data = b""
        for i in ids:
            t = self.tokens[i]
            data += t.encode() if t in SPECIAL else bytes(BYTES[c] for c in t)
        return data.decode(errors="replace")
