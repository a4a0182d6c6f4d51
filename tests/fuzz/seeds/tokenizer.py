#!/usr/bin/env python3
"""Writes the seed corpus of tokenizer_fuzz: small vocabularies of every kind with texts that reach their corners.

Usage: seeds/tokenizer.py FOLDER
"""
import os
import sys

BPE, SPM, RAW, WORDPIECE, UNIGRAM = 1, 0, 2, 3, 4
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
N_RULES = 96  # more than there are: the target takes the remainder

TEXTS = [
    "Hello world, it's 12345 o'clock!\n\n\tdon't   stop",
    "<s>ab</s> <tool>  x <|im_end|>",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u4f60\u597d \u041f\u0440\u0438 e\u0301\u0323 \uac01 \U0001f600\u200d\U0001f600",
    " " * 100 + "\r\n" * 30 + "a" * 100,
    "camelCaseHTTPRequest2Go //path/to [x]=y; IMGIMGABZ <sentinel:1>",
]
BROKEN = b"a\xff\xc3\xe2\x82\xf0\x9f\x98\xed\xa0\x80\x00z"


def field(data):
    data = data if isinstance(data, bytes) else data.encode()
    assert len(data) < 256, data
    return bytes([len(data)]) + data


def token(kind, text, score=0):
    text = text if isinstance(text, bytes) else text.encode()
    return field(bytes([kind + 8 * score]) + text)


def seed(kind, pre, text, tokens, merges=(), flags=b"\x01"):
    text = (text if isinstance(text, bytes) else text.encode())[:255]
    return (field(bytes([kind]) + flags) + field(pre) + field(text) + b"".join(tokens) + field(b"")
            + b"".join(field(m) for m in merges))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    special = [token(CONTROL, "<s>"), token(CONTROL, "</s>"), token(USER, "<tool>"), token(USER, "  "),
               token(CONTROL, "<|im_end|>")]
    bpe = [token(NORMAL, t) for t in ("he", "ll", "hell", "hello", "\u0120h", "aa", "aaaa", "12", "\u0120\u0120")]
    merges = ["h e", "l l", "he ll", "hell o", "\u0120 h", "a a", "aa aa", "1 2", "\u0120 \u0120", "no", "", " x"]
    spm = [token(UNKNOWN, "<unk>"), *special, *(token(BYTE, f"<0x{b:02X}>") for b in range(256)),
           *(token(NORMAL, t, s) for s, t in enumerate(["\u2581", "a", "b", "ab", "\u2581a", "\u2581ab", "\u2581\u2581",
                                                        "\u00e9", "12"], 1))]
    raw = [*special, *(token(NORMAL, t) for t in ("\u2581", "a", "aa", "\n\n", "\u2581a", "\n")), token(BYTE, "<0x41>")]
    words = [*special, *(token(NORMAL, t) for t in ("\u2581hello", "\u2581it", "\u2581a", "b", "\u2581,", "lo"))]
    seeds = []
    for rule in range(N_RULES):
        seeds.append(seed(BPE, bytes([rule]), TEXTS[rule % len(TEXTS)], special + bpe, merges))
    for i, text in enumerate([*TEXTS, BROKEN]):
        seeds.append(seed(BPE, "gpt-2", text, special + bpe, [], b"\x01\x02\x03"))
        seeds.append(seed(BPE, "qwen2", text, special, merges, b"\x11"))
        seeds.append(seed(SPM, "", text, spm, [], bytes([2 + 4 * i])))
        seeds.append(seed(SPM, "", text, spm, [], b"\x68\x05\x01\x02"))
        seeds.append(seed(RAW, "", text, raw, ["a a", "\u2581 a", "\n \n"], b"\x00"))
        seeds.append(seed(WORDPIECE, "", text, words, [], b"\x00\x00\x01\x03"))
    seeds.append(seed(UNIGRAM, "", "a", [token(NORMAL, "a")]))
    seeds.append(seed(BPE, "no such rule", "a", [token(NORMAL, "a")]))
    for i, data in enumerate(seeds):
        with open(os.path.join(folder, f"seed_{i:03}"), "wb") as out:
            out.write(data)


if __name__ == "__main__":
    main()
